"""The report: one self-contained file, for any labels, without a model."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.trained import ROOT
from tests.training.evaluation.samples import evaluate_labels, evaluate_slots
from training.__main__ import main

MANY = [f"intent_{number:03d}_with_quite_a_long_name_indeed" for number in range(150)]
AWKWARD = ["حجز رحلة", "预订航班", "$x_1$", "<script>alert(1)</script>", "a\nb", "", "🎉", "vol & hôtel", "-"]


def rows_of(labels: list[str]) -> list[tuple[str, str, str, float]]:
    """Return two rows for each label: one correct, one predicted as the next label."""
    pairs = zip(labels, [*labels[1:], labels[0]], strict=True)
    return [
        row
        for number, (label, other) in enumerate(pairs)
        for row in ((f"yes {number}", label, label, 0.9), (f"no {number}", label, other, 0.6))
    ]


class Resources(HTMLParser):
    """Collects the URLs, elements and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.urls += [value or "" for name, value in attributes if name in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.mark.parametrize("labels", [["yes", "no"], MANY, AWKWARD], ids=["two", "many", "awkward"])
def test_plots_are_drawn_for_any_labels(labels: list[str], tmp_path: Path) -> None:
    evaluate_labels(tmp_path, rows_of(labels))
    pictures = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert pictures == [f"1-{kind}.png" for kind in ("confusion", "coverage", "labels", "learning", "reliability")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "plots").iterdir())


def test_the_page_is_self_contained(tmp_path: Path) -> None:
    evaluate_labels(tmp_path, rows_of(AWKWARD))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Resources(page)
    assert len(found.urls) == 5
    assert all(url.startswith("data:image/png;base64,") for url in found.urls)
    assert not {"script", "link", "iframe"} & set(found.tags)
    assert not re.search(r"url\(|@import|https?://", page)
    assert "<script>alert(1)</script>" in found.text  # as text, not as an element


def test_the_page_explains_the_results(tmp_path: Path) -> None:
    rows = [("book me a flight", "fly", "stay", 0.97), ("hello", "greet", "greet", 0.5), ("bye", "leave", "leave", 0.4)]
    evaluate_labels(tmp_path, rows)
    text = " ".join(Resources((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "Measured on 3 rows of the test split" in text
    assert "This is a small sample" in text
    assert "66.7% of the predictions are correct" in text
    assert "book me a flight fly stay 97.0%" in text
    assert "train it with --calibrate" in text
    assert "This model has no threshold." in text


def test_slot_mistakes_show_their_values(tmp_path: Path) -> None:
    evaluate_slots(tmp_path, [("to New York tomorrow", "O B-city I-city B-date", "O B-city O O"), ("hi", "O", "O")])
    text = " ".join(Resources((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "to New York tomorrow city New York date tomorrow city New 75.0%" in text
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["1-labels.png"]


def test_mistakes_show_only_the_text_input(tmp_path: Path) -> None:
    evaluate_labels(tmp_path, [("book me a flight", "fly", "stay", 0.97)])
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["text"] == "text"
    (tmp_path / "metrics.json").write_text(json.dumps({**metrics, "inputs": ["channel", "text"]}))
    (record,) = map(json.loads, (tmp_path / "predictions.jsonl").read_text().splitlines())
    (tmp_path / "predictions.jsonl").write_text(json.dumps({"channel": "web", **record}))
    assert main(["report", str(tmp_path)]) == 0
    text = " ".join(Resources((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "book me a flight fly stay 97.0%" in text


def test_a_perfect_model_has_a_report_too(tmp_path: Path) -> None:
    evaluate_labels(tmp_path, [("a", "x", "x", 1.0), ("b", "y", "y", 1.0)], learning=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "None: every prediction is correct." in text
    assert "Learning curves" not in text


def test_a_report_is_rebuilt_without_ludwig_and_torch(tmp_path: Path) -> None:
    run, blocked = tmp_path / "run", tmp_path / "blocked"
    blocked.mkdir()
    for name in ("ludwig", "torch", "transformers"):
        (blocked / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    evaluate_labels(run / "evaluation", rows_of(["a", "b"]))
    report = run / "evaluation" / "report.html"
    first = report.read_text(encoding="utf-8")
    report.unlink()
    (run / "evaluation" / "plots" / "1-labels.png").unlink()
    environment = {**os.environ, "PYTHONPATH": f"{blocked}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "training", "report", str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, f"Wrote {report}.\n")
    assert report.read_text(encoding="utf-8") == first
    assert (run / "evaluation" / "plots" / "1-labels.png").exists()


def break_metrics(folder: Path) -> None:
    (folder / "metrics.json").write_text("{", encoding="utf-8")


def age_metrics(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    (folder / "metrics.json").write_text(json.dumps({**metrics, "schema": 99}), encoding="utf-8")


def lose_answers(folder: Path) -> None:
    (folder / "predictions.jsonl").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_metrics, "is corrupt: "),
        (age_metrics, "does not use schema 1: run `ludwig-serverless evaluate` again."),
        (lose_answers, "does not contain an evaluation: cannot read predictions.jsonl (No such file or directory)."),
    ],
    ids=["corrupt", "another schema", "missing"],
)
def test_an_unreadable_evaluation_is_an_error(
    spoil: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_labels(tmp_path, rows_of(["a", "b"]))
    assert callable(spoil)
    spoil(tmp_path)
    assert main(["report", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_a_folder_without_evaluation_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path} does not contain an evaluation: cannot read metrics.json")
