"""The scores of trials."""

import math
from typing import Any

import pytest

from training.search.scoring import right, score, trimmed
from training.search.section import Section

LABELS = [
    {"text": "a secret", "intent": "x", "intent_predictions": "x", "intent_logs": [-0.1, -2.4], "intent_index": 0},
    {"text": "b secret", "intent": "y", "intent_predictions": "x", "intent_logs": [-0.2, -1.7], "intent_index": 1},
    {"text": "c secret", "intent": "z", "intent_predictions": "x", "intent_logs": [-0.3, -1.4], "intent_index": None},
]
SLOTS = [
    {"slots": "B-city I-city O", "slots_predictions": "B-city I-city O"},
    {"slots": "B-city I-city O", "slots_predictions": "B-city O O"},
    {"slots": "O", "slots_predictions": "O"},
]


def section(output: str, metric: str) -> Section:
    return Section(output, metric, "minimize" if metric == "loss" else "maximize", ())


@pytest.mark.parametrize(
    ("output", "metric", "records", "expected"),
    [
        ("intent", "accuracy", LABELS, 1 / 3),
        ("intent", "loss", LABELS, (0.1 + 1.7 - math.log(1e-30)) / 3),
        ("slots", "f1", SLOTS, 0.5),
        ("slots", "token_accuracy", SLOTS, 6 / 7),
    ],
)
def test_scores(output: str, metric: str, records: list[dict[str, Any]], expected: float) -> None:
    kept = trimmed(section(output, metric), records)
    assert score(section(output, metric), kept) == pytest.approx(expected)
    assert "secret" not in str(kept)


def test_right_answers() -> None:
    assert right(section("intent", "accuracy"), LABELS) == "100"
    assert right(section("slots", "f1"), SLOTS) == "101"
