"""`ludwig-serverless import` of other tools' exports: correct texts, labels and slots."""

import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from tests.training.imports.command import Rows, error_of, imported, places, written
from training.errors import TrainingError
from training.imports.importing import import_files
from training.imports.options import ImportOptions


def told(rows: Rows, *names: str) -> list[tuple[str, ...]]:
    return [tuple(str(row[name]) for name in names) for row in rows]


def as_json(folder: Path, name: str, data: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return written(folder, name, json.dumps(data))


LUIS = {
    "luis_schema_version": "7.0.0",
    "culture": "en-us",
    "intents": [{"name": "Book"}, {"name": "None"}],
    "closedLists": [{"name": "city", "subLists": [{"canonicalForm": "Oslo", "list": ["Christiania"]}]}],
    "regex_entities": [{"name": "zip", "regexPattern": "[0-9]{4}"}],
    "patterns": [{"pattern": "to {city}", "intent": "Book"}],
    "utterances": [
        {
            "text": "book a table for two in Oslo",
            "intent": "Book",
            "entities": [
                {"entity": "people", "startPos": 17, "endPos": 19},
                {"entity": "city", "startPos": 24, "endPos": 27},
            ],
        },
        {"text": "🙂 to Rome", "intent": "Book", "entities": [{"entity": "city", "startPos": 6, "endPos": 9}]},
        {"text": "what", "intent": "None", "entities": []},
        "nothing",
    ],
}


def test_luis(tmp_path: Path) -> None:
    more = written(tmp_path, "more.csv", "text,intent,city\nto Christiania,Book,Oslo\n")
    rows, report = imported(tmp_path, as_json(tmp_path, "luis.json", LUIS), more)
    assert told(rows, "text", "intent", "language", "slots") == [
        ("book a table for two in Oslo", "Book", "en-us", "O O O O B-people O B-city"),
        ("🙂 to Rome", "Book", "en-us", "O O B-city"),
        ("what", "None", "en-us", "O"),
        ("to Christiania", "Book", "", "O B-city"),
    ]
    assert places(report, "dropped", "not an object") == [f"{tmp_path / 'luis.json'} utterance 4"]
    assert report["vocabulary"]["lookup tables"] == 1
    assert report["notes"][0].endswith("Patterns are templates, not examples, and were left out: 1.")


def test_the_language_understanding_of_azure(tmp_path: Path) -> None:
    entities = [{"category": "city", "offset": 3, "length": 4}]
    data = {
        "projectFileVersion": "2023-04-01",
        "metadata": {"language": "de"},
        "assets": {
            "intents": [{"category": "Go"}],
            "entities": [
                {"category": "city", "list": {"sublists": [{"listKey": "Rome", "synonyms": [{"values": ["Rom"]}]}]}}
            ],
            "utterances": [
                {"text": "to Rome", "intent": "Go", "language": "en-us", "dataset": "Train", "entities": entities},
                {"text": "nach Rom", "intent": "Go", "dataset": "Test"},
            ],
        },
    }
    rows, _ = imported(tmp_path, as_json(tmp_path, "clu.json", data))
    assert told(rows, "text", "intent", "language", "slots") == [
        ("to Rome", "Go", "en-us", "O B-city"),
        ("nach Rom", "Go", "de", "O O"),
    ]


TWO = {"text": "two", "entity": "snips/number", "slot_name": "people"}


def test_snips(tmp_path: Path) -> None:
    oslo = {"text": "Oslo", "entity": "place", "slot_name": "city"}
    data = {
        "intents": {
            "Book": {
                "utterances": [{"data": [{"text": "book for "}, TWO, {"text": " in "}, oslo]}, {"text": "no parts"}]
            }
        },
        "entities": {"place": {"data": [{"value": "Oslo", "synonyms": ["Christiania"]}]}, "snips/number": {}},
        "language": "en",
    }
    more = written(tmp_path, "more.csv", "text,intent,city\nto Christiania,Go,Oslo\n")
    rows, report = imported(tmp_path, as_json(tmp_path, "snips.json", data), more)
    assert told(rows, "text", "intent", "language", "slots") == [
        ("book for two in Oslo", "Book", "en", "O O B-people O B-city"),
        ("to Christiania", "Go", "", "O B-city"),
    ]
    assert places(report, "dropped", "utterance without a list of parts") == [f"{tmp_path / 'snips.json'} utterance 2"]


def test_the_benchmark_of_snips(tmp_path: Path) -> None:
    data = {"AddToPlaylist": [{"data": [{"text": "Add a "}, {"text": "new song", "entity": "music_item"}]}]}
    rows, _ = imported(tmp_path, as_json(tmp_path, "train_AddToPlaylist.json", data))
    assert told(rows, "text", "intent", "slots") == [
        ("Add a new song", "AddToPlaylist", "O O B-music_item I-music_item")
    ]


def dialogflow(folder: Path) -> Path:
    agent = folder / "agent"
    oslo = {"text": "Oslo", "meta": "@sys.geo-city", "alias": "city", "userDefined": True}
    phrases = [
        {"data": [{"text": "a table in "}, oslo, {"text": " now", "meta": "@sys.ignore"}], "isTemplate": False},
        {"data": [{"text": "to @sys.geo-city:city"}], "isTemplate": True},
    ]
    as_json(agent, "agent.json", {"language": "en"})
    as_json(agent, "intents/Book a table.json", {"name": "Book a table"})
    as_json(agent, "intents/Book a table_usersays_en.json", phrases)
    as_json(agent, "intents/bye_usersays_fr.json", [{"data": [{"text": "au revoir"}], "lang": "fr"}])
    as_json(agent, "entities/place_entries_en.json", [{"value": "Oslo", "synonyms": ["Oslo", "Christiania"]}])
    return agent


@pytest.mark.parametrize("kind", ["folder", "zip", "files"])
def test_dialogflow(kind: str, tmp_path: Path) -> None:
    agent = dialogflow(tmp_path)
    files = [agent]
    if kind == "zip":
        files = [tmp_path / "agent.zip"]
        with zipfile.ZipFile(files[0], "w") as archive:
            for path in agent.rglob("*.json"):
                archive.write(path, path.relative_to(agent).as_posix())
    elif kind == "files":
        files = sorted(agent.glob("intents/*_usersays_*.json"))
    rows, report = imported(tmp_path, *files)
    assert told(rows, "text", "intent", "language", "slots") == [
        ("a table in Oslo now", "Book a table", "en", "O O O B-city O"),
        ("au revoir", "bye", "fr", "O O"),
    ]
    assert len(places(report, "dropped", "template of Dialogflow")) == 1
    assert report["vocabulary"]["lookup tables"] == (0 if kind == "files" else 1)


def test_a_folder_or_zip_with_other_data_is_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    assert f"For other data, pass the files, such as {tmp_path / 'data'}/*.yml" in error_of(
        capsys, tmp_path, tmp_path / "data"
    )
    broken = written(tmp_path, "data.zip", "no zip")
    assert "data.zip is not a readable zip file: " in error_of(capsys, tmp_path, broken)
    assert "none.zip cannot be read: No such file" in error_of(capsys, tmp_path, tmp_path / "none.zip")


def test_dialogflow_cx(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    parts = [{"text": "in ", "auto": True}, {"text": "Oslo", "parameterId": "city", "auto": True}]
    phrases = [{"parts": parts, "repeatCount": 1, "languageCode": "en"}, {"parts": [{"text": "book"}]}]
    as_json(agent, "intents/Book a table/Book a table.json", {"displayName": "Book a table"})
    as_json(agent, "intents/Book a table/trainingPhrases/en.json", {"trainingPhrases": phrases})
    as_json(agent, "entityTypes/city/entities/en.json", {"entities": [{"value": "Oslo", "synonyms": ["Oslo"]}]})
    rows, report = imported(tmp_path, agent)
    assert told(rows, "text", "intent", "language", "slots") == [
        ("in Oslo", "Book a table", "en", "O B-city"),
        ("book", "Book a table", "en", "O"),
    ]
    assert report["vocabulary"]["lookup tables"] == 1


def test_api_ai(tmp_path: Path) -> None:
    data = {"name": "hi", "userSays": [{"data": [{"text": "hello"}], "isTemplate": False}], "responses": []}
    as_json(tmp_path / "agent", "intents/hi.json", data)
    rows, _ = imported(tmp_path, tmp_path / "agent")
    assert told(rows, "text", "intent") == [("hello", "hi")]


@pytest.mark.parametrize("name", ["data", "utterances", "examples"])
def test_an_object_around_the_rows(name: str, tmp_path: Path) -> None:
    entities = [{"entity": "city:from", "body": "Oslo", "start": 5, "end": 9, "entities": []}]
    data = {
        "version": 1,
        name: [{"text": "from Oslo", "intent": "fly", "entities": entities, "traits": []}],
        "more": [],
    }
    read, _ = imported(tmp_path, as_json(tmp_path, "wit.json", data))
    assert told(read, "text", "intent", "slots") == [("from Oslo", "fly", "O B-city:from")]


CONLL = """\
-DOCSTART- O

# intent: book
# language = en
book\tVB\tO
in\tIN\tO
New\tNNP\tB-city
York\tNNP\tI-city

# text = hi there
hi O
there O

broken
to O
"""


def test_conll(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, written(tmp_path, "a.conll", CONLL))
    assert told(rows, "text", "intent", "language", "slots") == [
        ("book in New York", "book", "en", "O O B-city I-city"),
        ("hi there", "", "", "O O"),
    ]
    assert places(report, "dropped", "line without a word and its BIO tag") == [f"{tmp_path / 'a.conll'} line 14"]


def test_conll_that_counts_its_words(tmp_path: Path) -> None:
    text = "# intent: alarm\n1\tat\talarm\tO\n2\tsix\talarm\tB-time\n"
    rows, _ = imported(tmp_path, written(tmp_path, "xsid.conll", text))
    assert told(rows, "text", "intent", "slots") == [("at six", "alarm", "O B-time")]


def test_the_iob_of_atis(tmp_path: Path) -> None:
    text = "BOS fly to Oslo EOS\tO O O B-city atis_flight\r\nBOS hello EOS\tO O atis_greet\r\n"
    rows, report = imported(tmp_path, written(tmp_path, "atis.iob", text))
    assert told(rows, "text", "intent", "slots") == [
        ("fly to Oslo", "atis_flight", "O O B-city"),
        ("hello", "atis_greet", "O"),
    ]
    assert report["rows"]["dropped"] == 0


def test_massive(tmp_path: Path) -> None:
    records = [
        {
            "id": "1",
            "locale": "en-US",
            "partition": partition,
            "scenario": "alarm",
            "intent": "alarm_set",
            "utt": "wake me up at nine am on friday",
            "annot_utt": "wake me up at [time : nine am] on [date : friday]",
            "worker_id": "1",
            "slot_method": [{"slot": "time", "method": "translation"}],
            "judgments": [{"worker_id": "22"}],
        }
        for partition in ("train", "dev", "test")
    ]
    records.append({**records[0], "utt": "at nine am", "annot_utt": "to [time : nine am]"})
    path = written(tmp_path, "en-US.jsonl", "\n".join(map(json.dumps, records)))
    rows, report = imported(tmp_path, path)
    assert told(rows, "text", "intent", "language", "slots", "split")[2:] == [
        ("wake me up at nine am on friday", "alarm_set", "en-US", "O O O O B-time I-time O B-date", "2"),
        ("at nine am", "alarm_set", "en-US", "O B-time I-time", "0"),
    ]
    assert [row["split"] for row in rows] == ["0", "1", "2", "0"]
    assert report["notes"] == []
    assert {row["scenario"] for row in rows} == {"alarm"}


def test_clinc(tmp_path: Path) -> None:
    pair = ["how do i say hi", "translate"]
    data = {"train": [pair, ["a", 1]], "val": [pair], "test": [pair], "oos_val": [["why", "oos"]], "oos_test": []}
    path = as_json(tmp_path, "data_full.json", data)
    rows, report = imported(tmp_path, path)
    assert told(rows, "text", "intent", "split") == [
        ("how do i say hi", "translate", "0"),
        ("how do i say hi", "translate", "1"),
        ("how do i say hi", "translate", "2"),
        ("why", "oos", "1"),
    ]
    assert places(report, "dropped", "not a pair") == [f"{path} train 2"]


def test_lists_of_intents(tmp_path: Path) -> None:
    tutorial = {"intents": [{"tag": "greet", "patterns": ["hi", "hello"], "responses": ["Hi!"]}, {"tag": "later"}]}
    watson = {
        "language": "en",
        "intents": [
            {
                "intent": "go",
                "examples": [
                    {"text": "to Oslo", "mentions": [{"entity": "city", "location": [3, 7]}]},
                    {"text": "to Christiania"},
                    {"words": "?"},
                ],
            }
        ],
        "entities": [{"entity": "city", "values": [{"value": "Oslo", "synonyms": ["Christiania"]}]}],
    }
    rows, report = imported(tmp_path, as_json(tmp_path, "a.json", tutorial), as_json(tmp_path, "w.json", watson))
    assert told(rows, "text", "intent", "language", "slots") == [
        ("hi", "greet", "", ""),
        ("hello", "greet", "", ""),
        ("to Oslo", "go", "en", "O B-city"),
        ("to Christiania", "go", "en", ""),
    ]
    assert places(report, "dropped", "no text") == [f"{tmp_path / 'w.json'} example 3"]
    assert "An intent has no examples: {'tag': 'later'}" in report["notes"][0]


PARSED = {
    "text": "to Oslo",
    "intent": {"name": "go", "confidence": 0.98},
    "entities": [
        {"entity": "city", "start": 3, "end": 7, "value": "Oslo", "confidence_entity": 0.9, "extractor": "DIET"}
    ],
    "text_tokens": [[0, 2], [3, 7]],
    "intent_ranking": [{"name": "go", "confidence": 0.98}],
    "response_selector": {"all_retrieval_intents": [], "default": {}},
}


@pytest.mark.parametrize("form", ["lines", "lines named .json", "list", "object"])
def test_output_of_rasas_parser(form: str, tmp_path: Path) -> None:
    content = {"list": json.dumps([PARSED]), "object": json.dumps(PARSED, indent=1)}.get(
        form, json.dumps(PARSED) + "\n"
    )
    rows, report = imported(tmp_path, written(tmp_path, f"parsed.{'jsonl' if form == 'lines' else 'json'}", content))
    assert told(rows, "text", "intent", "slots") == [("to Oslo", "go", "O B-city")]
    assert [*rows[0]] == ["text", "intent", "slots", "language"] + (["split"] if "split" in rows[0] else [])
    left = "Lists and objects cannot be traits and were left out: 'text_tokens', 'intent_ranking', 'response_selector'."
    assert report["notes"][0].endswith(left)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("nlu.md", "convert it with `rasa data convert nlu -f yaml --data {path} --out nlu.yml`"),
        ("app.lu", "convert it with `bf luis:convert --in {path} --out luis.json`"),
        ("data.xlsx", "Spreadsheets are not supported: save it as CSV."),
        ("data.tar.gz", "Expected one of .csv, .tsv, .json"),
        ("notes.txt", "is not in CoNLL format with a word and its tag per line."),
        (
            "other.json",
            "is an object with ['a']; expected a list of objects (Hexabot's export), or an export of Rasa",
        ),
    ],
)
def test_other_formats_get_a_conversion(
    name: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, name, '{"a": 1}\n')
    error = error_of(capsys, tmp_path, path)
    assert advice.format(path=path) in error
    assert '{"text": "fly to Oslo", "intent": "fly", "entities": [{"entity": "city", "start": 7, "end": 11}]}' in error


