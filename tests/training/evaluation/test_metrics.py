"""The metrics of an evaluation, compared with values computed by hand."""

from pathlib import Path

import pytest

from tests.training.evaluation.samples import evaluate_decoded, evaluate_labels, evaluate_slots
from training.evaluation.evaluate import read_evaluation

ROWS = [
    ("a", "fly", "fly", 0.95),
    ("b", "fly", "fly", 0.85),
    ("c", "fly", "stay", 0.55),
    ("d", "stay", "stay", 0.65),
    ("e", "greet", "stay", 0.35),
]


def test_labels_are_counted(tmp_path: Path) -> None:
    found = evaluate_labels(tmp_path, ROWS)["outputs"]["intent"]
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["labels"]["fly"] == {
        "rows": 3,
        "predicted": 2,
        "right": 2,
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
    }
    assert found["labels"]["stay"]["precision"] == pytest.approx(1 / 3)
    assert found["labels"]["greet"]["f1"] == 0.0
    assert found["macro_f1"] == pytest.approx((0.8 + 0.5 + 0.0) / 3)
    assert found["confusions"] == [
        {"expected": "fly", "predicted": "stay", "rows": 1},
        {"expected": "greet", "predicted": "stay", "rows": 1},
    ]


def test_calibration_is_the_mean_gap_between_confidence_and_accuracy(tmp_path: Path) -> None:
    calibration = evaluate_labels(tmp_path, ROWS)["outputs"]["intent"]["calibration"]
    assert calibration["error"] == pytest.approx((0.05 + 0.15 + 0.55 + 0.35 + 0.35) / 5)
    assert [(found["from"], found["rows"], found["accuracy"]) for found in calibration["bins"]] == [
        (0.3, 1, 0.0),
        (0.5, 1, 0.0),
        (0.6, 1, 1.0),
        (0.8, 1, 1.0),
        (0.9, 1, 1.0),
    ]
    sure = evaluate_labels(tmp_path, [(text, label, label, 1.0) for text, label, _, _ in ROWS])
    assert sure["outputs"]["intent"]["calibration"]["error"] == 0.0


def test_coverage_falls_and_accuracy_rises_with_the_threshold(tmp_path: Path) -> None:
    curve = {
        point["threshold"]: (point["coverage"], point["accuracy"])
        for point in evaluate_labels(tmp_path, ROWS)["outputs"]["intent"]["coverage"]
    }
    assert curve[0.0] == (1.0, pytest.approx(0.6))
    assert curve[0.6] == (pytest.approx(0.6), 1.0)
    assert curve[1.0] == (0.0, None)


def test_labels_unknown_to_the_model_are_counted_separately(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate_labels(tmp_path, ROWS, known=["fly", "stay"])["outputs"]["intent"]
    assert found["unanswerable"] == 1
    assert "1 of 5 rows have a label in 'intent' that the model was not trained on." in capsys.readouterr().err


def test_slots_are_scored_as_whole_spans_and_by_entity(tmp_path: Path) -> None:
    rows = [
        ("to New York tomorrow", "O B-city I-city B-date", "O B-city I-city B-date"),
        ("to New York", "O B-city I-city", "O B-city O"),
        ("hello", "O", "O"),
        ("next week", "B-date I-date", "O O"),
    ]
    found = evaluate_slots(tmp_path, rows)["outputs"]["slots"]
    assert found["entities"]["city"] == {"rows": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert found["entities"]["date"]["recall"] == 0.5
    assert (found["precision"], found["recall"]) == (pytest.approx(2 / 3), 0.5)
    assert found["right_rows"] == 2
    assert found["word_accuracy"] == pytest.approx(7 / 10)


def test_rows_without_slots_do_not_fail(tmp_path: Path) -> None:
    found = evaluate_slots(tmp_path, [("hello there", "O O", "O O")])["outputs"]["slots"]
    assert (found["entities"], found["f1"], found["right_rows"]) == ({}, 0.0, 1)


def test_words_beyond_the_model_length_count_as_outside(tmp_path: Path) -> None:
    """The prediction is shorter than the text: the model truncates its last words."""
    rows = [("to Paris or to London", "O B-city O O B-city", "O B-city")]
    found = evaluate_slots(tmp_path, rows, padding=[])["outputs"]["slots"]
    _, records = read_evaluation(tmp_path)
    assert records[0]["slots_predictions"] == "O B-city O O O"
    assert found["recall"] == 0.5


def test_slots_are_scored_after_decoding(tmp_path: Path) -> None:
    rows = [
        ("New York City", "B-city I-city I-city", [[0.0, 9.0, 0.0], [1.0, 0.0, 0.9], [0.0, 0.0, 9.0]]),
        ("Paris now", "B-city O", [[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]]),
    ]
    found = evaluate_decoded(tmp_path, rows)["outputs"]["slots"]
    _, records = read_evaluation(tmp_path)
    assert [record["slots_argmax"] for record in records] == ["B-city O I-city", "B-city O"]
    assert [record["slots_predictions"] for record in records] == ["B-city I-city I-city", "B-city O"]
    assert (found["f1"], found["argmax_f1"]) == (1.0, 0.4)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "without Viterbi decoding it would be\n40.0%</div>" in report


def test_predictions_are_stored_next_to_expected_labels(tmp_path: Path) -> None:
    metrics = evaluate_labels(tmp_path, ROWS)
    again, records = read_evaluation(tmp_path)
    assert again == metrics
    assert records[2] == {
        "text": "c",
        "intent": "fly",
        "intent_predictions": "stay",
        "intent_probability": 0.55,
        "intent_softened": 0.525063,  # sqrt(0.55) / (sqrt(0.55) + sqrt(0.45))
    }
