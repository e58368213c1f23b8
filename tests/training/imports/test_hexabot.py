"""`ludwig-serverless import` of Hexabot's exports, with each of its helpers."""

import json
from pathlib import Path

import pytest

from tests.training.imports.command import DATA, error_of, imported, places, slots, written


def test_hexabots_export_by_its_ludwig_helper(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "hexabot-ludwig.json")
    assert [*rows[0]] == ["text", "intent", "slots", "language", "mood", "split"]
    assert slots(rows) == {
        "book a flight to New York": "O O O O B-city I-city",
        "fly  to Paris now": "O O B-city O",
        "fly   to Paris now": "",  # the helper writes the same for "Paris" and for "Paris now"
        "Lille Lyon tomorrow": "B-origin B-city B-date",
        "hello  there ": "O O",
        "bonjour": "",
    }
    assert places(report, "findings", "entity or tags that cannot be read") == [
        "hexabot-ludwig.json row 3",
        "hexabot-ludwig.json row 6",
    ]
    assert report["rows"] == {"read": 6, "kept": 6, "dropped": 0}
    assert report["rows_without"] == {"intent": 0, "language": 1, "slots": 2}
    assert [row["mood"] for row in rows][:2] == ["neutral", "hurried"]


def test_hexabots_export_by_another_helper(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "hexabot-entities.json")
    assert slots(rows) == {
        "fly  from Paris to New York": "O O B-origin O B-city I-city",
        "Paris Rome please": "B-city B-city O",
        "🙂 un vol pour Rome": "O O O O B-city",
        "un hôtel à Lyon": "O O O B-city",
        "Rome to Rome": "",  # nobody can tell which one is meant
        "fly to the big apple": "",
        "fly to New York City": "O O B-city I-city I-city",
        "a Parisian hotel": "O B-city O",
        "what is it": "O O O",
    }
    file = "hexabot-entities.json row"
    assert places(report, "dropped", "no text") == [f"{file} 10"]
    assert places(report, "findings", "value not found") == [f"{file} 6"]
    assert places(report, "findings", "value that occurs several times") == [f"{file} 5"]
    assert places(report, "findings", "entities that overlap") == [f"{file} 7"]
    assert places(report, "findings", "entity that covers part of a word") == [f"{file} 8"]
    assert places(report, "findings", "intent 'none'") == [f"{file} 9"]
    assert rows[8]["intent"] == ""
    assert [row["language"] for row in rows[:4]] == ["en", "en", "", "fr"]
    assert rows[0]["mood"] == "neutral"
    assert report["columns"]["mood"].startswith("a trait: 0 of 2 values are parts of the text")
    assert report["counts"]["entity"] == {"city": 7, "origin": 1}


def test_hexabots_rasa_json_with_its_synonyms_and_lookup_tables(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "hexabot-rasa.json")
    assert slots(rows) == {
        "I want a pizza": "O O O B-dish",
        "a margherita please": "O B-dish O",
        "two calzones please": "O B-dish O",
        "hello": "O",
    }
    assert {row["language"] for row in rows} == {"en"}
    assert places(report, "findings", "value found only by its lookup table") == ["hexabot-rasa.json example 3"]
    assert list(report["vocabulary"].values()) == [3, 1, 1]
    assert "lookup table 'street' is in another file" in report["notes"][0]


def test_hexabots_csv(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "hexabot.csv", "--language", "xx")
    assert slots(rows) == {
        "fly to Paris": "O O B-city",
        'fly to "paris"; now': "O O B-city O",
        "book\na hotel": "O O O",
        "fly to the capital": "",
        "vol pour Lyon": "O O B-city",
        "what": "O",
    }
    assert places(report, "dropped", "more values than the header has columns") == ["hexabot.csv line 9"]
    assert places(report, "findings", "value not found") == ["hexabot.csv line 6"]
    assert report["columns"]["city"].startswith("a slot: 3 of 4")
    assert report["columns"]["mood"].startswith("a trait: 0 of 6")
    assert [row["language"] for row in rows] == ["en", "en", "en", "en", "xx", "en"]
    assert report["files"][0]["kind"] == "CSV, separated by ';'"


@pytest.mark.parametrize(
    "empty", [[], {"common_examples": [], "lookup_tables": [{"name": "language", "elements": []}]}]
)
def test_an_empty_export_of_the_dataset_all_is_explained(
    empty: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = error_of(capsys, tmp_path, written(tmp_path, "nlp_export_all.json", json.dumps(empty)))
    assert "choose train or test there, and export each" in error


def test_the_tensorflow_helpers_export(tmp_path: Path) -> None:
    """The export has synonyms, main values instead of words, traits among the entities, and an empty language."""
    language = {"entity": "language", "value": ""}
    city = {"entity": "city", "value": "New York"}
    mood = {"entity": "mood", "value": "fly"}
    samples = [
        {"text": "fly to NYC", "intent": "go", "entities": [{**city, "start": 7, "end": 10}, mood, language]},
        {"text": "🙂 to  the big apple", "intent": "go", "entities": [{**city, "start": 7, "end": 20}, language]},
        {"text": "NYC or New York", "intent": "go", "entities": [{**city, "start": 0, "end": 3}, language]},
    ]
    data = {
        "common_examples": samples,
        "regex_features": [],
        "lookup_tables": [{"name": "city", "elements": ["New York"]}, {"name": "mood", "elements": ["fly", "calm"]}],
        "entity_synonyms": [{"value": "New York", "synonyms": ["NYC"]}],
    }
    rows, report = imported(tmp_path, written(tmp_path, "in.json", json.dumps(data)), "--language", "en")
    assert slots(rows) == {
        "fly to NYC": "O O B-city",
        "🙂 to  the big apple": "O O B-city I-city I-city",
        "NYC or New York": "B-city O O O",
    }
    assert [row["mood"] for row in rows] == ["fly", "", ""]
    assert {row["language"] for row in rows} == {"en"}
    assert report["columns"]["mood"].startswith("a trait: it never has offsets")
