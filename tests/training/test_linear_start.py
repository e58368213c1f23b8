"""Decoders that are initialized as a linear model on the encoder's outputs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from export.ludwig_library import import_ludwig
from tests.training.tiny import tiny_config
from training.config import CONFIGS, read_config
from training.errors import ConfigError
from training.evaluation.predictions import predictions_of
from training.fit import fit
from training.linear_start import asking_outputs, fitted_layer, without_linear_start

LINEAR = {"type": "classifier", "weights_initializer": "linear"}
STEPS_OF_ALMOST_NOTHING = {"epochs": 1, "batch_size": 32, "learning_rate": 1e-9}


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [1, 3]])
def test_the_layer_answers_as_a_logistic_regression_on_features_as_they_are(labels: list[int]) -> None:
    rng = np.random.default_rng(0)
    classes = rng.choice(labels, 90)
    features = rng.normal(size=(90, 8)) * 5 + 100 + 30 * np.eye(8)[classes]
    weights, bias = fitted_layer(features, classes, 4)
    assert weights.shape == (4, 8)
    scores = features @ weights.T + bias
    assert (scores.argmax(axis=1) == classes).mean() > 0.9
    never = [label for label in range(4) if label not in labels]
    assert (scores[:, never].max(axis=1) < scores[:, labels].max(axis=1) - 5).all() if never else True


def test_two_classes_have_the_probabilities_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    classes = rng.integers(0, 2, 60)
    features = rng.normal(size=(60, 4)) + classes[:, None]
    weights, bias = fitted_layer(features, classes, 2, cost=10.0)
    scores = features @ weights.T + bias
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) * 2)
    expected = LogisticRegression(C=10.0).fit(scaled, classes).predict_proba(scaled)[:, 1]
    assert 1 / (1 + np.exp(scores[:, 0] - scores[:, 1])) == pytest.approx(expected, abs=1e-3)


def test_only_categories_start_as_a_linear_model() -> None:
    config = tiny_config(output_features=[{"name": "tags", "type": "sequence", "decoder": LINEAR}])
    with pytest.raises(ConfigError, match="'tags' has the type sequence"):
        asking_outputs(config)


def test_ludwig_does_not_see_the_initializer_that_it_does_not_know() -> None:
    config = tiny_config(output_features=[{"name": "intent", "type": "category", "decoder": LINEAR}])
    assert asking_outputs(config) == ["intent"]
    assert without_linear_start(config)["output_features"][0]["decoder"] == {"type": "classifier"}
    assert asking_outputs(config) == ["intent"], "the given configuration stays as it is"
    assert without_linear_start(tiny_config()) == tiny_config()


def test_the_built_in_configurations_of_minilm_start_so() -> None:
    found = {path.stem for path in CONFIGS.glob("*.yaml") if asking_outputs(read_config(path))}
    assert found == {"intent-minilm", "intent-minilm-frozen"}


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_takes_no_steps_answers_as_the_linear_model(tmp_path: Path) -> None:
    """Random embeddings of words tell these texts apart; a random layer on them does not."""
    words = [f"word{number}" for number in range(20)]
    rows = pd.DataFrame({"text": words * 6, "intent": words * 6, "split": [0] * 80 + [1] * 20 + [2] * 20})
    config = tiny_config(
        output_features=[{"name": "intent", "type": "category", "decoder": LINEAR}], trainer=STEPS_OF_ALMOST_NOTHING
    )
    started, usual = fit(config, rows, tmp_path / "linear"), fit(without_linear_start(config), rows, tmp_path / "usual")
    assert started.metrics["intent"]["accuracy"] == 1
    assert usual.metrics["intent"]["accuracy"] < 0.5
    record = json.loads((started.folder / "training.json").read_text(encoding="utf-8"))
    assert record["config"]["output_features"][0]["decoder"] == LINEAR
    model = import_ludwig().LudwigModel.load(str(started.folder / "model"), backend="local")
    assert predictions_of(model)(rows[["text"]].head(1))[0]["intent_predictions"] == "word0"
