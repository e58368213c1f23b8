"""Load and run single bundles and folders of bundles."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest

from handler.bundle import MANIFEST, describe_file
from handler.errors import BundleError, RequestError
from handler.graph import CHUNK_ROWS
from handler.predictor import Predictor, load_predictors
from handler.text import TextInput
from handler.tokenizers import CharactersTokenizer
from tests.bundles import INTENT, TAGGER, Head, edit_manifest, write_bundle, write_subword_bundle


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Replace a bundle's file, and its hash in the manifest."""
    (folder / name).write_bytes(content)
    files: dict[str, Any] = msgspec.json.decode((folder / MANIFEST).read_bytes())["files"]
    edit_manifest(folder, files={**files, name: msgspec.to_builtins(describe_file(folder / name))})


def test_rows_are_answered_with_ludwigs_columns(bundles: Path) -> None:
    fly, hotel = Predictor(bundles / "intent").predict([{"text": "fly to Paris"}, {"text": "a hotel", "more": 1}])
    assert fly["intent_predictions"] == "book_flight"
    assert hotel["intent_predictions"] == "book_hotel"
    assert fly["intent_probability"] == fly["intent_probabilities_book_flight"] > 0.9
    assert sum(fly["intent_probabilities"]) == pytest.approx(1, abs=1e-6)


def test_a_batch_has_the_answers_of_its_rows(bundles: Path) -> None:
    slots = Predictor(bundles / "slots")
    rows = [{"text": text} for text in ("fly to New York", "", "Paris tomorrow", "x " * 40)]
    assert slots.predict(rows) == [slots.predict([row])[0] for row in rows]


def test_no_rows_give_no_answers(bundles: Path) -> None:
    assert Predictor(bundles / "intent").predict([]) == []


def test_a_row_without_the_column_is_refused(bundles: Path) -> None:
    with pytest.raises(RequestError, match="Model 'intent' needs the field 'text', which is missing"):
        Predictor(bundles / "intent").predict([{"text": "hello"}, {"utterance": "hello"}])


def test_outputs_of_one_graph_are_separate(tmp_path: Path) -> None:
    (answer,) = Predictor(write_bundle(tmp_path / "nlu", INTENT, TAGGER, name="nlu")).answers([{"text": "fly"}])
    outputs = answer.outputs
    assert list(outputs) == ["intent", "slots"]
    assert outputs["intent"]["intent_predictions"] == "book_flight"
    assert outputs["slots"]["slots_predictions"][1] == "O"


def test_characters_can_be_tokens(tmp_path: Path) -> None:
    letters = Head(name="script", kind="category", words={"é": "latin", "م": "arabic"})
    folder = write_bundle(tmp_path / "script", letters, tokenizer=CharactersTokenizer(), lowercase=True)
    rows = Predictor(folder).predict([{"text": "xÉx"}, {"text": "xم"}])
    assert [row["script_predictions"] for row in rows] == ["latin", "arabic"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", b"no graph", r"model\.onnx is not an ONNX graph: .* Export the model again"),
        ("model.onnx", b"", r"model\.onnx is not an ONNX graph: .* Export the model again"),
        ("model.onnx", b"\x08\x09", r"onnxruntime cannot load .*model\.onnx: .* Export the model again"),
        ("vocabulary.json", b'{"a": 1}', "cannot be used: .* Export the model again"),
        ("vocabulary.json", b"no JSON", "cannot be used: .* Export the model again"),
        ("vocabulary.json", b"\xff", "cannot be used: .* Export the model again"),
        ("vocabulary.json", b'["fly"]', "a special symbol of input 'text' is outside its vocabulary"),
    ],
    ids=["graph", "empty graph", "no graph in it", "object", "no JSON", "no UTF-8", "too short"],
)
def test_an_invalid_file_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = write_bundle(tmp_path / "intent", INTENT)
    rewrite(folder, name, content)
    with pytest.raises(BundleError, match=message):
        Predictor(folder)


