"""`python -m training import`: real files of every shape, with the mistakes that such files have."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from export.rows import read_rows
from tests.trained import ROOT
from training.__main__ import main
from training.config import read_config
from training.dataset import prepare
from training.slots import spread_tags

DATA = Path(__file__).parent / "data"
Rows = list[dict[str, Any]]


def imported(folder: Path, *arguments: object, suffix: str = ".csv") -> tuple[Rows, dict[str, Any]]:
    """Import, and return the dataset as training reads it, and the report."""
    output, report = folder / f"data{suffix}", folder / "report.json"
    assert main(["import", *map(str, arguments), "--output", str(output), "--report", str(report)]) == 0
    rows = read_rows(output).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows], json.loads(report.read_text("utf-8"))


def error_of(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object) -> str:
    """Return the one line that an import fails with, and check that nothing was written."""
    before = sorted(folder.iterdir())
    assert main(["import", *map(str, arguments), "--output", str(folder / "data.csv")]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sorted(folder.iterdir()) == before
    return err.removeprefix("error: ").strip()


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def slots(rows: Rows) -> dict[str, str]:
    return {row["text"]: row["slots"] for row in rows}


def places(report: dict[str, Any], section: str, what: str) -> list[str]:
    """Return the rows of which a report says something, without their files."""
    found = [entry["rows"] for entry in report[section] if entry["what"].startswith(what)]
    return [row["place"].removeprefix(str(DATA) + os.sep) for rows in found for row in rows]


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
        "Rome to Rome": "B-city O O",
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
    assert report["columns"]["mood"].startswith("a trait: 0 of 2 values stand in the text")
    assert report["counts"]["entity"] == {"city": 8, "origin": 1}


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


def test_rasas_json_counts_characters(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, DATA / "rasa.json")
    assert slots(rows) == {"🙂 fly to Rome": "O O O B-city", "fly to NYC": "O O B-city"}
    assert places(report, "dropped", "no object") == ["rasa.json example 3"]
    assert places(report, "findings", "value that differs from the text") == ["rasa.json example 2"]


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
    assert places(report, "dropped", "more values than the header has names") == ["hexabot.csv line 9"]
    assert places(report, "findings", "value not found") == ["hexabot.csv line 6"]
    assert report["columns"]["city"].startswith("a slot: 3 of 4")
    assert report["columns"]["mood"].startswith("a trait: 0 of 6")
    assert [row["language"] for row in rows] == ["en", "en", "en", "en", "xx", "en"]
    assert report["files"][0]["kind"] == "CSV, separated by ';'"


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


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_is_read_and_written(suffix: str, tmp_path: Path) -> None:
    texts = ["à  Paris, tout de suite", 'say "hi"; now', "null", "a\tb", "a\rb", "line\nbreak", " NA ", "\u2028x", "=1"]
    table = pd.DataFrame({"utterance": texts, "intent": ["a"] * 9, "slots": ["O " * len(t.split()) for t in texts]})
    first, second = tmp_path / f"first{suffix}", tmp_path / "second.csv"
    match suffix:
        case ".csv":
            table.to_csv(first, index=False, sep="\t", quoting=csv.QUOTE_ALL)
        case ".jsonl":
            table.to_json(first, orient="records", lines=True, force_ascii=False)
        case ".parquet":
            table.to_parquet(first)
    rows, report = imported(tmp_path, first, "--no-split", suffix=suffix)
    assert [row["text"] for row in rows] == texts
    assert [row["slots"].split() for row in rows] == [["O"] * len(text.split()) for text in texts]
    assert report["rows"]["dropped"] == 0
    assert main(["import", str(tmp_path / f"data{suffix}"), "--output", str(second), "--no-split"]) == 0
    assert read_rows(second).to_dict("records") == rows


def test_parquet_with_lists_and_missing_values(tmp_path: Path) -> None:
    entities = [[{"entity": "city", "value": "Rome", "start": 3, "end": 7}], None, []]
    frame = pd.DataFrame(
        {"text": ["to Rome", "hi", "yo"], "intent": ["a", None, "b"], "entities": entities, "n": [1.0, None, 2]}
    )
    frame.to_parquet(tmp_path / "in.parquet")
    rows, report = imported(tmp_path, tmp_path / "in.parquet")
    assert [(row["text"], row["intent"], row["slots"], row["n"]) for row in rows] == [
        ("to Rome", "a", "O B-city", "1"),
        ("yo", "b", "O", "2"),
    ]
    assert [entry["what"] for entry in report["dropped"]] == ["no label: neither intent, language, slots nor a trait"]


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("text,intent", ","),
        ("Text;Intent", ";"),
        ("intent\ttext", "\t"),
        ("\ufefftext;intent", ";"),
        ("a;text;b,c", ";"),
    ],
)
def test_delimiters_are_told_by_the_header(header: str, delimiter: str, tmp_path: Path) -> None:
    names = header.removeprefix("\ufeff").casefold().split(delimiter)
    row = delimiter.join({"text": "one, two"}.get(name, "x") for name in names)
    row = row.replace("one, two", '"one, two"')
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", f"{header}\r\n{row}\r\n"))
    assert [row["text"] for row in rows] == ["one, two"]


def test_excels_unicode_text_is_read(tmp_path: Path) -> None:
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", "text\tintent\nété\ta\n".encode("utf-16")))
    assert rows[0]["text"] == "été"


BROKEN = {
    "empty.csv": ("", r"empty\.csv has no header in its first line"),
    "header.csv": ("text,intent\n", r"header\.csv has no rows"),
    "textless.csv": ("frage,intent\na,b\n", r"has the columns \['frage', 'intent'\].*--column text=NAME"),
    "twice.csv": ("text,intent,intent\na,b,c\n", "two columns for 'intent'"),
    "quote.csv": ('text,intent\na,b\n"c,d\ne,f\n', "broken in the row that begins at line 3: unexpected end of data"),
    "latin.csv": (b"text,intent\na,b\n\xe9t\xe9,b\n", r"not UTF-8 at line 3, byte 1 \(b'\\xe9t\\xe9,'\)"),
    "cut.json": ('[{"text": "a"},\n{"text": ', "is not JSON at line 2, column 10"),
    "object.json": ('{"statusCode": 401}', r"holds an object with \['statusCode'\]; expected a list of objects"),
    "deep.json": ("[" * 100_000, "is nested too deeply|is not JSON"),
    "textless.json": ('[{"frage": "a"}]', r"has the columns \['frage'\]"),
    "cut.jsonl": ('{"text": "a", "intent": "b"}\n{"text"\n', 'broken at line 2: .*Found \'{"text"'),
    "rasa.json": ('{"common_examples": 3}', "has no list of common_examples"),
    "cut.yml": ("nlu:\n- intent: a\n  examples: [\n", "is not YAML at line 4"),
    "domain.yml": ("intents:\n- greet\n", r"has no list `nlu:`, found \['intents'\]"),
    "words.yml": ("hello", "has no list `nlu:`, found no sections"),
    "broken.parquet": (b"PAR1", r"broken\.parquet is broken|cannot be read"),
    "data.xlsx": ("", "has the ending '.xlsx'; expected one of .csv, .tsv, .json"),
    "nothing.csv": ("text,intent\n,\n", r"No row is left: 1 dropped: no text \(.*nothing.csv line 2\)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_its_row(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = BROKEN[name]
    path = written(tmp_path, name, content)
    error = error_of(capsys, tmp_path, path)
    assert str(path) in error
    assert re.search(message, error), error


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("none.csv", "none.json", "none.parquet", "none.yml"):
        assert "cannot be read: No such file or directory." in error_of(capsys, tmp_path, tmp_path / name)


def test_what_exists_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = written(tmp_path, "in.csv", "text,intent\na,b\n"), written(tmp_path, "data.csv", "mine")
    assert "data.csv exists: give another name, or --overwrite." in error_of(capsys, tmp_path, source)
    assert output.read_text() == "mine"
    report = ["--report", str(output / "report.json"), "--overwrite"]
    assert main(["import", str(source), "--output", str(tmp_path / "new.csv"), *report]) == 1
    assert "report.json cannot be written: " in capsys.readouterr().err
    (tmp_path / "new.csv").unlink()
    assert main(["import", str(source), "--output", str(source), "--overwrite"]) == 1
    assert "is read and would be written" in capsys.readouterr().err
    assert main(["import", str(source), "--output", str(output), "--overwrite"]) == 0
    assert read_rows(output)["text"].to_list() == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "in.csv"]


def test_a_failed_writing_leaves_the_old_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    source, output = written(tmp_path, "in.csv", "text,intent\na,b\n"), written(tmp_path, "data.csv", "old")
    monkeypatch.setattr("training.importing._write_csv", fail)
    assert main(["import", str(source), "--output", str(output), "--overwrite"]) == 1
    assert "data.csv cannot be written: No space left on device." in capsys.readouterr().err
    assert (output.read_text(), len([*tmp_path.iterdir()])) == ("old", 2)


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    source = written(
        tmp_path, "in.csv", "question,label,ort\nnach Rom,reise,Rom\nnach Ulm,reise,Bern\nhallo,gruß,Rom\n"
    )
    names = ["--column", "text=question", "--column", "intent=label", "--column", "city=ort"]
    rows, report = imported(tmp_path, source, *names, "--slot", "city")
    assert [(row["intent"], row["slots"]) for row in rows] == [("reise", "O B-city"), ("reise", ""), ("gruß", "")]
    assert "1 of 3" in report["columns"]["city"]


def test_the_user_may_call_a_column_a_trait(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,city\nto Rome,a,Rome\n")
    rows, _ = imported(tmp_path, source, "--trait", "city")
    assert (rows[0]["city"], rows[0]["slots"]) == ("Rome", "")


def test_none_may_stay_a_class(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nwhat,none\n")
    rows, report = imported(tmp_path, source, "--keep-none")
    assert ([row["intent"] for row in rows], report["findings"]) == (["greet", "none"], [])


def test_a_none_without_other_labels_is_dropped(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nwhat,none\n")
    rows, report = imported(tmp_path, source, "--language", "en")
    assert [row["intent"] for row in rows] == ["greet"]
    assert report["dropped"][0]["rows"] == [{"place": f"{source} line 3", "found": "what"}]


def test_half_a_character_is_dropped(tmp_path: Path) -> None:
    source = written(
        tmp_path, "in.json", r'[{"text": "\ud83d", "intent": "a"}, {"text": "\ud83d\ude42", "intent": "a"}]'
    )
    rows, report = imported(tmp_path, source)
    assert [row["text"] for row in rows] == ["🙂"]
    assert places(report, "dropped", "text that is not Unicode") == [f"{source} row 1"]


def test_entities_that_cannot_be_read_leave_the_intent(tmp_path: Path) -> None:
    records = [
        {"text": "to Rome", "intent": "a", "entities": "Rome"},
        {"text": "to Rome", "intent": "a", "entities": [{"value": "Rome"}]},
        {"text": "to Rome", "intent": "a", "entities": [{"entity": "city", "value": "Rome", "start": "3", "end": 7.0}]},
        {"text": "to Rome", "intent": "a", "entities": [{"entity": "my city", "value": "Rome", "start": 3}]},
        {"text": "to Rome", "intent": "a", "entities": [{"entity": "city", "value": "Rome", "start": True, "end": {}}]},
        {"text": "to Rome", "intent": "a", "entities": [{"entity": "city", "value": "Oslo", "start": -3, "end": 99}]},
    ]
    rows, report = imported(tmp_path, written(tmp_path, "in.jsonl", "\n".join(map(json.dumps, records))))
    assert [row["slots"] for row in rows] == ["", "", "O B-city", "O B-my_city", "O B-city", ""]
    assert len(places(report, "findings", "value not found")) == 1


def test_duplicates_and_texts_under_two_labels_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nHi ,leave\nhi,greet\nbye,leave\n")
    _, report = imported(tmp_path, source)
    assert report["same_text_under_two_labels"] == [
        {
            "text": "hi",
            "column": "intent",
            "labels": {"greet": [f"{source} line 2", f"{source} line 4"], "leave": [f"{source} line 3"]},
        }
    ]
    assert report["duplicates"] == [{"text": "hi", "places": [f"{source} line 2", f"{source} line 4"]}]
    assert report["fewer_than"] == {
        "rows": 10,
        "labels": {"intent": {"greet": 2, "leave": 2}, "language": {}, "entity": {}},
    }
    told = capsys.readouterr().err
    assert "Texts under two labels of intent: 1." in told
    assert "Rows that repeat another: 1" in told
    assert "Fewer than 10: greet 2, leave 2." in told
    rows, report = imported(tmp_path, source, "--drop-duplicates", "--overwrite")
    assert (len(rows), places(report, "dropped", "the same text and labels")) == (3, [f"{source} line 4"])


TEMPLATES = "".join(
    f"{{}} {city} {verb},{verb},{city}\n" for city in ("Rome", "Oslo", "New York", "Bonn") for verb in ("fly", "drive")
)


def many(folder: Path) -> Path:
    rows = "".join(TEMPLATES.format(*[f"word{i}"] * 8) for i in range(40))
    return written(folder, "in.csv", "text,intent,city\n" + rows)


def test_splits_are_by_intent_and_keep_templates_together(tmp_path: Path) -> None:
    rows, report = imported(tmp_path, many(tmp_path))
    assert report["splits"]["rows"] == {"train": 256, "validation": 32, "test": 32}
    assert report["splits"]["intents_without"] == {"train": [], "validation": [], "test": []}
    parts: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        parts.setdefault((row["text"].split()[0], row["intent"]), set()).add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    for intent in ("fly", "drive"):
        assert [sum(row["intent"] == intent and row["split"] == part for row in rows) for part in "012"] == [
            128,
            16,
            16,
        ]


def test_splits_depend_on_the_seed_alone(tmp_path: Path) -> None:
    source = many(tmp_path)
    found = [
        [row["split"] for row in imported(tmp_path, source, "--overwrite", "--seed", seed)[0]] for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("given", "sizes"), [("0.5,0.25,0.25", [160, 80, 80]), ("0.9,0.1,0", [288, 32, 0]), ("1,0,0", None)]
)
def test_fractions_are_the_users(given: str, sizes: list[int] | None, tmp_path: Path) -> None:
    rows, report = imported(tmp_path, many(tmp_path), "--split", given)
    if sizes:
        assert [sum(row["split"] == part for row in rows) for part in "012"] == sizes
    else:
        assert "split" not in rows[0]
        assert "too few or too alike" in report["notes"][0]


@pytest.mark.parametrize("given", ["0.8,0.1", "a,b,c", "0.8,0.1,0.2", "-1,1,1", "0,0.5,0.5", "nan,0,1"])
def test_fractions_must_make_one(given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, "in.csv", "text,intent\na,b\n")
    assert "expected train, validation and test that make 1" in error_of(capsys, tmp_path, source, f"--split={given}")


def test_the_files_own_split_is_kept(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,split\nhi,a,train\nbye,b,dev\nHI,a,2\n")
    rows, report = imported(tmp_path, source)
    assert [row["split"] for row in rows] == ["0", "1", "2"]
    assert (report["splits"]["origin"], report["splits"]["templates_in_two_parts"]) == ("the files' own", 1)
    assert report["splits"]["intents_without"]["test"] == ["b"]


def test_a_split_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,split\nhi,a,train\nbye,b,dev\nso,a,\n")
    _, report = imported(tmp_path, source)
    assert report["splits"]["origin"].startswith("by intent")
    assert report["notes"][0].startswith("The files' own split was replaced")


def test_languages_must_be_codes(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,language\nhi,en\nsalut,French\noi,pt-BR\nbom,pt_BR\n")
    rows, report = imported(tmp_path, source)
    assert places(report, "findings", "language that is no code") == [f"{source} line 3"]
    assert [row["language"] for row in rows] == ["en", "French", "pt-BR", "pt_BR"]


def test_few_rows_are_split_with_something_to_validate_on(tmp_path: Path) -> None:
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", "text,intent\na,x\nb,y\nc,x\n"))
    assert sorted(row["split"] for row in rows) == ["0", "1", "2"]
    rows, report = imported(tmp_path, written(tmp_path, "in.csv", "text,intent\na,x\nA,x\n"), "--overwrite")
    assert ("split" in rows[0], len(report["notes"])) == (False, 1)


@pytest.mark.parametrize("kind", ["intent", "language", "slots"])
def test_training_takes_what_import_writes(kind: str, tmp_path: Path) -> None:
    files = [
        DATA / name for name in ("hexabot-ludwig.json", "hexabot-entities.json", "hexabot.csv", "nlu.yml", "rasa.json")
    ]
    imported(tmp_path, *files, "--language", "en")
    dataset = read_rows(tmp_path / "data.csv")
    config = read_config(Path({"intent": "intent-lstm", "language": "language-cnn", "slots": "slots-lstm"}[kind]))
    config, prepared = prepare(config, dataset)
    assert config["preprocessing"]["split"] == {"type": "fixed", "column": "split"}
    assert len(prepared) == (dataset[kind] != "").sum() > 10
    if kind == "slots":
        decoder = {"type": "tagger"}
        preprocessing = {"tokenizer": "space", "lowercase": True}
        tagged = spread_tags(
            {
                "input_features": [{"name": "text", "type": "sequence", "preprocessing": preprocessing}],
                "output_features": [{"name": "slots", "type": "sequence", "decoder": decoder}],
            },
            prepared,
        )
        assert tagged["slots"].iloc[0] == "O O O O B-city I-city"


@pytest.fixture
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give an environment in which whoever imports Ludwig, torch or pandas dies loudly."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("ludwig", "torch", "pandas", "transformers"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def run(arguments: Sequence[object], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "import", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_importing_is_light(light: dict[str, str], tmp_path: Path) -> None:
    found = run([DATA / "nlu.yml", DATA / "hexabot.csv", "--output", tmp_path / "data.jsonl"], light)
    assert (found.returncode, found.stdout) == (0, "")
    assert "Kept 12 rows, dropped 3." in found.stderr
    assert "Next: python -m training fit --config intent-lstm" in found.stderr


def test_help_teaches(light: dict[str, str]) -> None:
    shown = " ".join(run(["--help"], light).stdout.split())
    for words in ("Hexabot's export", "[Paris](city)", "0 train, 1 validation, 2 test", "--report report.json"):
        assert words in shown
