"""Nested values: read if their meaning is clear, and never used as Python text."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.training.imports.command import imported, written

ENTITIES = [{"entity": "city", "start": 3, "end": 7}]


@pytest.mark.parametrize("written_as", [json.dumps, str], ids=["JSON", "Python"])
def test_csv_cells_can_contain_json(written_as: object, tmp_path: Path) -> None:
    assert callable(written_as)
    table = pd.DataFrame(
        {
            "text": ["to Rome", "to Oslo", "[1] {a}", "to Bonn", "[x]"],
            "intent": [written_as({"name": "go", "confidence": 0.5}), "go", "cite", "go", "cite"],
            "entities": [written_as(ENTITIES), "[]", "", written_as([]), ""],
            "slots": ["", "", "", written_as(["O", "B-city"]), ""],
            "metadata": [written_as({"language": "en"}), written_as({"example": {"language": "fr"}}), "", "", ""],
            "mood": [written_as({"a": 1}), "[]", "[calm]", written_as(["glad"]), ""],
        }
    )
    table.to_csv(tmp_path / "in.csv", index=False)
    rows, report = imported(tmp_path, tmp_path / "in.csv")
    assert [(row["intent"], row["slots"], row["language"], row["mood"]) for row in rows] == [
        ("go", "O B-city", "en", ""),
        ("go", "O O", "fr", ""),
        ("cite", "", "", "[calm]"),
        ("go", "O B-city", "", "glad"),
        ("cite", "", "", ""),
    ]
    assert report["notes"][0].endswith("Lists and objects cannot be traits and were left out: 'mood'.")


def test_rasas_metadata_provides_the_language(tmp_path: Path) -> None:
    examples = [
        {"text": "hi", "intent": "greet", "metadata": {"language": "en", "source": "web"}},
        {"text": "salut", "intent": "greet", "metadata": {"example": {"language": "fr"}}},
        {"text": "hallo", "intent": "greet", "metadata": {"intent": {"language": "de"}}},
        {"text": "ciao", "intent": "greet", "language": "it", "metadata": {"language": "en"}},
        {"text": "hej", "intent": "greet", "metadata": None},
    ]
    rasa = written(tmp_path, "rasa.json", json.dumps({"rasa_nlu_data": {"common_examples": examples}}))
    lines = written(tmp_path, "in.jsonl", "\n".join(map(json.dumps, examples)))
    for source in (rasa, lines):
        rows, report = imported(tmp_path / source.stem, source)
        assert [row["language"] for row in rows] == ["en", "fr", "de", "it", ""]
        assert "metadata" not in rows[0]
        assert report["notes"][0].endswith("were left out: 'metadata'.")


def test_labels_that_are_lists_count_as_missing_and_are_reported(tmp_path: Path) -> None:
    records = [
        {"text": "hi", "intent": ["greet"], "language": "en"},
        {"text": "hi you", "intent": ["greet", "you"], "language": "en"},
        {"text": "bye", "intent": {"confidence": 1}, "language": "en"},
        {"text": ["good", "bye"], "intent": "bye", "language": ["en", "fr"]},
    ]
    path = written(tmp_path, "in.json", json.dumps(records))
    rows, report = imported(tmp_path, path)
    assert [(row["text"], row["intent"], row["language"]) for row in rows] == [
        ("hi", "greet", "en"),
        ("hi you", "", "en"),
        ("bye", "", "en"),
        ("good bye", "bye", ""),
    ]
    assert [note.split(": ", 1)[1].split(";")[0] for note in report["notes"]] == [
        "2 rows have a list or object in 'intent' (the first is row 2)",
        "1 rows have a list or object in 'language' (the first is row 4)",
    ]
