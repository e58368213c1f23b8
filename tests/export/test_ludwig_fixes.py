"""Models that Ludwig saves but cannot load are fixed, and answer as they did before they were saved."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.ludwig_fixes import HYPERPARAMETERS, readable_folder
from export.ludwig_library import import_ludwig, on_cpu
from export.model import load_model
from tests.zoo.dataset import dataset
from tests.zoo.models import CHOICES


def test_a_folder_that_needs_no_fix_is_used_directly(tmp_path: Path) -> None:
    config = {"input_features": [{"name": "text", "encoder": {"type": "rnn", "pretrained_embeddings": None}}]}
    with readable_folder(tmp_path, config) as folder:
        assert folder == tmp_path


def test_the_original_folder_is_not_changed(tmp_path: Path) -> None:
    stored = {"input_features": [{"name": "text", "encoder": {"type": "mamba2", "pretrained_embeddings": None}}]}
    (tmp_path / HYPERPARAMETERS).write_text(json.dumps(stored))
    (tmp_path / "model_weights.safetensors").write_text("weights")
    with readable_folder(tmp_path, stored) as folder:
        mended = json.loads((folder / HYPERPARAMETERS).read_text())
        assert (folder / "model_weights.safetensors").read_text() == "weights"
    assert mended["input_features"][0]["encoder"]["pretrained_embeddings"] == ""
    assert json.loads((tmp_path / HYPERPARAMETERS).read_text()) == stored
    assert not folder.exists()


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encoder", ["mamba2", "tf_idf"])
def test_a_fixed_model_answers_as_it_did_after_training(encoder: str, tmp_path: Path) -> None:
    model = import_ludwig().LudwigModel(CHOICES["encoder"][encoder], backend="local")
    with on_cpu():
        results = model.train(dataset=dataset(), output_directory=str(tmp_path), skip_save_processed_input=True)
        trained, _ = model.predict(dataset(), skip_save_predictions=True)
    loaded = load_model(Path(results.output_directory)).predict(dataset())
    for before, after in zip(trained.to_dict("records"), loaded, strict=True):
        np.testing.assert_array_equal(before["intent_probabilities"], after["intent_probabilities"])
