"""Suspicious rows of a dataset: found, corrected in a copy, and the dataset itself stays as it is."""

import json
from pathlib import Path

import pytest

from export.rows import read_rows
from training.errors import DatasetError, EvaluationError
from training.evaluation.metrics import SCHEMA
from training.review.desk import Choice, Item, Submission
from training.review.journal import Mark
from training.review.rows import row_desk, row_ids

DATASET = """text,intent,slots,language,split,note
fly to Oslo tomorrow,fly,O O B-city O,en,0,a
fly to Oslo tomorrow!,hotel,O O B-city O,en,1,b
good morning,greet,O O,en,0,c
cancel it,greet,,en,0,d
cancel it,greet,,en,0,e
"""


def dataset(folder: Path) -> Path:
    path = folder / "data.csv"
    path.write_text(DATASET, encoding="utf-8")
    return path


def evaluated(folder: Path, records: list[dict[str, object]]) -> Path:
    """Write the evaluation of a run, as far as a review reads it."""
    evaluation = folder / "run" / "evaluation"
    evaluation.mkdir(parents=True)
    outputs = {name.removesuffix("_predictions"): {} for name in records[0] if name.endswith("_predictions")}
    metrics = {"schema": SCHEMA, "inputs": ["text"], "text": "text", "outputs": outputs}
    (evaluation / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (evaluation / "predictions.jsonl").write_text(lines, encoding="utf-8")
    return folder / "run"


def answer(text: str, intent: str, answered: str, sure: float) -> dict[str, object]:
    return {"text": text, "intent": intent, "intent_predictions": answered, "intent_probability": sure}


def test_mistakes_come_first_the_surest_ahead_and_then_contradictions(tmp_path: Path) -> None:
    answers = [
        answer("good morning", "greet", "cancel", 0.6),
        answer("cancel it", "greet", "cancel", 0.97),
        answer("fly to Oslo tomorrow", "fly", "fly", 0.99),
        answer("a row that is gone", "greet", "cancel", 1.0),
    ]
    desk = row_desk(dataset(tmp_path), tmp_path / "out.csv", [evaluated(tmp_path, answers)])
    groups: list[list[Item]] = desk.state()["groups"]
    assert [[item.text for item in group] for group in groups] == [
        ["cancel it"],
        ["good morning"],
        ["fly to Oslo tomorrow", "fly to Oslo tomorrow!"],
    ]
    assert groups[0][0].choices == [Choice("greet"), Choice("cancel", 0.97)]
    assert groups[0][0].note == "the model answers cancel with 97%"
    assert [each.choices for each in groups[2]] == [[Choice("fly"), Choice("hotel")], [Choice("hotel"), Choice("fly")]]
    assert groups[2][0].marks == [Mark(7, 11, "city")]
    assert not (tmp_path / "out.csv").exists()
    desk.close()


def test_wrong_slots_are_named_and_a_row_in_both_lists_has_both_reasons(tmp_path: Path) -> None:
    record = {"text": "fly to Oslo tomorrow", "slots": "O O B-city O", "slots_predictions": "O O O B-date"}
    run = evaluated(tmp_path, [{**record, "slots_probability": 0.9}])
    desk = row_desk(dataset(tmp_path), tmp_path / "out.csv", [run])
    ((first, _),) = desk.state()["groups"]
    assert first.note == "the model marks date: tomorrow; similar texts have: hotel"
    assert first.choices == [Choice("fly"), Choice("hotel")]
    desk.close()
    other = evaluated(tmp_path / "other", [{"text": "hi", "language_predictions": "en"}])
    with pytest.raises(EvaluationError, match="expected a model for intent or slots"):
        row_desk(tmp_path / "data.csv", tmp_path / "out.csv", [other])


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_corrections_go_into_a_copy_with_all_rows_and_columns(tmp_path: Path, ending: str) -> None:
    source, output = dataset(tmp_path), tmp_path / f"out{ending}"
    desk = row_desk(source, output, [evaluated(tmp_path, [answer("cancel it", "greet", "cancel", 0.97)])])
    (mistake,), (first, second) = desk.state()["groups"]
    desk.decide([Submission(mistake.id, "label", "cancel", "en", None)])
    desk.decide([Submission(first.id, "delete"), Submission(second.id, "label", "fly", "en", [Mark(0, 3, "verb")])])
    desk.close()
    found = read_rows(output).to_dict("records")
    assert [list(row.values()) for row in found] == [
        ["fly to Oslo tomorrow!", "fly", "B-verb O O O", "en", "1", "b"],
        ["good morning", "greet", "O O", "en", "0", "c"],
        ["cancel it", "cancel", "", "en", "0", "d"],
        ["cancel it", "greet", "", "en", "0", "e"],
    ]
    assert source.read_text(encoding="utf-8") == DATASET
    again = row_desk(source, output)
    assert (again.state()["groups"], len(read_rows(output))) == ([], 4)
    again.undo()
    assert len(read_rows(output)) == 5
    again.close()


def test_ids_survive_added_and_moved_rows() -> None:
    ids = row_ids(["a", "b", "a"], ["x", "y", "x"], ["", "", ""])
    assert len(set(ids)) == 3
    assert row_ids(["new", "a", "a", "b"], ["x", "x", "x", "y"], [""] * 4)[1:] == [ids[0], ids[2], ids[1]]


def test_a_dataset_without_intents_and_a_run_without_evaluation_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text,language\nhi,en\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="lacks the columns"):
        row_desk(path, tmp_path / "out.csv")
    with pytest.raises(EvaluationError, match="does not contain an evaluation"):
        row_desk(dataset(tmp_path), tmp_path / "out.csv", [tmp_path])
