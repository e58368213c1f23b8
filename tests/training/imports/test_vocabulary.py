"""The vocabulary of entities that an import writes for the bundles."""

import json
from pathlib import Path
from typing import Any

from tests.training.imports.command import DATA, imported, written


def vocabulary(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """Import files, and return the written entities by name."""
    imported(folder, *arguments)
    path = folder / "data.entities.json"
    return {each["name"]: each for each in json.loads(path.read_bytes())} if path.exists() else {}


def rasa(folder: Path, *examples: dict[str, Any], **sections: Any) -> Path:
    return written(folder, "export.json", json.dumps({"common_examples": examples, **sections}))


def sample(text: str, *entities: tuple[str, str, int, int], intent: str = "fly") -> dict[str, Any]:
    located = [dict(zip(("entity", "value", "start", "end"), each, strict=True)) for each in entities]
    return {"text": text, "intent": intent, "entities": [*located, {"entity": "language", "value": "en"}]}


def test_hexabots_synonyms_and_lookup_tables(tmp_path: Path) -> None:
    found = vocabulary(tmp_path, DATA / "hexabot-rasa.json")
    assert found["dish"]["values"] == [
        {"value": "pizza", "synonyms": ["Margherita", "pie"]},
        {"value": "pasta", "synonyms": []},
        {"value": "calzones", "synonyms": []},
    ]
    assert found["dish"]["keywords"] == ["pizza", "Margherita", "pie", "pasta", "calzones"]
    assert [each["pattern"] for each in found["zip"]["patterns"]] == ["[0-9]{5}"]


def test_the_text_at_the_offsets_of_a_value_is_its_synonym(tmp_path: Path) -> None:
    export = rasa(
        tmp_path,
        sample("to NYC", ("city", "New York", 3, 6)),
        sample("to the capital", ("city", "Rome", 3, 14)),
        sample("from the capital", ("city", "Oslo", 5, 16)),
        lookup_tables=[{"name": "city", "elements": ["New York", "Rome", "Oslo"]}],
    )
    values = {each["value"]: each["synonyms"] for each in vocabulary(tmp_path, export)["city"]["values"]}
    assert values == {"New York": ["NYC"], "Rome": [], "Oslo": []}, "the capital means two cities"


def test_labels_and_traits_are_no_keywords(tmp_path: Path) -> None:
    tables = {"intent": ["fly", "order"], "language": ["en", "fr"], "mood": ["glad"], "city": ["Rome"]}
    example = sample("to Rome, glad", ("city", "Rome", 3, 7))
    example["entities"].append({"entity": "mood", "value": "glad"})
    export = rasa(tmp_path, example, lookup_tables=[{"name": name, "elements": each} for name, each in tables.items()])
    assert {name: each["keywords"] for name, each in vocabulary(tmp_path, export).items()} == {"city": ["Rome"]}


def test_a_word_of_two_entities_or_one_that_people_leave_unmarked_is_no_keyword(tmp_path: Path) -> None:
    export = rasa(
        tmp_path,
        sample("from Rome to Oslo", ("origin", "Rome", 5, 9), ("destination", "Oslo", 13, 17)),
        sample("may I fly in june", ("month", "june", 13, 17)),
        lookup_tables=[
            {"name": "origin", "elements": ["Rome", "Oslo", "Bonn"]},
            {"name": "destination", "elements": ["Rome", "Oslo"]},
            {"name": "month", "elements": ["may", "june", "july"]},
        ],
    )
    found = vocabulary(tmp_path, export)
    assert {name: each["keywords"] for name, each in found.items()} == {"origin": ["Bonn"], "month": ["june", "july"]}


def test_hexabots_list_of_entities(tmp_path: Path) -> None:
    entities = [
        {"name": "intent", "lookups": ["trait"], "values": [{"value": "fly", "expressions": []}]},
        {"name": "size", "lookups": ["keywords"], "values": [{"value": "large", "expressions": ["big", "grande"]}]},
        {"name": "note", "lookups": ["free-text"], "values": [{"value": "soon", "expressions": ["asap"]}]},
        {
            "name": "code",
            "lookups": ["pattern"],
            "values": [
                {
                    "value": "booking",
                    "metadata": {"pattern": "[a-z]{2} ?\\d{4}", "wordBoundary": True, "removeSpaces": True},
                }
            ],
        },
    ]
    data = written(tmp_path, "samples.csv", "text,intent\nhello,greet\nfly,go\n")
    found = vocabulary(tmp_path, data, written(tmp_path, "entities.json", json.dumps(entities)))
    assert found["size"]["values"] == [{"value": "large", "synonyms": ["big", "grande"]}]
    assert found["size"]["keywords"] == ["large", "big", "grande"]
    assert found["code"]["patterns"] == [
        {"pattern": "[a-z]{2} ?\\d{4}", "whole_words": True, "changes": ["remove_spaces"]}
    ]
    assert sorted(found) == ["code", "note", "size"]


def test_rasas_marks_and_patterns(tmp_path: Path) -> None:
    nlu = (
        "nlu:\n- intent: fly\n  examples: |\n    - to [NYC](city:New York)\n    - to [Rome](city)\n"
        "- regex: zip\n  examples: |\n    - \\d{5}\n"
    )
    found = vocabulary(tmp_path, written(tmp_path, "nlu.yml", nlu))
    assert found["city"]["values"] == [{"value": "New York", "synonyms": ["NYC"]}]
    assert found["city"]["keywords"] == []
    assert found["zip"]["patterns"] == [{"pattern": "\\d{5}", "whole_words": True, "changes": []}]


def test_an_old_vocabulary_does_not_survive_another_import(tmp_path: Path) -> None:
    assert vocabulary(tmp_path, DATA / "hexabot-rasa.json")
    plain = written(tmp_path, "plain.csv", "text,intent\nhello,greet\nfly,go\n")
    assert vocabulary(tmp_path, plain, "--force") == {}


def test_a_pattern_that_cannot_be_served_is_left_out_and_reported(tmp_path: Path) -> None:
    features = [{"name": "zip", "pattern": "\\d{5}"}, {"name": "twice", "pattern": "(a)\\1"}]
    _, report = imported(tmp_path, rasa(tmp_path, sample("to Rome", ("city", "Rome", 3, 7)), regex_features=features))
    assert [line.split(":")[0] for line in report["entities"]] == ["zip"]
    (note,) = [note for note in report["notes"] if "pattern" in note]
    assert "of 'twice' was left out: it has a backreference, which cannot be matched in linear time." in note
