"""Captured messages become a dataset that import and fit read, and Hexabot's samples."""

import csv
from pathlib import Path
from typing import Any

import pytest

from export.rows import read_rows
from handler.captured import CapturedEntity, CapturedMessage, CapturedVerdict
from tests.training.imports.command import imported
from tests.training.review.samples import messages
from training.errors import DatasetError, ReviewError
from training.review.desk import Desk, Item, Submission
from training.review.hexabot import write_hexabot
from training.review.journal import Mark
from training.review.messages import message_desk, message_items


def items(desk: Desk) -> dict[str, Item]:
    return {item.id: item for group in desk.state()["groups"] for item in group}


def label(item: Item, intent: str = "", marks: list[Mark] | None = None) -> Submission:
    """Return the submission that Enter sends, or one with another intent or other slots."""
    return Submission(
        item.id, "label", intent or item.choices[0].label, item.language, item.marks if marks is None else marks
    )


def rows(path: Path) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in read_rows(path).to_dict("records")]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_each_decision_is_in_the_dataset_at_once_with_its_provenance(tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"reviewed{ending}"
    desk = message_desk(messages(), output)
    assert not output.exists()
    found = items(desk)
    desk.decide([label(found["m0"])])
    assert [row["intent"] for row in rows(output)] == ["book_flight"]
    desk.decide(
        [label(found["m4"], "book_room", [Mark(17, 24, "city")]), Submission("m5", "skip"), Submission("m3", "delete")]
    )
    first, second = rows(output)
    assert (first["text"], first["slots"], first["language"]) == (
        "book a flight to Paris",
        "O O O O B-destination",
        "en",
    )
    assert (second["intent"], second["slots"], second["language"]) == ("book_room", "O O O O B-city", "ar")
    assert (first["captured_id"], first["captured_time"]) == ("m0", "2026-11-01T10:00:00Z")
    assert (first["captured_reason"], first["captured_version"]) == ("below_threshold", "7")
    assert first["reviewed_time"].startswith("20")
    desk.undo()
    assert len(rows(output)) == 1
    desk.close()


def test_an_import_reads_what_was_reviewed(tmp_path: Path) -> None:
    desk = message_desk(messages(), tmp_path / "reviewed.csv")
    desk.decide([label(item) for item in items(desk).values()])
    desk.close()
    read, report = imported(tmp_path, tmp_path / "reviewed.csv")
    assert {row["text"]: (row["intent"], row["slots"], row["language"], row["captured_id"]) for row in read} == {
        row["text"]: (row["intent"], row["slots"], row["language"], row["captured_id"])
        for row in rows(tmp_path / "reviewed.csv")
    }
    assert (report["dropped"], report["findings"], report["columns"]) == ([], [], {})


def test_a_review_resumes_where_it_stopped_even_if_the_captures_have_expired(tmp_path: Path) -> None:
    output = tmp_path / "reviewed.csv"
    desk = message_desk(messages(), output)
    found = items(desk)
    desk.decide([label(found["m0"]), label(found["m1"])])
    desk.decide([Submission("m2", "delete"), Submission("m3", "skip")])
    desk.close()
    again = message_desk(messages(), output)
    state = again.state()
    assert set(items(again)) == {"m4", "m5"}
    assert [item.id for item in state["skipped"]] == ["m3"]
    assert (state["progress"].total, state["progress"].labeled, state["progress"].deleted) == (6, 2, 1)
    again.close()
    without = message_desk([], output)
    assert len(rows(output)) == 2
    without.undo()
    assert [item.text for item in without.undo()["items"]] == ["book a flight to Paris", "book a flight to Rome"]
    without.close()


def test_a_text_is_reviewed_once_however_often_it_was_captured(tmp_path: Path) -> None:
    first = messages()[0]
    again = [CapturedMessage(f"again{n}", f"2026-12-0{n}T00:00:00Z", first.text, "sample") for n in (1, 2)]
    assert message_items([first, *again])[0].count == 3
    desk = message_desk([first], tmp_path / "reviewed.csv")
    desk.decide([label(items(desk)["m0"])])
    desk.close()
    later = message_desk([*again, *messages()[1:2]], tmp_path / "reviewed.csv")
    assert list(items(later)) == ["m1"]
    later.close()


def test_the_guess_is_the_live_models_and_broken_slots_are_left_out() -> None:
    message = CapturedMessage(
        "x",
        "2026-11-01T00:00:00Z",
        "to Oslo",
        "shadow",
        models={
            "language": CapturedVerdict("l", "language", "en", 1.0),
            "intent": CapturedVerdict("a", "intent", "fly", 0.6, [("fly", 0.6), ("ride", 0.3)]),
            "intent-2": CapturedVerdict("b", "intent", "ride", 0.8, [("ride", 0.8)]),
        },
        entities=[
            CapturedEntity(3, 7, "city", "Oslo", 0.9),
            CapturedEntity(5, 9, "city", "lo", 0.9),
            CapturedEntity(0, 2, "a word", "to", 0.9),
        ],
    )
    (item,) = message_items([message, CapturedMessage("y", "", " ", "sample")])
    assert [(choice.label, choice.confidence) for choice in item.choices] == [("fly", 0.6), ("ride", 0.3)]
    assert item.marks == [Mark(3, 7, "city")]
    (without,) = message_items([CapturedMessage("z", "", "hi", "fallback")])
    assert (without.choices, without.marks) == ([], None)


@pytest.mark.parametrize(
    ("submission", "problem"),
    [
        (Submission("gone", "label", "x"), "reload the page"),
        (Submission("m0", "label", " "), "has no intent"),
        (Submission("m0", "label", "x", "en", [Mark(0, 99, "city")]), "mark it again"),
        (Submission("m0", "label", "x", "en", [Mark(0, 4, "a"), Mark(2, 6, "b")]), "mark it again"),
        (Submission("m0", "label", "x", "en", [Mark(0, 4, "two words")]), "mark it again"),
    ],
)
def test_an_impossible_decision_changes_nothing(tmp_path: Path, submission: Submission, problem: str) -> None:
    desk = message_desk(messages(), tmp_path / "reviewed.csv")
    with pytest.raises(ReviewError, match=problem):
        desk.decide([Submission("m1", "label", "fine"), submission])
    assert desk.state()["progress"].labeled == 0
    desk.close()


def test_a_decision_is_in_the_journal_even_if_the_dataset_cannot_be_written(tmp_path: Path) -> None:
    output = tmp_path / "reviewed.csv"
    desk = message_desk(messages(), output)
    output.mkdir()
    with pytest.raises(DatasetError, match="Cannot write"):
        desk.decide([label(items(desk)["m0"])])
    desk.close()
    output.rmdir()
    message_desk(messages(), output).close()
    assert [row["captured_id"] for row in rows(output)] == ["m0"]


def test_a_file_that_someone_changed_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, samples = tmp_path / "reviewed.csv", tmp_path / "samples.csv"
    samples.write_text("mine", encoding="utf-8")
    desk = message_desk(messages(), output, hexabot=samples)
    desk.decide([label(items(desk)["m0"])])
    desk.close()
    for edited in ("one", "two"):
        output.write_text(edited, encoding="utf-8")
        message_desk(messages(), output, hexabot=samples).close()
    kept = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.previous*")}
    assert kept == {"samples.csv.previous": "mine", "reviewed.csv.previous": "one", "reviewed.csv.previous-2": "two"}
    message_desk(messages(), output, hexabot=samples).close()
    assert len(rows(output)) == len(rows(samples)) == 1
    assert "reviewed.csv is not what the journal says" in capsys.readouterr().err


def test_hexabots_csv_has_a_column_for_each_slot_and_imports_again(tmp_path: Path) -> None:
    hexabot = tmp_path / "samples.csv"
    desk = message_desk(messages(), tmp_path / "reviewed.csv", hexabot=hexabot)
    desk.decide([label(item) for item in items(desk).values()])
    desk.close()
    with hexabot.open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["text", "intent", "language", "destination"]
    assert ["book a flight to Rome", "book_flight", "en", "Rome"] in table
    again = {row["text"]: row["slots"] for row in imported(tmp_path, hexabot)[0]}
    assert again["book a flight to Rome"] == "O O O O B-destination"
    with pytest.raises(ReviewError, match="'language'"):
        write_hexabot(hexabot, [desk._decision(label(message_items(messages())[0], "x", [Mark(0, 4, "language")]))])