def test_the_recommended_json_lines_format_works(tmp_path: Path) -> None:
    from training.imports.sources import JSON_LINES

    line = JSON_LINES[JSON_LINES.index("{") : JSON_LINES.rindex("}") + 1]
    rows, _ = imported(tmp_path, written(tmp_path, "a.jsonl", line))
    assert told(rows, "text", "intent", "slots") == [("fly to Oslo", "fly", "O O B-city")]


ROLE = {"text": "Oslo", "meta": "@place", "alias": "city", "entity": "place", "slot_name": "city"}
SHAPES: dict[str, Any] = {
    "luis": LUIS,
    "clu": {"metadata": {"language": "de"}, "assets": {"utterances": LUIS["utterances"], "entities": [{"list": {}}]}},
    "snips": {
        "intents": {"Go": {"utterances": [{"data": [{"text": "to "}, ROLE]}]}},
        "entities": {"place": {"data": [{"value": "Oslo", "synonyms": ["Christiania"]}]}},
    },
    "benchmark": {"Go": [{"data": [{"text": "to "}, ROLE]}]},
    "dialogflow": [{"data": [{"text": "to "}, ROLE], "isTemplate": False, "lang": "en"}],
    "clinc": {"train": [["hi", "greet"]], "oos_val": [["why", "oos"]]},
    "watson": {
        "intents": [{"intent": "go", "examples": [{"text": "to Oslo", "mentions": [{"location": [3, 7]}]}]}],
        "entities": [{"entity": "city", "values": [{"value": "Oslo", "synonyms": ["Christiania"]}]}],
    },
    "rasa": {
        "rasa_nlu_data": {
            "common_examples": [{**PARSED, "intent": "go", "metadata": {"language": "en"}}],
            "entity_synonyms": [{"value": "Oslo", "synonyms": ["Christiania"]}],
            "lookup_tables": [{"name": "city", "elements": ["Oslo"]}],
        }
    },
    "massive": [{"locale": "en-US", "partition": "dev", "utt": "at nine", "annot_utt": "at [time : nine]"}],
    "parsed": [PARSED],
}
ODD = (None, 1, 1.5, "", "[1]", True, [], {}, [[]], [{}], {"a": [1]}, [None], float("inf"), "\ud800")