def test_an_invalid_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = write_subword_bundle(tmp_path / "slots")
    rewrite(folder, "tokenizer.json", b"{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a Hugging Face tokenizer"):
        Predictor(folder)


def test_every_bundle_in_a_folder_is_loaded(bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    shutil.copytree(bundles / "intent", tmp_path / "intent")
    write_bundle(tmp_path / "x" / "deep", TAGGER)
    assert list(load_predictors([bundles])) == ["intent", "language", "slots"]
    assert list(load_predictors([bundles / "slots", tmp_path])) == ["slots", "intent"]


@pytest.mark.parametrize("place", ["nowhere", "file", "empty"])
def test_a_folder_without_bundles_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=rf"No bundle in .*{place}: .* `ludwig-serverless export MODEL_DIR"):
        load_predictors([tmp_path / place])


def test_two_bundles_with_one_name_are_refused(bundles: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "other", TAGGER, name="intent")
    with pytest.raises(BundleError, match=r"Two bundles are named 'intent'; one of them is .*other\. .*--name"):
        load_predictors([bundles, tmp_path])


def rename_output(model: onnx.ModelProto) -> None:
    """Rename an output in the graph but not in the manifest."""
    model.graph.output[0].name = model.graph.node[-1].output[0] = "renamed"


def rename_input(model: onnx.ModelProto) -> None:
    """Rename an input in the graph but not in the manifest."""
    model.graph.input[0].name = model.graph.node[0].input[1] = "renamed"


@pytest.mark.parametrize("change", [rename_output, rename_input])
def test_a_graph_that_differs_from_the_manifest_is_refused_at_startup(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None]
) -> None:
    folder = write_bundle(tmp_path / "intent", INTENT)
    model = onnx.load(str(folder / "model.onnx"))
    change(model)
    rewrite(folder, "model.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match="renamed"):
        Predictor(folder)


@pytest.mark.parametrize("large_bytes", [1, 10_000_000])
def test_a_large_batch_is_split_without_changing_the_answers(
    bundles: Path, large_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handler.graph.LARGE_GRAPH_BYTES", large_bytes)
    predictor = Predictor(bundles / "slots")
    rows = [{"text": f"fly to Paris {number}"} for number in range(2 * CHUNK_ROWS + 3)]
    alone = [predictor.predict([row])[0] for row in rows]
    for one, together in zip(alone, predictor.predict(rows), strict=True):
        assert one["slots_predictions"] == together["slots_predictions"]
        assert one["slots_probabilities"] == pytest.approx(together["slots_probabilities"], abs=1e-6)


@pytest.mark.parametrize("answer", ["predict", "answers"])
def test_texts_of_similar_lengths_run_together(bundles: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(bundles / "intent")
    (text,) = predictor.manifest.inputs
    assert isinstance(text, TextInput)
    run, lengths = predictor._graph.run, []

    def recorded(inputs: Any) -> Any:
        (ids,) = inputs.values()
        lengths.append(text.lengths(ids))
        return run(inputs)

    rows = [{"text": f"fly {'to ' * (number * 7 % 9)}Paris"} for number in range(2 * CHUNK_ROWS + 3)]
    ask = getattr(predictor, answer)
    alone = [ask([row])[0] for row in rows]
    monkeypatch.setattr(predictor._graph, "run", recorded)
    together = ask(rows)
    assert [len(chunk) for chunk in lengths] == [CHUNK_ROWS, CHUNK_ROWS, 3]
    flat = [length for chunk in lengths for length in chunk]
    assert flat == sorted(flat)
    assert len(set(flat)) == 9
    columns = [each if answer == "predict" else each.outputs["intent"] for each in together]
    for one, other in zip(alone, columns, strict=True):
        expected = one if answer == "predict" else one.outputs["intent"]
        assert other["intent_probabilities"] == pytest.approx(expected["intent_probabilities"], abs=1e-6)
