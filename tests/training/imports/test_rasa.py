"""`python -m training import` of Rasa's training data, in YAML and JSON."""

import json
from pathlib import Path

from tests.training.imports.command import DATA, imported, places, slots, written


def test_rasas_yaml(tmp_path: Path) -> None:
    more = written(tmp_path, "more.csv", "text,intent,city\nin the city that never sleeps,ask,New York\n")
    rows, report = imported(tmp_path, DATA / "nlu.yml", more, "--language", "en")
    assert slots(rows) == {
        "fly to Paris": "O O B-city",
        "fly to NYC tomorrow": "O O B-city B-date",
        "from LyonRome": "O B-city",
        "fly to the big apple": "O O B-city I-city I-city",
        "hello": "O",
        "hi there": "O O",
        "in the city that never sleeps": "O B-city I-city I-city I-city I-city",
    }
    assert places(report, "dropped", "line that is no example") == ["nlu.yml line 8"]
    assert places(report, "dropped", "slot marked in a way that cannot be read") == ["nlu.yml line 10"]
    assert places(report, "findings", "two entities in one word") == ["nlu.yml line 7"]
    assert [note.split(": ", 1)[1] for note in report["notes"]] == [
        "The sections stories are no training data of the NLU.",
        "Line 28: expected intent, synonym, lookup or regex, found ['story'].",
    ]
    assert {row["language"] for row in rows} == {"en"}


def test_rasas_json_counts_characters(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "rasa.json")
    assert slots(rows) == {"🙂 fly to Rome": "O O O B-city", "fly to NYC": "O O B-city"}
    assert places(report, "dropped", "no object") == ["rasa.json example 3"]
    assert places(report, "findings", "value that differs from the text") == ["rasa.json example 2"]


def test_roles_and_groups_are_told_with_their_rows(tmp_path: Path) -> None:
    marked = 'from [Rome]{"entity": "city", "role": "origin"} to [Oslo]{"entity": "city", "role": "end", "group": "1"}'
    nlu = written(tmp_path, "nlu.yml", f"nlu:\n- intent: fly\n  examples: |\n    - to [Bonn](city)\n    - {marked}\n")
    entity = {"entity": "city", "value": "Rome", "start": 3, "end": 7, "role": "end"}
    example = {"text": "to Rome", "intent": "fly", "entities": [entity]}
    rasa = written(tmp_path, "rasa.json", json.dumps({"rasa_nlu_data": {"common_examples": [example]}}))
    rows, report = imported(tmp_path, nlu, rasa)
    assert slots(rows)["from Rome to Oslo"] == "O B-city O B-city"
    (finding,) = report["findings"]
    assert finding["what"].startswith("role or group of an entity")
    assert finding["rows"] == [
        {"place": f"{nlu} line 5", "found": "city (role origin), city (role end, group 1)"},
        {"place": f"{rasa} example 1", "found": "city (role end)"},
    ]
