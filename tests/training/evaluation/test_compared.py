"""A new run beside an earlier one: what changed, whether it may be chance, the pages that show it, without a model."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.training.evaluation.samples import evaluate_labels, evaluate_slots
from tests.training.evaluation.test_report import Resources
from training.__main__ import main
from training.evaluation.compared import chance
from training.evaluation.evaluate import compare_with_replaced

BEFORE = [
    ("book a flight", "fly", "fly", 0.9),
    ("hello", "greet", "leave", 0.6),
    ("bye <b>now</b>", "leave", "greet", 0.5),
    ("only before", "leave", "leave", 0.9),
]
NOW = [
    ("book a flight", "fly", "greet", 0.7),
    ("hello", "greet", "greet", 0.6),
    ("bye <b>now</b>", "leave", "leave", 0.5),
    ("only now", "leave", "leave", 0.9),
]


def page_of(path: Path) -> str:
    return " ".join(Resources(path.read_text(encoding="utf-8")).text.split())


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs without models, `old` and `new`."""
    for name, rows in (("old", BEFORE), ("new", NOW)):
        evaluate_labels(tmp_path / name / "evaluation", rows)
        record = {"rows": 40, "config": {"input_features": [{"name": "text", "encoder": {"type": "embed"}}]}}
        (tmp_path / name / "training.json").write_text(json.dumps(record))
    return tmp_path


def compared(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "evaluation" / "metrics.json").read_text())["compared"]
    return found


def test_the_rows_that_changed_are_found(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs / "new"), "--against", str(runs / "old")]) == 0
    found = compared(runs / "new")["outputs"]["intent"]
    assert (found["before"], found["now"], found["shared"]) == (0.5, 0.75, 3)
    assert (found["right_before"], found["right_now"]) == (1, 2)
    assert [row["text"] for row in found["fixed"]] == ["hello", "bye <b>now</b>"]
    assert found["broken"] == [{"text": "book a flight", "expected": "fly", "before": "fly", "now": "greet"}]
    assert {row["label"] for row in found["labels"]} == {"fly", "greet", "leave"}
    assert "2 became right and 1 became wrong." in capsys.readouterr().err


def test_the_page_shows_what_became_worse_first_and_says_what_may_be_chance(runs: Path) -> None:
    main(["report", str(runs / "new"), "--against", str(runs / "old")])
    text = page_of(runs / "new" / "evaluation" / "report.html")
    assert "Accuracy went from 50.0% to 75.0%" in text
    assert "100.0% of all cases, so this may be chance" in text
    assert text.index("Became wrong: 1") < text.index("Became right: 2")
    assert "bye <b>now</b> leave greet leave" in text


def test_a_corrected_label_counts_for_both_runs(runs: Path) -> None:
    corrected = [(text, "leave" if text == "hello" else label, answer, sure) for text, label, answer, sure in NOW]
    evaluate_labels(runs / "new" / "evaluation", corrected)
    main(["report", str(runs / "new"), "--against", str(runs / "old")])
    found = compared(runs / "new")["outputs"]["intent"]
    assert [row["text"] for row in found["broken"]] == ["book a flight", "hello"]


def test_a_run_is_compared_with_the_run_that_it_replaces(runs: Path) -> None:
    compare_with_replaced(runs / "new", runs / "old")
    assert compared(runs / "new")["model"] == "intent"
    compare_with_replaced(runs / "old", runs / "missing")
    assert "compared" not in json.loads((runs / "old" / "evaluation" / "metrics.json").read_text())


def test_slots_are_compared_by_whole_rows(tmp_path: Path) -> None:
    for name, answers in (("old", "O B-city O O"), ("new", "O B-city I-city B-date")):
        evaluate_slots(tmp_path / name, [("to New York tomorrow", "O B-city I-city B-date", answers), ("hi", "O", "O")])
    main(["report", str(tmp_path / "new"), "--against", str(tmp_path / "old")])
    text = page_of(tmp_path / "new" / "report.html")
    assert "Slot F1 went from 0.0% to 100.0%" in text
    assert "to New York tomorrow city New York date tomorrow city New city New York date tomorrow" in text


def test_evaluations_without_a_common_message_or_output_say_so(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_labels(tmp_path / "other", [("something else", "fly", "fly", 0.9)])
    assert main(["report", str(runs / "new"), "--against", str(tmp_path / "other")]) == 0
    assert "no message in common" in page_of(runs / "new" / "evaluation" / "report.html")
    evaluate_slots(tmp_path / "slots", [("to Rome", "O B-city", "O B-city")])
    capsys.readouterr()
    assert main(["report", str(runs / "new"), "--against", str(tmp_path / "slots")]) == 1
    assert "measures other outputs" in capsys.readouterr().err


@given(st.integers(0, 60), st.integers(0, 60))
def test_chance_is_the_exact_test_of_a_fair_coin(fixed: int, broken: int) -> None:
    expected = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert chance(fixed, broken) == pytest.approx(expected)


def test_the_index_lists_every_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", str(runs / "new"), "--against", str(runs / "old")])
    (runs / "notes").mkdir()
    evaluate_labels(runs / "bad" / "evaluation", NOW)
    (runs / "bad" / "evaluation" / "metrics.json").write_text("{")
    assert main(["report", str(runs)]) == 0
    error = capsys.readouterr().err
    assert "bad is not in the index: The evaluation in" in error
    assert f"Wrote {runs / 'index.html'}." in error
    found = Resources((runs / "index.html").read_text(encoding="utf-8"))
    text = " ".join(found.text.split())
    assert sorted(found.urls) == ["new/evaluation/report.html", "old/evaluation/report.html"]
    assert "embed 40 intent 75.0% accuracy +25.0" in text
    assert "embed 40 intent 50.0% accuracy –" in text


def test_a_folder_of_runs_has_no_single_earlier_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs), "--against", str(runs / "old")]) == 1
    assert "is a folder of runs" in capsys.readouterr().err