def changed(data: Any, generator: random.Random) -> Any:
    """Return data with one to three values replaced by unusual ones, or removed."""
    data = json.loads(json.dumps(data))
    for _ in range(generator.randint(1, 3)):
        places = list(containers(data))
        if not places:
            break
        container, key = generator.choice(places)
        if isinstance(container, dict) and generator.random() < 0.2:
            del container[key]
        else:
            container[key] = json.loads(json.dumps(generator.choice(ODD)))
    return data


def containers(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list and object in data, with each of its keys."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(pairs):
        yield data, key
        yield from containers(value)


@pytest.mark.parametrize("name", SHAPES)
def test_data_of_any_shape_is_imported_or_rejected_with_a_message(name: str, tmp_path: Path) -> None:
    generator, imports = random.Random(name), 0
    for _ in range(150):
        path = as_json(tmp_path, "hi_usersays_en.json", changed(SHAPES[name], generator))
        try:
            import_files([path], tmp_path / "data.jsonl", ImportOptions())
        except (TrainingError, ExportError):
            continue
        imports += 1
        content = (tmp_path / "data.jsonl").read_text("utf-8")
        for line in content.splitlines():
            values = [value for key, value in json.loads(line).items() if key != "text"]
            assert not any(str(value).startswith(("{'", "[{", "[[", "[None", "{'a'")) for value in values)
    assert imports > 10
