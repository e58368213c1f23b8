"""Exported models of five kinds: what their bundles answer, and what they contain."""

import hashlib
import math
import socket
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pandas as pd
import pytest

from export.certificate import certificate
from export.edge_cases import ODD_TEXTS
from export.model import SourceModel
from export.pretrained import cache_folder
from export.rows import with_affix_columns
from handler.bundle import MANIFEST, SCHEMA_VERSION, parse_manifest, read_bundle
from handler.golden import replay
from handler.hexabot import Service
from handler.predictor import Predictor
from handler.settings import Settings
from tests.trained import KINDS, PROVING_ROWS, ROOT, Exported, demo_rows
from training.sizing import SHORTEST_TAGGED

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore"), pytest.mark.parametrize("kind", KINDS)]

Load = Callable[[str], SourceModel]
Export = Callable[[str], Exported]
TEXTS = [*demo_rows(60, seed=2)["text"], *ODD_TEXTS.values(), None]
SPACES = "  I'd like   to fly to\tKuala  Lumpur, \u00a0 tomorrow! \n (please) "
FOLDED = [
    "fly to Paris",
    "",
    " ",
    "  ",
    SPACES,
    "أين أقرب محطة",
    "你好 👍🏽",
    "word " * 200,
    "x" * 500,
    *ODD_TEXTS.values(),
]


def ludwigs_answers(model: SourceModel, texts: list[Any]) -> list[dict[str, Any]]:
    frame = with_affix_columns(pd.DataFrame({"text": pd.Series(texts, dtype=object)}), model.config)
    predictions, _ = model.ludwig_model.predict(frame, skip_save_predictions=True)
    return list(predictions.to_dict("records"))


