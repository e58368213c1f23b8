"""`ludwig-serverless import`: slots, traits, and ignored columns."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.imports.command import error_of, imported, slots, written


def entity(name: str, value: str, start: int | None = None) -> dict[str, Any]:
    return {
        "entity": name,
        "value": value,
        **({"start": start, "end": start + len(value)} if start is not None else {}),
    }


SAMPLES = [
    {"text": "tea please", "intent": "order", "entities": [entity("product", "tea")]},
    {"text": "tea in Rome", "intent": "order", "entities": [entity("product", "tea"), entity("city", "Rome", 7)]},
    {"text": "to Oslo", "intent": "order", "entities": [entity("product", "coffee"), entity("city", "Oslo", 3)]},
]


def test_an_entity_without_offsets_is_a_trait_if_all_others_have_them(tmp_path: Path) -> None:
    source = written(tmp_path, "in.json", json.dumps(SAMPLES))
    rows, report = imported(tmp_path, source)
    assert slots(rows) == {"tea please": "O O", "tea in Rome": "O O B-city", "to Oslo": "O B-city"}
    assert [row["product"] for row in rows] == ["tea", "tea", "coffee"]
    assert report["columns"]["product"].startswith("a trait: it never has offsets")


def test_options_and_other_files_override_missing_offsets(tmp_path: Path) -> None:
    source = written(tmp_path, "in.json", json.dumps(SAMPLES[:2]))
    tagged = {"tea please": "B-product O", "tea in Rome": "B-product O B-city"}
    assert slots(imported(tmp_path, source, "--slot", "product", "--overwrite")[0]) == tagged
    located = [{"text": "more coffee", "intent": "order", "entities": [entity("product", "coffee", 5)]}]
    other = written(tmp_path, "other.json", json.dumps(located))
    assert slots(imported(tmp_path, source, other, "--overwrite")[0]) == {**tagged, "more coffee": "O B-product"}


def test_without_consistent_offsets_the_texts_decide(tmp_path: Path) -> None:
    without = [{"text": "to Bonn", "intent": "order", "entities": [entity("city", "Bonn"), entity("mood", "happy")]}]
    rows, _ = imported(tmp_path, written(tmp_path, "in.json", json.dumps([*SAMPLES, *without])))
    assert slots(rows) == {
        "tea please": "B-product O",
        "tea in Rome": "B-product O B-city",
        "to Oslo": "",  # coffee is not there
        "to Bonn": "O B-city",
    }
    assert rows[3]["mood"] == "happy"


def test_a_trait_with_two_values_keeps_the_first_and_is_reported(tmp_path: Path) -> None:
    samples = [{"text": "hi", "intent": "greet", "entities": [entity("mood", "happy"), entity("mood", "calm")]}]
    rows, report = imported(tmp_path, written(tmp_path, "in.json", json.dumps(samples)))
    assert rows[0]["mood"] == "happy"
    assert report["findings"][0]["what"] == "trait with two values; the first was kept"


TABLE = "text,intent,norm,city\nTo Rome!,go,to rome,Rome\nto  Oslo,go,to oslo,Oslo\nHello,greet,hello,\n"


def test_a_column_that_repeats_the_text_is_not_a_slot(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, written(tmp_path, "in.csv", TABLE))
    assert [row["slots"] for row in rows] == ["O B-city", "O B-city", "O"]
    assert report["columns"]["norm"].startswith("a trait: 0 of 3 values are parts of the text, 3 are the whole text")


def test_columns_and_entities_are_ignored(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", TABLE)
    rows, report = imported(tmp_path, source, "--ignore", "norm", "--ignore", "city", "--overwrite")
    assert [*rows[0]] == ["text", "intent", "slots", "language", "split"]
    assert report["columns"] == {}
    rows, _ = imported(tmp_path, source, "--ignore", "intent", "--overwrite")
    assert {row["intent"] for row in rows} == {""}
    samples = written(tmp_path, "in.json", json.dumps(SAMPLES))
    rows, _ = imported(tmp_path, samples, "--ignore", "product", "--overwrite")
    assert (slots(rows)["tea in Rome"], [*rows[0]]) == ("O O B-city", ["text", "intent", "slots", "language", "split"])
    rows, _ = imported(tmp_path, samples, "--ignore", "entities", "--overwrite")
    assert {row["slots"] for row in rows} == {""}


@pytest.mark.parametrize("option", ["--ignore", "--slot", "--trait"])
def test_an_unknown_name_is_rejected(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = error_of(capsys, tmp_path, written(tmp_path, "in.csv", TABLE), option, "nrom")
    assert error == f"{option} nrom: no file has a column or entity with this name; expected one of city, norm."
