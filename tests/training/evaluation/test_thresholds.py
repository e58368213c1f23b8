"""Thresholds, fitted to predictions whose best threshold is obvious."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.evaluation.samples import evaluate_labels
from training.evaluation.thresholds import Answered, ThresholdOptions, fit_thresholds, measure

Rows = list[tuple[str, str, float]]


def answered(rows: Rows, outside: Rows = ()) -> Answered:  # type: ignore[assignment]
    """Read rows of expected label, predicted label and confidence."""

    def records(given: Rows) -> list[dict[str, Any]]:
        names = ("intent", "intent_predictions", "intent_probability")
        return [dict(zip(names, row, strict=True)) for row in given]

    return Answered.read("intent", records(rows), records(list(outside)))


GOOD_ABOVE_HALF: Rows = [("a", "a", 0.9), ("b", "b", 0.8), ("a", "a", 0.6), ("b", "a", 0.4), ("a", "b", 0.3)]


def test_the_lowest_threshold_that_reaches_the_accuracy() -> None:
    assert fit_thresholds(answered(GOOD_ABOVE_HALF), ThresholdOptions(1.0))["default"] == 0.5
    assert fit_thresholds(answered(GOOD_ABOVE_HALF), ThresholdOptions(0.75))["default"] == pytest.approx(0.35)
    assert fit_thresholds(answered(GOOD_ABOVE_HALF), ThresholdOptions(0.6))["default"] == 0.0


def test_an_accuracy_that_no_threshold_reaches_is_reported() -> None:
    rows: Rows = [("a", "b", 0.9), ("a", "a", 0.8), ("b", "b", 0.7), ("a", "b", 0.2)]
    found = fit_thresholds(answered(rows), ThresholdOptions(0.99))
    assert found["fitted"]["reached"] is False
    assert found["default"] == pytest.approx(0.45)  # two of three are right: the highest accuracy possible


def test_out_of_scope_rows_are_separated() -> None:
    inside: Rows = [("a", "a", 0.9), ("b", "b", 0.8), ("a", "a", 0.7)]
    outside: Rows = [("oos", "a", 0.6), ("oos", "b", 0.3)]
    found = fit_thresholds(answered(inside, outside), ThresholdOptions(out_of_scope="oos"))
    assert found["default"] == pytest.approx(0.65)
    measured = measure(answered(inside, outside), found)
    assert measured == {
        "rows": 5,
        "answered": 3,
        "coverage": 1.0,
        "accuracy": 1.0,
        "out_of_scope": 2,
        "refused": 2,
    }


def test_answers_to_out_of_scope_rows_count_as_wrong() -> None:
    inside: Rows = [("a", "a", 0.9), ("b", "b", 0.5)]
    found = fit_thresholds(answered(inside, [("oos", "a", 0.7)]), ThresholdOptions(1.0, "oos"))
    assert found["default"] == 0.8


def test_a_label_with_enough_rows_has_its_own_threshold() -> None:
    rows: Rows = [("a", "a", 0.5 + place / 100) for place in range(10)]
    rows += [("b", "b", 0.9)] * 8 + [("x", "b", 0.8)] * 4 + [("c", "c", 0.95)] * 3 + [("x", "c", 0.4)]
    found = fit_thresholds(answered(rows), ThresholdOptions(0.9, per_label=True))
    assert found["default"] == pytest.approx(0.85)  # also the threshold of b; c has too few rows
    assert found["by_label"] == {"a": 0.5}  # right in every row
    assert fit_thresholds(answered(rows), ThresholdOptions(0.9))["by_label"] == {}


def test_correct_answers_remain_when_messages_out_of_scope_are_rejected() -> None:
    inside: Rows = [("a", "a", place / 100) for place in range(1, 101)]
    outside: Rows = [("oos", "a", 0.5)] * 10  # the best separation would give up half of the correct answers
    for options in (ThresholdOptions(out_of_scope="oos"), ThresholdOptions(kept=0.98)):
        found = fit_thresholds(answered(inside, outside if options.out_of_scope else []), options)
        assert (found["fitted"]["kept"], found["softness"]) == (0.98, 2.0)
        measured = measure(answered(inside), found)
        assert measured["answered"] == (100 if options.out_of_scope else 98)
    found = fit_thresholds(answered(inside, outside), ThresholdOptions(out_of_scope="oos", kept=0.4))
    assert found["default"] == pytest.approx(0.505)


def test_few_rows_out_of_scope_are_rejected_although_the_accuracy_is_reached_without() -> None:
    """One message out of scope in a hundred hardly changes the accuracy of the answers."""
    inside: Rows = [("a", "a", 0.9)] * 99
    outside: Rows = [("oos", "a", 0.6)]
    for options, expected in ((ThresholdOptions(0.9), 0.0), (ThresholdOptions(0.9, "oos"), 0.75)):
        assert fit_thresholds(answered(inside, outside), options)["default"] == expected


def test_softened_confidences_are_compared_if_messages_out_of_scope_are_rejected() -> None:
    record = {"intent": "a", "intent_predictions": "a", "intent_probability": 0.9, "intent_softened": 0.7}
    for softness, expected in ((1.0, 0.9), (2.0, 0.7)):
        assert Answered.read("intent", [record], [], softness).confidence.tolist() == [expected]
    assert ThresholdOptions(0.9).softness == 1.0
    assert ThresholdOptions(0.9, "oos").softness == ThresholdOptions(kept=0.9).softness == 2.0


def test_a_label_of_messages_out_of_scope_is_never_answered() -> None:
    rows = [("a", "a", 0.6), ("a", "oos", 0.99), ("b", "b", 0.5)]
    records = [{"intent": right, "intent_predictions": label, "intent_softened": sure} for right, label, sure in rows]
    found = Answered.read("intent", records, [], 2.0, ["oos"])
    fitted = fit_thresholds(found, ThresholdOptions(0.5, "oos"), ["oos"])
    assert (fitted["default"], fitted["rejected"]) == (0.0, ["oos"])
    assert measure(found, fitted)["answered"] == 2


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.integers(0, 100).map(lambda part: part / 100)),
        min_size=1,
    ),
    accuracy=st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_a_reached_accuracy_holds_on_the_same_rows(rows: Rows, accuracy: float) -> None:
    found = fit_thresholds(answered(rows), ThresholdOptions(accuracy))
    measured = measure(answered(rows), found)
    assert measured["answered"] > 0
    assert not found["fitted"]["reached"] or measured["accuracy"] >= accuracy


def test_a_report_measures_thresholds_on_its_own_rows(tmp_path: Path) -> None:
    rows = [("one", "a", "a", 0.9), ("two", "b", "a", 0.4)]
    thresholds = {
        "intent": {
            **fit_thresholds(answered([("a", "a", 0.8), ("b", "a", 0.6)]), ThresholdOptions(1.0)),
            "measured": {},
        }
    }
    metrics = evaluate_labels(tmp_path, rows, thresholds=thresholds, outside=[("huh", "oos", "a", 0.5)])
    test = metrics["thresholds"]["intent"]["measured"]["test"]
    assert (test["coverage"], test["accuracy"], test["out_of_scope"], test["refused"]) == (0.5, 1.0, 1, 1)
    refused = {point["threshold"]: point["refused"] for point in metrics["outputs"]["intent"]["coverage"]}
    assert (refused[0.5], refused[0.52]) == (0.0, 1.0)