def assert_same(expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Compare the columns of one row and their order, independently of export/parity.py."""
    assert list(found) == list(expected)
    for column, value in expected.items():
        if column.endswith("_predictions"):
            assert (column, found[column]) == (column, value if isinstance(value, str) else list(value))
        else:
            values = list(value) if hasattr(value, "__len__") else [value]
            others = found[column] if isinstance(found[column], list) else [found[column]]
            assert len(others) == len(values)
            assert all(math.isclose(a, b, abs_tol=1e-4, rel_tol=1e-4) for a, b in zip(others, values, strict=True)), (
                column
            )


def test_the_certificate_passes_on_every_row(kind: str, exported: Export) -> None:
    manifest = exported(kind).manifest
    parity = manifest.parity
    assert parity.passed
    assert parity.rows == parity.odd_rows + PROVING_ROWS == parity.ids_equal == parity.labels_equal
    assert parity.odd_rows > len(ODD_TEXTS) + 60
    assert 0 <= parity.max_abs_diff <= parity.tolerance == 1e-4
    assert f": matches Ludwig on {parity.rows} rows" in certificate(manifest)


def test_the_reloaded_bundle_answers_as_ludwig_does(kind: str, exported: Export, loaded: Load) -> None:
    predictor = Predictor(exported(kind).folder)
    expected = ludwigs_answers(loaded(kind), TEXTS)
    for row, text in zip(expected, TEXTS, strict=True):
        assert_same(row, predictor.predict([{"text": text}])[0])


def test_a_batch_gives_the_answers_of_its_rows(kind: str, exported: Export) -> None:
    predictor = Predictor(exported(kind).folder)
    rows = [{"text": text} for text in TEXTS[::3]]
    for found, row in zip(predictor.predict(rows), rows, strict=True):
        assert_same(predictor.predict([row])[0], found)


def test_the_manifest_is_what_export_returned(kind: str, exported: Export) -> None:
    folder, manifest = exported(kind).folder, exported(kind).manifest
    assert read_bundle(folder) == manifest
    assert parse_manifest(manifest.to_json(), "memory") == manifest
    assert (folder / MANIFEST).read_bytes().startswith(b'{\n "schema_version": %d,' % SCHEMA_VERSION)


def test_the_manifest_describes_the_model(kind: str, exported: Export, loaded: Load) -> None:
    manifest, model = exported(kind).manifest, loaded(kind)
    output = kind.split("-")[0]
    assert manifest.name == output
    assert [feature.name for feature in manifest.inputs] == ["text"]
    assert [feature.labels for feature in manifest.outputs] == [list(model.metadata[output]["idx2str"])]
    assert manifest.provenance.training == model.training
    weights = (model.folder / "model_weights.safetensors").read_bytes()
    assert manifest.provenance.model_sha256 == hashlib.sha256(weights).hexdigest()
    if output == "slots":
        assert getattr(manifest.outputs[0], "aligned_with", None) == "text"
        assert getattr(manifest.outputs[0], "decoding", None) == "viterbi"
        assert model.metadata[output]["max_sequence_length"] >= SHORTEST_TAGGED, "no training row is as long"


def test_the_bundle_contains_golden_rows(kind: str, exported: Export) -> None:
    manifest = exported(kind).manifest
    odd = [row for row in manifest.golden if not row.own]
    assert (len(manifest.golden), len(odd)) == (16, 8)
    assert all(list(row.labels) == [f"{kind.split('-')[0]}_predictions"] for row in manifest.golden)
    assert replay({manifest.name: Predictor(exported(kind).folder)}) == {"checked": 16, "changed": [], "unproven": []}


def test_every_file_is_listed_with_its_hash(kind: str, exported: Export) -> None:
    folder, manifest = exported(kind).folder, exported(kind).manifest
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *manifest.files}
    for name, described in manifest.files.items():
        content = (folder / name).read_bytes()
        assert (described.bytes, described.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_nothing_reveals_the_build_machine(kind: str, exported: Export, loaded: Load) -> None:
    folder = exported(kind).folder
    homes = [Path.home(), ROOT, Path(sys.prefix), folder.parents[1], loaded(kind).folder, cache_folder()]
    places = [str(place).encode() for place in homes if len(place.parts) > 1]
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not [place for place in places if place in content], path.name
    assert socket.gethostname().encode() not in (folder / MANIFEST).read_bytes()


def test_the_graph_is_standard_onnx_with_a_dynamic_batch(kind: str, exported: Export) -> None:
    folder, manifest = exported(kind).folder, exported(kind).manifest
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not {node.op_type for node in model.graph.node} & {"Constant", "Identity"}  # left for every cold start
    assert model.doc_string == ""
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    for tensors, values in (
        (manifest.graph.inputs, model.graph.input),
        (manifest.graph.outputs, model.graph.output),
    ):
        assert [tensor.name for tensor in tensors] == [value.name for value in values]
        assert all(tensor.shape[0] == "batch" for tensor in tensors)
        assert all(value.type.tensor_type.shape.dim[0].dim_param == "batch" for value in values)


def test_a_manifest_of_another_model_is_refused(kind: str, exported: Export, tmp_path: Path) -> None:
    """The graph's file is checked before it is loaded."""
    from handler.errors import BundleError

    for path in exported(kind).folder.iterdir():
        if path.name != "model.onnx":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.onnx").write_bytes((exported(kind).folder / "model.onnx").read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"model\.onnx was altered"):
        Predictor(tmp_path)


def test_hexabot_reads_one_tag_for_each_word(kind: str, exported: Export) -> None:
    """Subwords are merged into words, and every answer is JSON."""
    predictor = Predictor(exported(kind).folder)
    service = Service({predictor.manifest.name: predictor}, Settings(bundles=(), open=True))
    output = kind.split("-")[0]
    for text in FOLDED:
        answer = service.predict({"text": text}).answer
        assert answer[output]["status"] == "success"
        assert answer["language"]["status"] == "success"
        msgspec.json.encode(answer)
        columns = answer[output]["predictions"]
        if output == "slots":
            words = len(text.split(" "))
            tags, probabilities = columns["slots_predictions"], columns["slots_probabilities"]
            assert len(tags) == len(probabilities) == words + 2
            assert (tags[0], tags[-1]) == ("<SOS>", "<EOS>")
            assert not {"<SOS>", "<EOS>", "<PAD>", "<UNK>"} & set(tags[1:-1])
            whole = [tag for tag, word in zip(tags[1:-1], text.split(" "), strict=True) if word]
            assert all(tag[0] != "I" or before[2:] == tag[2:] for before, tag in pairwise(["O", *whole]))
            assert all(0 <= probability <= 1 for probability in probabilities)
        else:
            label = columns[f"{output}_predictions"]
            is_unsure = "below_threshold" in answer[output]
            assert is_unsure == (columns[f"{output}_probability"] == 0)
            assert columns[f"{output}_probabilities_{label}"] == columns[f"{output}_probability"] <= 1
