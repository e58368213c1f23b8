"""An input with linear vectors needs a column of n-grams, and exactly one output, a category."""

from typing import Any

import pytest

from training.errors import ConfigError
from training.token_vectors import asking_feature


@pytest.mark.parametrize(
    ("column", "outputs", "message"),
    [
        ("text", ["category"], "needs a column of n-grams.*set for example `column: text.ngrams25`"),
        ("text+ngrams25", ["category", "sequence"], "needs exactly one output, a category"),
    ],
)
def test_features_that_cannot_have_linear_vectors_are_rejected(column: str, outputs: list[str], message: str) -> None:
    feature = {"name": "text", "type": "text", "column": column, "encoder": {"pretrained_embeddings": "linear"}}
    config: dict[str, Any] = {
        "input_features": [feature],
        "output_features": [{"name": str(index), "type": kind} for index, kind in enumerate(outputs)],
    }
    with pytest.raises(ConfigError, match=message):
        asking_feature(config)
