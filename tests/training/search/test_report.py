"""The report of a search, and its place in the index."""

import json
from pathlib import Path

import pytest

from tests.training.evaluation.test_report import Resources
from training.__main__ import main
from training.search.report import write_search_report
from training.search.results import Results, TrialResult

RATE, KIND = "trainer.learning_rate", "text.encoder.type"


def results(goal: str = "maximize", metric: str = "accuracy") -> Results:
    found = Results({}, "intent", metric, goal, rows=100, folds=2)
    found.add(TrialResult(2, {RATE: 0.5, KIND: "rnn"}, "pruned", 0.4, [0.4], 3.0, "0" * 50))
    found.add(TrialResult(1, {RATE: 0.02, KIND: "embed"}, "complete", 0.9, [0.8, 0.9], 6.0, "1" * 90 + "0" * 10))
    found.add(TrialResult(3, {RATE: 0.1, KIND: "<b>"}, "failed", None, [], 0.5, "", "ConfigError: <script> & more"))
    found.add(TrialResult(0, {RATE: "auto"}, "complete", 0.7, [0.7, 0.7], 6.0, "1" * 70 + "0" * 30))
    return found


def text_of(page: Path) -> str:
    return " ".join(Resources(page.read_text(encoding="utf-8")).text.split())


def test_the_report_shows_every_trial(tmp_path: Path) -> None:
    page = write_search_report(tmp_path, results())
    found = Resources(page.read_text(encoding="utf-8"))
    text = " ".join(found.text.split())
    assert [url.partition(",")[0] for url in found.urls] == ["data:image/png;base64"]
    assert "script" not in found.tags
    assert "4 trials in 0.3 minutes of training: 2 complete, 1 stopped early, 1 failed" in text
    assert "90.0% accuracy of intent, best trial (number 1) 70.0% accuracy of the configuration as it is" in text
    rows = (
        "1 90.0% +20.0 0.02 embed 6.0 complete",
        "0 70.0% – auto 6.0 complete",
        "2 40.0% – 0.5 rnn 3.0 pruned",
        "3 – – 0.1 <b> 0.5 failed: ConfigError: <script> & more",
    )
    assert " ".join(rows) in text
    assert "Chance alone would rarely make such a difference between two models (0.0%)" in text


def test_a_loss_is_better_the_smaller_it_is(tmp_path: Path) -> None:
    found = results("minimize", "loss")
    assert [trial.number for trial in found.ranked] == [0, 1, 2, 3]
    text = text_of(write_search_report(tmp_path, found))
    assert "0.7000 loss of intent, best trial (the configuration as it is)" in text
    assert "No trial is better than the configuration as it is." in text
    assert "1 0.9000 +0.2000 0.02 embed" in text


def test_a_search_without_a_complete_trial_has_a_report(tmp_path: Path) -> None:
    found = Results({}, "intent", "accuracy", "maximize", rows=10, folds=5)
    assert "No trial is complete." in text_of(write_search_report(tmp_path, found))


def test_a_difference_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    found = results()
    found.trials[1].right = "1" * 71 + "0" * 29
    assert "The difference may be chance: two equally good models would differ this much in 100.0%" in text_of(
        write_search_report(tmp_path, found)
    )


def test_report_redraws_a_search_and_lists_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        results().write(tmp_path / name)
    (tmp_path / "second" / "trials.json").write_text('{"trials": 3}')
    assert main(["report", str(tmp_path / "first")]) == 0
    assert f"Wrote {tmp_path / 'first' / 'report.html'}." in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 0
    assert "second is not in the index" in capsys.readouterr().err
    index = Resources((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert index.urls == ["first/report.html"]
    assert "first intent 4 trial 1 90.0% accuracy 70.0%" in " ".join(index.text.split())
    assert main(["report", str(tmp_path / "first"), "--against", str(tmp_path)]) == 1
    assert "is a search, which cannot be compared: remove --against." in capsys.readouterr().err
    assert main(["report", str(tmp_path / "second")]) == 1
    assert "trials.json is not readable as the trials of a search" in capsys.readouterr().err


def test_a_trial_keeps_its_fields(tmp_path: Path) -> None:
    results().write(tmp_path)
    stored = json.loads((tmp_path / "trials.json").read_text(encoding="utf-8"))
    assert [trial["number"] for trial in stored["trials"]] == [0, 1, 2, 3]
    assert stored["trials"][1] == {
        "number": 1,
        "parameters": {RATE: 0.02, KIND: "embed"},
        "state": "complete",
        "score": 0.9,
        "scores": [0.8, 0.9],
        "seconds": 6.0,
        "right": "1" * 90 + "0" * 10,
        "error": "",
    }
