"""Ten minutes of review make the next model better on rows that neither model has seen."""

from pathlib import Path

import pytest

from benchmarks.review import DECISION_SECONDS, measure

MINUTES = 10
WORTH = 0.1
"""The least gain in accuracy. Three seeds gained about twice as much."""


@pytest.mark.ludwig
def test_ten_minutes_of_review_improve_the_next_model(tmp_path: Path) -> None:
    budget = MINUTES * 60 // DECISION_SECONDS
    found = measure(tmp_path, rows_per_intent=4, decisions=budget, seed=0)
    assert found.decisions == budget
    assert found.captured > found.labeled > budget
    assert found.after > found.before + WORTH
