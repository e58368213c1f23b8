"""`ludwig-serverless import` of Rasa's training data, in YAML and JSON."""

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
    assert places(report, "dropped", "line that is not an example") == ["nlu.yml line 8"]
    assert places(report, "dropped", "slot marked in a way that cannot be read") == ["nlu.yml line 10"]
    assert places(report, "findings", "two entities in one word") == ["nlu.yml line 7"]
    assert [note.split(": ", 1)[1] for note in report["notes"]] == [
        "The sections stories have no NLU data: skipped.",
        "Line 28: expected intent, synonym, lookup or regex, found ['story'].",
    ]
    assert {row["language"] for row in rows} == {"en"}


def test_rasas_json_counts_characters(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "rasa.json")
    assert slots(rows) == {"🙂 fly to Rome": "O O O B-city", "fly to NYC": "O O B-city"}
    assert places(report, "dropped", "not an object") == ["rasa.json example 3"]
    assert places(report, "findings", "value that differs from the text") == ["rasa.json example 2"]


def test_roles_and_groups_are_reported_with_their_rows(tmp_path: Path) -> None:
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


def test_files_without_examples_provide_vocabulary_or_a_note(tmp_path: Path) -> None:
    contents = {
        "nlu.yml": "nlu:\n- intent: fly\n  examples: |\n    - to [NYC](city:New York)\n",
        "lookup.yml": "version: '3.1'\nnlu:\n- lookup: city\n  examples: |\n    - Oslo\n",
        "synonyms.yml": "nlu:\n- synonym: Rome\n  examples: |\n    - the capital\n",
        "synonyms.json": json.dumps({"rasa_nlu_data": {"entity_synonyms": [{"value": "Bonn", "synonyms": ["BN"]}]}}),
        "empty.yml": "version: '3.1'\nnlu:\n",
        "list.yml": "nlu: []\n",
        "stories.yml": "stories:\n- story: a\n",
        "rules.yml": "version: '3.1'\nrules: []\n",
        "domain.yml": "intents: [fly]\nresponses: {}\n",
        "bare.yml": "nlu:\n- intent: later\n",
    }
    files = [written(tmp_path, name, content) for name, content in contents.items()]
    more = written(tmp_path, "more.csv", "text,intent,city\nin the capital,ask,Rome\nto BN,fly,Bonn\n")
    rows, report = imported(tmp_path, *files, more)
    assert slots(rows) == {"to NYC": "O B-city", "in the capital": "O B-city I-city", "to BN": "O B-city"}
    assert list(report["vocabulary"].values())[1] == 1
    assert [note.removeprefix(f"{tmp_path}/") for note in report["notes"]] == [
        "empty.yml: The section `nlu:` at line 2 is empty.",
        "list.yml: The section `nlu:` at line 1 is empty.",
        "stories.yml: It has no NLU data, only stories: skipped.",
        "rules.yml: It has no NLU data, only rules: skipped.",
        "domain.yml: It has no NLU data, only intents, responses: skipped.",
        "bare.yml: Line 2: the intent 'later' has no examples.",
    ]


def test_every_document_of_a_file_is_read(tmp_path: Path) -> None:
    part = "nlu:\n- intent: {0}\n  examples: |\n    - {0} it\n"
    path = written(tmp_path, "nlu.yml", f"{part.format('open')}---\n{part.format('close')}---\nrules: []\n")
    rows, report = imported(tmp_path, path)
    assert [(row["text"], row["intent"]) for row in rows] == [("open it", "open"), ("close it", "close")]
    assert report["notes"][0].endswith("The sections rules have no NLU data: skipped.")


def test_other_brackets_stay_in_the_text(tmp_path: Path) -> None:
    texts = ["see [1] [2] please", "use the [slot] (optional)", "a [b] {c}", "press [x]", "[] or ()"]
    lines = "".join(f"    - {text}\n" for text in texts)
    path = written(tmp_path, "nlu.yml", f"nlu:\n- intent: a\n  examples: |\n{lines}    - to [Oslo](city)\n")
    rows, report = imported(tmp_path, path)
    assert [row["text"] for row in rows] == [*texts, "to Oslo"]
    assert rows[-1]["slots"] == "O B-city"
    assert report["rows"]["dropped"] == 0


def test_metadata_provides_the_language(tmp_path: Path) -> None:
    nlu = """
nlu:
- intent: greet
  metadata: {language: fr, sentiment: good}
  examples:
  - bonjour
  - text: |
      hello
    metadata: {language: en}
- intent: bye
  metadata: {language: de}
  examples: |
    - tschüss
"""
    rows, _ = imported(tmp_path, written(tmp_path, "nlu.yml", nlu))
    assert [(row["text"], row["language"]) for row in rows] == [("bonjour", "fr"), ("hello", "en"), ("tschüss", "de")]
