"""The bundles that the repository ships, proven again beside what Ludwig answered when they were made."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from handler.predictor import Predictor, load_predictors

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BUNDLES, ANSWERS = EXAMPLES / "bundles", EXAMPLES / "answers"
MODELS = ("intent", "language", "slots")
TOLERANCE = 1e-4
MAX_BYTES = 2_000_000


def recorded(model: str) -> list[dict[str, Any]]:
    """Return the rows that Ludwig was asked, with its answers."""
    lines = (ANSWERS / f"{model}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line) for line in lines]


@pytest.mark.parametrize("model", MODELS)
def test_a_shipped_bundle_answers_as_ludwig_did(model: str) -> None:
    predictor = Predictor(BUNDLES / model)
    rows = recorded(model)
    assert len(rows) > 150
    for row in rows:
        found = predictor.predict([row["values"]])[0]
        for column, expected in row["answer"].items():
            if column.endswith("_predictions"):
                assert found[column] == expected, row["row"]
            else:
                assert np.abs(np.subtract(found[column], expected)).max() <= TOLERANCE, row["row"]


def test_shipped_bundles_are_small_certified_and_licensed() -> None:
    predictors = load_predictors([BUNDLES])
    assert set(predictors) == set(MODELS)
    for predictor in predictors.values():
        assert predictor.manifest.parity.passed
        assert predictor.manifest.provenance.license == "Apache-2.0"
    assert sum(path.stat().st_size for path in BUNDLES.rglob("*") if path.is_file()) <= MAX_BYTES


def test_shipped_models_understand_what_the_readme_asks() -> None:
    text = "book me a flight to New York next friday morning"
    answers = {name: predictor.predict([{"text": text}])[0] for name, predictor in load_predictors([BUNDLES]).items()}
    assert answers["intent"]["intent_predictions"] == "book_flight"
    assert answers["language"]["language_predictions"] == "en"
    assert "B-destination" in answers["slots"]["slots_predictions"]
