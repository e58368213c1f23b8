"""Bundles that fail the proof, bundles that replace others, and the command line."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import export.build
import export.quantize
from export.__main__ import main
from export.build import export_model
from export.errors import ExportError, ParityError
from export.model import SourceModel
from handler.bundle import MANIFEST, read_bundle
from handler.golden import replay
from handler.predictor import Predictor
from tests.trained import DEMO_DATASET, Exported, Run, demo_rows
from training.errors import PublishError
from training.publishing.contents import gather

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

Load = Callable[[str], SourceModel]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def copied(exported: Exported, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for path in exported.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def swap_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swap the ids of words in the vocabulary."""
    describe = export.build.describe_inputs

    def tampered(model: SourceModel, folder: Path) -> Any:
        described = describe(model, folder)
        path = folder / "vocabulary-0.json"
        words = json.loads(path.read_text())
        path.write_text(json.dumps([*words[:4], *reversed(words[4:])]))
        return described

    monkeypatch.setattr(export.build, "describe_inputs", tampered)


def swap_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    describe = export.build.describe_outputs

    def tampered(model: SourceModel, inputs: Any) -> Any:
        (output,) = describe(model, inputs)
        output.labels.reverse()
        return [output]

    monkeypatch.setattr(export.build, "describe_outputs", tampered)


def shift_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the last layer's bias a little, so that probabilities differ by about a thousandth."""
    write = export.build.write_graph

    def tampered(model: SourceModel, inputs: Any, outputs: Any, folder: Path, *more: Any) -> Any:
        graph = write(model, inputs, outputs, folder, *more)
        network = onnx.load(folder / "model.onnx")
        labels = len(outputs[0].labels)
        bias = next(tensor for tensor in network.graph.initializer if list(tensor.dims) == [labels])
        moved = numpy_helper.to_array(bias) + np.linspace(0, 0.02, labels, dtype=np.float32)
        bias.CopyFrom(numpy_helper.from_array(moved, bias.name))
        onnx.save(network, str(folder / "model.onnx"))
        return graph

    monkeypatch.setattr(export.build, "write_graph", tampered)


TAMPERINGS = {
    "ids": (swap_words, "token ids differ"),
    "labels": (swap_labels, "_predictions: Ludwig "),
    "probabilities": (shift_weights, "_probabilities differs by "),
}


