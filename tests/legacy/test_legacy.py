"""Models trained with Ludwig 0.10.4 (`scripts/legacy_models.py`), exported and compared with its recorded answers."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from export.__main__ import main
from export.errors import ModelError, UnsupportedError
from export.legacy import CHANGED, LegacyNgramTokenizer, check_tokenizers
from export.model import find_model_folder
from export.unpickle import main as unpickle
from handler.bundle import read_bundle
from handler.predictor import Predictor
from handler.tokenizers import NgramTokenizer
from tests.handler.test_tokenizers import TEXTS

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(folder.name for folder in FIXTURES.iterdir())
BERT = "intent-bert"
PRETRAINED = "fixtures/tiny-bert"
TOLERANCE = 1e-4

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return copies of the fixtures whose pretrained model loads without the Hub."""
    folder = tmp_path_factory.mktemp("legacy") / "models"
    shutil.copytree(FIXTURES, folder)
    for path in (folder / BERT / "model").glob("*.json"):
        pretrained = json.dumps(str(folder / BERT / "tiny-bert"))
        path.write_text(path.read_text(encoding="utf-8").replace(json.dumps(PRETRAINED), pretrained), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bundles(models: Path) -> Path:
    """Return the bundles of all fixtures, exported on the command line."""
    folder = models.parent / "bundles"
    pairs = [str(path) for name in NAMES for path in (models / name, folder / name)]
    assert main([*pairs, "--allow-pickle"]) == 0
    return folder


def recorded(name: str) -> list[dict[str, Any]]:
    """Return rows and the answers of Ludwig 0.10.4."""
    lines = (FIXTURES / name / "answers.jsonl").read_text(encoding="utf-8").split("\n")
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
    # Its BERT tokenizer takes NUL for the end of the text: docs/legacy-models.md.
    return [row for row in rows if name != BERT or "\0" not in (row["values"]["text"] or "")]


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Compare an answer with a recorded one: equal labels and close numbers (relative if above one)."""
    for column, value in expected.items():
        if np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(found[column], value, rtol=TOLERANCE, atol=TOLERANCE)
        else:
            assert found[column] == value, column


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_is_rejected_without_the_flag(
    name: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(models / name), str(tmp_path / "bundle")]) == 1
    said = capsys.readouterr().err
    assert "are pickled (model_weights), and reading a pickle can run code" in said
    assert "--allow-pickle" in said
    assert "python -m export.unpickle" in said
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_passes(name: str, models: Path, bundles: Path) -> None:
    manifest = read_bundle(bundles / name)
    assert manifest.parity.passed
    assert manifest.provenance.ludwig_version == "0.10.4"


@pytest.mark.parametrize("name", NAMES)
def test_the_bundle_gives_the_old_ludwigs_answers(name: str, bundles: Path) -> None:
    predictor = Predictor(bundles / name)
    rows = recorded(name)
    assert len(rows) >= 40
    for row in rows:
        assert_same(predictor.predict([row["values"]])[0], row["answer"])


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_answers_differ_between_models(name: str) -> None:
    assert len({json.dumps(row["answer"]) for row in recorded(name)}) > 20
    column = f"{name.split('-')[0]}_predictions" if name != "mixed-punct" else "intent_predictions"
    assert len({json.dumps(row["answer"][column]) for row in recorded(name)}) >= 3


def test_unpickled_models_need_no_flag_and_give_the_same_answers(models: Path, bundles: Path, tmp_path: Path) -> None:
    pairs = []
    for name in NAMES:
        folder = tmp_path / "models" / name
        shutil.copytree(models / name / "model", folder)
        assert unpickle([str(folder)]) == 0
        (folder / "model_weights").unlink()
        pairs += [str(folder), str(tmp_path / "bundles" / name)]
    assert main(pairs) == 0
    for name in NAMES:
        one, other = (Predictor(parent / name) for parent in (bundles, tmp_path / "bundles"))
        rows = [row["values"] for row in recorded(name)]
        for found, expected in zip(one.predict(rows), other.predict(rows), strict=True):
            assert_same(found, expected)
        hashes = {predictor.manifest.provenance.model_sha256 for predictor in (one, other)}
        assert len(hashes) == 2


def test_files_without_weights_are_not_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    for name in ("model_hyperparameters.json", "training_set_metadata.json"):
        (tmp_path / name).write_text("{}")
    torch.save({"weights": Path("code")}, tmp_path / "model_weights")
    assert unpickle([str(tmp_path)]) == 1
    assert "does not contain plain weights" in capsys.readouterr().err
    torch.save([1, 2], tmp_path / "model_weights")
    assert unpickle([str(tmp_path)]) == 1
    assert "expected a dict of tensors" in capsys.readouterr().err
    assert not (tmp_path / "model_weights.safetensors").exists()


def test_a_large_language_model_is_rejected(tmp_path: Path) -> None:
    for name in ("model_hyperparameters.json", "training_set_metadata.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model_weights").mkdir()
    with pytest.raises(ModelError, match="is a folder, so the model is an LLM"):
        find_model_folder(tmp_path, allow_pickle=True)


def config(tokenizer: str, **more: str) -> dict[str, Any]:
    return {"input_features": [{"name": "text", "preprocessing": {"tokenizer": tokenizer}}], **more}


@pytest.mark.parametrize("tokenizer", CHANGED)
def test_tokenizers_that_changed_are_rejected(tokenizer: str) -> None:
    with pytest.raises(
        UnsupportedError, match=rf"'text' cannot be exported: its tokenizer '{tokenizer}' in Ludwig 0\.10"
    ):
        check_tokenizers(config(tokenizer, ludwig_version="0.10.4"))
    check_tokenizers(config(tokenizer, ludwig_version="0.11.0"))


def test_ngram_is_only_for_old_models() -> None:
    for version in ("0.10.4", "0.9.3", "0.10.dev"):
        check_tokenizers(config("ngram", ludwig_version=version))
    check_tokenizers(config("ngram"))
    with pytest.raises(UnsupportedError, match="a custom tokenizer that was registered where the model was trained"):
        check_tokenizers(config("ngram", ludwig_version="0.17.10"))


def test_ngram_is_registered_only_temporarily(bundles: Path) -> None:
    from ludwig.utils.tokenizers import tokenizer_registry

    assert "ngram" not in tokenizer_registry


@given(text=TEXTS)
def test_ngrams_match_the_handlers(text: str) -> None:
    assert LegacyNgramTokenizer(ngram_size=3)(text) == NgramTokenizer().split(text)
