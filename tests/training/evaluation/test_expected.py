"""What a run stores about the answers to rows that it was not trained on."""

import random
from typing import Any

import msgspec
import pytest

from handler.drift import ExpectedSeries, index
from handler.thresholds import Expected
from training.evaluation.answers import Records
from training.evaluation.expected import expected_of

DRAW = random.Random(3)


def records(confidences: list[float], labels: list[str]) -> Records:
    return [
        {"intent_predictions": label, "intent_probability": round(confidence, 6)}
        for confidence, label in zip(confidences, labels, strict=True)
    ]


def sample(rows: int, shift: float = 0.0) -> Records:
    """Return rows of a good model: most confidences are close to 1."""
    confidences = [max(0.0, 1 - abs(DRAW.gauss(shift, 0.1))) for _ in range(rows)]
    return records(confidences, DRAW.choices(["a", "b"], [3, 1], k=rows))


def drift(expected: dict[str, Any], now: Records) -> tuple[float | None, float | None]:
    """Return the drift of labels and of confidences, as a service measures it."""
    reference = ExpectedSeries(["a", "b", "c"], msgspec.convert(expected, Expected))
    labels, bins = dict.fromkeys(reference.labels, 0), dict.fromkeys(reference.bins, 0)
    for row in now:
        labels[reference.group_of[row["intent_predictions"]]] += 1
        bins[reference.bin_of(row["intent_probability"])] += 1
    return (
        index(list(reference.labels.values()), list(labels.values())),
        index(list(reference.bins.values()), list(bins.values())),
    )


def test_the_bins_are_deciles_in_steps_of_a_hundredth() -> None:
    found = expected_of("intent", sample(2000))
    assert found["labels"].keys() == {"a", "b"}
    assert sum(found["labels"].values()) == sum(found["confidence"]) == 2000
    assert len(found["confidence"]) == 10
    # Up to a tenth of the rows is within a hundredth, and so on the other side of an edge.
    assert all(0 < count < 400 for count in found["confidence"])
    assert found["edges"] == [round(edge, 2) for edge in found["edges"]]


def test_one_and_almost_one_are_in_the_same_bin() -> None:
    expected = expected_of("intent", records([0.3] * 100 + [1.0] * 100, ["a"] * 200))
    assert expected["edges"] == [0.99]
    now = [{"intent_predictions": "a", "intent_probability": each} for each in [0.3] * 100 + [0.9999999] * 100]
    assert drift(expected, now) == (0.0, 0.0)


def test_a_sure_model_that_becomes_a_little_surer_does_not_drift() -> None:
    """The graph in int8, or the model that was trained on all rows, answers with 0.9995 in place of 0.999."""
    rows = [0.95] * 20 + [0.999 + number / 1e6 for number in range(180)]
    expected = expected_of("intent", records(rows, ["a"] * 200))
    now = records([0.951] * 20 + [0.9995 + number / 1e6 for number in range(180)], ["a"] * 200)
    assert drift(expected, now) == (0.0, 0.0)


@pytest.mark.parametrize("confidences", [[1.0] * 200, [0.5] * 100 + [1.0] * 100, [0.7]], ids=["one", "two", "one row"])
def test_equal_confidences_share_a_bin(confidences: list[float]) -> None:
    found = expected_of("intent", records(confidences, ["a"] * len(confidences)))
    assert msgspec.convert(found, Expected)
    assert all(found["confidence"])
    assert len(found["confidence"]) == len(set(confidences))


def test_the_same_rows_do_not_drift_and_less_confident_ones_do() -> None:
    expected = expected_of("intent", sample(1000))
    same, shifted = drift(expected, sample(500)), drift(expected, sample(500, shift=0.2))
    assert same[0] is not None
    assert same[1] is not None
    assert max(same[0], same[1]) < 0.05
    assert shifted[1] is not None
    assert shifted[1] > 0.25