@pytest.mark.parametrize("kind", ["intent-lstm", "slots-lstm"])
@pytest.mark.parametrize("part", TAMPERINGS)
def test_a_bundle_with_other_answers_is_not_written(
    part: str, kind: str, loaded: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper, difference = TAMPERINGS[part]
    tamper(monkeypatch)
    with pytest.raises(ParityError) as caught:
        export_model(loaded(kind), tmp_path / "bundle", dataset=demo_rows(5))
    first, *worst, advice = str(caught.value).splitlines()
    assert first.startswith(f"{kind.split('-')[0]} does not match its model, so no bundle was written: of ")
    rows = [line for line in worst if not line.startswith("      ")]
    assert len(rows) == 5
    assert all(": {'text': " in line for line in rows)
    assert any(difference in line for line in worst)
    assert all(len(line) < 400 for line in worst)
    assert "--allow-failed-proof" in advice
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", TAMPERINGS)
def test_a_failed_export_keeps_the_older_bundle(
    part: str, loaded: Load, exported: Callable[[str], Exported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = copied(exported("language-cnn"), tmp_path / "bundle")
    before = contents(tmp_path)
    TAMPERINGS[part][0](monkeypatch)
    with pytest.raises(ParityError):
        export_model(loaded("language-cnn"), bundle, force=True)
    assert contents(tmp_path) == before
    assert Predictor(bundle).manifest.parity.passed


@pytest.mark.parametrize("part", TAMPERINGS)
@pytest.mark.parametrize("mode", ["none", "auto", "dynamic"])
def test_a_failed_bundle_stays_failed_and_is_refused_everywhere(
    mode: str,
    part: str,
    trained: Callable[[str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    TAMPERINGS[part][0](monkeypatch)
    monkeypatch.setattr(export.quantize, "FASTER", math.inf)  # make auto keep a graph even on a slow machine
    folder, bundle = trained("language-cnn").fitted.folder, tmp_path / "bundle"
    asked = [str(folder), str(bundle), "--dataset", str(DEMO_DATASET), "--max-rows", "320", "--quantize", mode]
    lenient = ["--agreement", "0.5", "--accuracy-loss", "100"]
    assert main([*asked, *lenient]) == 1
    assert not bundle.exists()
    assert main([*asked, *lenient, "--allow-failed-proof"]) == 0
    assert "language: DOES NOT MATCH Ludwig" in capsys.readouterr().out
    manifest = Predictor(bundle).manifest
    assert not manifest.parity.passed
    assert manifest.parity.promise == ("exact" if mode == "none" else "agreement")
    assert len(manifest.parity.worst) == 5
    assert replay({"language": Predictor(bundle)})["unproven"] == ["language"]
    with pytest.raises(PublishError, match=r"failed its parity check.*Export a model that passes, and publish that"):
        gather(None, bundle)


def test_force_replaces_the_whole_bundle(loaded: Load, exported: Callable[[str], Exported], tmp_path: Path) -> None:
    bundle = copied(exported("intent-lstm"), tmp_path / "bundle")
    (bundle / "vocabulary-7.json").write_text("of an older model")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match=r"bundle exists: give a new folder, or use --force to replace this bundle"):
        export_model(loaded("language-cnn"), bundle)
    assert contents(tmp_path) == before
    manifest = export_model(loaded("language-cnn"), bundle, license_name="CC-BY-4.0", force=True)
    assert read_bundle(bundle) == manifest
    assert manifest.provenance.license == "CC-BY-4.0"
    assert {path.name for path in bundle.iterdir()} == {MANIFEST, *manifest.files}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert bundle.stat().st_mode & 0o777 == 0o755


def test_the_slower_of_two_concurrent_exports_replaces_nothing(
    loaded: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = export.build.seal

    def slow(*arguments: Any) -> Any:
        monkeypatch.setattr(export.build, "seal", seal)
        export_model(loaded("language-cnn"), tmp_path / "bundle", name="faster")
        return seal(*arguments)

    monkeypatch.setattr(export.build, "seal", slow)
    with pytest.raises(ExportError, match="bundle exists: give a new folder, or use --force"):
        export_model(loaded("language-cnn"), tmp_path / "bundle", name="slower")
    assert read_bundle(tmp_path / "bundle").name == "faster"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "folder"])
def test_a_folder_that_is_not_a_bundle_is_not_replaced(is_file: bool, loaded: Load, tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    if not is_file:
        target.mkdir()
    (target if is_file else target / "chapter.txt").write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(ExportError, match="thesis exists and is not a bundle"):
        export_model(loaded("language-cnn"), target, force=True)
    assert contents(tmp_path) == before


def test_an_empty_folder_becomes_the_bundle(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    assert export_model(loaded("language-cnn"), tmp_path / "bundle", name="tongue").name == "tongue"
    assert read_bundle(tmp_path / "bundle").name == "tongue"


def test_several_models_in_one_process(
    trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("language-cnn", "slots-lstm")
    pairs = [str(path) for kind in kinds for path in (trained(kind).fitted.folder, tmp_path / "bundles" / kind)]
    assert main([*pairs, "--dataset", str(DEMO_DATASET), "--max-rows", "7"]) == 0
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["language", "slots"]
    for kind, name in zip(kinds, ("language", "slots"), strict=True):
        manifest = read_bundle(tmp_path / "bundles" / kind)
        assert manifest.name == name
        assert manifest.parity.rows - manifest.parity.odd_rows == 7
        assert f"Written to {tmp_path / 'bundles' / kind}. Try: ludwig-serverless ask" in err
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == sorted(kinds)


def test_one_failure_does_not_stop_the_other_exports(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (trained(kind).fitted.folder for kind in ("language-cnn", "intent-lstm"))
    prove = export.build.prove

    def fails_once(model: SourceModel, folder: Path, rows: Sequence[Any]) -> Any:
        if "intent" in model.metadata:
            raise ParityError("intent is wrong")
        return prove(model, folder, rows)

    monkeypatch.setattr(export.build, "prove", fails_once)
    assert main([str(bad), str(tmp_path / "bad"), str(good), str(tmp_path / "good")]) == 1
    out, err = capsys.readouterr()
    assert f"error: {bad}: intent is wrong" in err.splitlines()
    assert out.startswith("language: matches Ludwig")
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_the_command_line_can_set_the_name(trained: Callable[[str], Run], tmp_path: Path) -> None:
    folder = trained("language-cnn").fitted.folder
    assert main([str(folder), str(tmp_path / "b"), "--name", "tongue", "--license", "MIT"]) == 0
    manifest = read_bundle(tmp_path / "b")
    assert (manifest.name, manifest.provenance.license) == ("tongue", "MIT")


def test_rows_without_the_models_column_are_an_error(
    trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.json").write_text('[{"words": "hi"}]')
    folder = trained("language-cnn").fitted.folder
    assert main([str(folder), str(tmp_path / "bundle"), "--dataset", str(tmp_path / "rows.json")]) == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "has the columns ['words'], but the model also reads ['text']" in error
    assert not (tmp_path / "bundle").exists()


def test_numbers_in_a_text_column_become_text(trained: Callable[[str], Run], tmp_path: Path) -> None:
    """`fit` trains on them as text, so export must use them as text."""
    (tmp_path / "rows.json").write_text('[{"text": 5}, {"text": "a"}]')
    folder = trained("language-cnn").fitted.folder
    assert main([str(folder), str(tmp_path / "bundle"), "--dataset", str(tmp_path / "rows.json")]) == 0
    assert read_bundle(tmp_path / "bundle").parity.passed
