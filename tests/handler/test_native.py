"""Panics of Rust libraries: an error when a bundle is loaded, and a failed model when it is asked."""

import json
from pathlib import Path

import msgspec
import pytest

from handler.bundle import describe_file
from handler.errors import BundleError
from handler.hexabot import Service
from handler.native import PanicError, panics_as_errors
from handler.predictor import load_predictors
from handler.settings import Settings
from handler.tokenizers import PiecesTokenizer, SubwordTokenizer
from tests.bundles import INTENT, LANGUAGE, WORD_PIECES, edit_manifest, word_piece, write_bundle, write_subword_bundle

PANICS: dict[str, dict[str, object]] = {
    "no such special token": {
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}],
            "pair": [],
            "special_tokens": {},
        }
    },
    "pieces of no length": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "a table that points outside": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="}},
}
"""Parts of a `tokenizer.json` that panic while a text is read."""

UNREADABLE: dict[str, object] = {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}
"""A part that panics while the file is read."""


def write_hostile(path: Path, changes: dict[str, object]) -> None:
    path.write_text(json.dumps({**json.loads(word_piece(WORD_PIECES).to_str()), **changes}))


def hostile_bundle(folder: Path, changes: dict[str, object]) -> Path:
    """Write a tagger with a tokenizer that panics and a valid manifest."""
    write_subword_bundle(folder)
    write_hostile(folder / "tokenizer.json", changes)
    files = {name: msgspec.to_builtins(describe_file(folder / name)) for name in ("model.onnx", "tokenizer.json")}
    edit_manifest(folder, files=files)
    return folder


@pytest.mark.parametrize("tokenizer", [SubwordTokenizer, PiecesTokenizer])
def test_a_panic_while_a_tokenizer_is_loaded_is_an_error(
    tokenizer: type[SubwordTokenizer | PiecesTokenizer], tmp_path: Path
) -> None:
    write_hostile(tmp_path / "tokenizer.json", UNREADABLE)
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a Hugging Face tokenizer: Precompiled"):
        tokenizer(file="tokenizer.json").load(tmp_path)


@pytest.mark.parametrize("changes", PANICS.values(), ids=PANICS)
def test_a_panic_while_a_text_is_encoded_is_an_error(changes: dict[str, object], tmp_path: Path) -> None:
    write_hostile(tmp_path / "tokenizer.json", changes)
    subwords = SubwordTokenizer(file="tokenizer.json").load(tmp_path)
    for _ in range(2):
        with pytest.raises(PanicError):
            subwords.encode("fly to paris")


def test_an_invalid_tokenizer_is_reported_with_its_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"slots cannot be used: tokenizer\.json is not a .* Export the model"):
        load_predictors([hostile_bundle(tmp_path / "slots", UNREADABLE)])


@pytest.mark.parametrize("changes", PANICS.values(), ids=PANICS)
def test_a_panic_does_not_affect_the_other_models(changes: dict[str, object], tmp_path: Path) -> None:
    folders = [write_bundle(tmp_path / head.name, head) for head in (INTENT, LANGUAGE)]
    folders.append(hostile_bundle(tmp_path / "slots", changes))
    service = Service(load_predictors(folders), Settings(bundles=("x",), open=True))
    outcome = service.predict({"text": "fly to paris"})
    assert outcome.failed == ["slots"]
    assert outcome.answer["intent"]["predictions"]["intent_predictions"] == "book_flight"
    assert outcome.answer["language"]["predictions"]["language_predictions"] == "en"
    assert outcome.answer["slots"]["fallback"] is True
    table = service.batch_predict({"dataset": {"columns": ["text"], "data": [["fly to paris"]]}})
    assert (table.failed, table.answer["intent"]["status"]) == (["slots"], "success")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
def test_only_panics_are_converted(kind: type[BaseException]) -> None:
    with pytest.raises(kind), panics_as_errors():
        raise kind
