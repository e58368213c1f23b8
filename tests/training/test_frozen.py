"""Models trained on cached encoder outputs get their encoder back."""

import json
from collections.abc import Callable

import pytest

from export.ludwig_library import import_ludwig
from tests.trained import Exported, Run, demo_rows
from training.evaluation.predictions import predictions_of

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]
KIND = "intent-minilm-frozen"


def test_a_frozen_model_answers_texts_and_is_proven(
    trained: Callable[[str], Run], exported: Callable[[str], Exported]
) -> None:
    folder = trained(KIND).fitted.folder / "model"
    config = json.loads((folder / "model_hyperparameters.json").read_text())
    assert config["input_features"][0]["preprocessing"]["cache_encoder_embeddings"] is False
    model = import_ludwig().LudwigModel.load(str(folder), backend="local")
    answers = predictions_of(model)(demo_rows(5)[["text"]])
    assert len({answer["intent_probability"] for answer in answers}) == 5
    assert exported(KIND).manifest.parity.passed
