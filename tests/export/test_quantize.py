"""int8 quantization: which graphs are kept, on real models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

import export.quantize
from export.__main__ import main
from export.build import export_model
from export.certificate import certificate
from export.errors import ExportError, ParityError
from export.model import SourceModel
from export.quantize import QuantizeOptions, comparison_table, evaluate_candidate
from handler.bundle import read_bundle
from handler.certificate import GraphCandidate
from handler.golden import replay
from handler.predictor import Predictor
from tests.trained import DEMO_DATASET, demo_rows

Load = Callable[[str], SourceModel]
EXACT = GraphCandidate(name="fp32", agreement=1.0, accuracy=0.95, milliseconds=1.0, bytes=100)
GOOD = GraphCandidate(name="dynamic", agreement=0.999, accuracy=0.95, milliseconds=0.5, of_exact=0.5, bytes=30)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({}, QuantizeOptions("auto"), ""),
        ({"of_exact": 0.95}, QuantizeOptions("auto"), "is not at least 10% faster"),
        ({"of_exact": 0.95}, QuantizeOptions("dynamic"), ""),
        ({"agreement": 0.99}, QuantizeOptions("auto"), "agrees on 99.00% of labels, 99.50% required"),
        ({"agreement": 0.99}, QuantizeOptions("auto", agreement=0.99), ""),
        ({"accuracy": 0.94}, QuantizeOptions("auto"), "loses 1.00 points of accuracy, 0.20 allowed"),
        ({"accuracy": 0.94}, QuantizeOptions("auto", accuracy_loss=1.5), ""),
        ({"accuracy": None}, QuantizeOptions("auto"), ""),
        ({"reason": "cannot be made"}, QuantizeOptions("auto"), "cannot be made"),
    ],
)
def test_only_good_candidates_are_kept(change: dict[str, Any], options: QuantizeOptions, reason: str) -> None:
    assert evaluate_candidate(msgspec.structs.replace(GOOD, **change), EXACT, options) == reason


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("intent-embed", "static"),
        ("language-cnn", "per-channel"),
        ("slots-lstm", "dynamic"),
        ("intent-minilm-frozen", "blockwise"),
    ],
)
def test_a_quantized_bundle_promises_agreement(kind: str, mode: Any, loaded: Load, tmp_path: Path) -> None:
    rows = demo_rows(500)
    options = QuantizeOptions(mode, agreement=0.9, accuracy_loss=10)
    manifest = export_model(loaded(kind), tmp_path / kind, dataset=rows, quantize=options)
    assert (manifest.parity.promise, manifest.parity.passed) == ("agreement", True)
    assert manifest.parity.ids_equal == manifest.parity.rows
    assert manifest.quantization is not None
    exact, found = manifest.quantization.candidates
    assert (exact.name, exact.kept, found.name, found.kept) == ("fp32", False, mode, True)
    assert found.agreement >= 0.9
    assert found.bytes < exact.bytes
    assert exact.accuracy is not None
    assert "agree" in comparison_table(manifest.quantization)
    assert f"quantized ({mode} int8)" in certificate(manifest)
    types = {tensor.data_type for tensor in onnx.load(tmp_path / kind / "model.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert replay({manifest.name: Predictor(tmp_path / kind)})["changed"] == []
    assert len(read_bundle(tmp_path / kind).golden) > 0


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_auto_keeps_the_exact_graph_if_nothing_agrees(
    loaded: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negated(source: Path, target: Path, encoded: Any) -> None:
        graph = onnx.load(source)
        for tensor in graph.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                values = onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(-values, tensor.name))
        onnx.save(graph, str(target))

    monkeypatch.setattr(export.quantize, "MAKERS", {"dynamic": negated, "static": lambda *_: 1 / 0})
    plain = export_model(loaded("language-cnn"), tmp_path / "plain", dataset=demo_rows(500))
    manifest = export_model(
        loaded("language-cnn"), tmp_path / "auto", dataset=demo_rows(500), quantize=QuantizeOptions("auto")
    )
    assert manifest.parity.promise == "exact"
    assert manifest.files["model.onnx"] == plain.files["model.onnx"]
    assert manifest.quantization is not None
    assert [found.kept for found in manifest.quantization.candidates] == [True, False, False]
    reasons = [found.reason for found in manifest.quantization.candidates]
    assert "99.50% required" in reasons[1]
    assert "fails: ZeroDivisionError" in reasons[2]
    with pytest.raises(ParityError, match=r"dynamic int8 agrees on .* No bundle was written"):
        export_model(
            loaded("language-cnn"), tmp_path / "named", dataset=demo_rows(500), quantize=QuantizeOptions("dynamic")
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["auto", "plain"]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_too_few_rows_are_refused(loaded: Load, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"needs a --dataset of at least 300 rows.*; found 20"):
        export_model(loaded("intent-embed"), tmp_path / "few", dataset=demo_rows(20), quantize=QuantizeOptions("auto"))
    with pytest.raises(ExportError, match="Only ONNX graphs"):
        export_model(
            loaded("intent-embed"),
            tmp_path / "few",
            dataset=demo_rows(500),
            graph_format="torchscript",
            quantize=QuantizeOptions("auto"),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_share_must_be_between_zero_and_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "bundle", "--dataset", str(DEMO_DATASET), "--quantize", "auto", "--agreement", "99.5"])
    assert "expected a share such as 0.995, found 99.5" in capsys.readouterr().err
