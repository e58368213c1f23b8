"""`ludwig-serverless import` of tables: delimiters, encodings, columns and values."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from export.rows import read_rows
from tests.training.imports.command import imported, places, written
from training.__main__ import main


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
def test_delimiters_are_detected_by_the_header(header: str, delimiter: str, tmp_path: Path) -> None:
    names = header.removeprefix("\ufeff").casefold().split(delimiter)
    row = delimiter.join({"text": "one, two"}.get(name, "x") for name in names)
    row = row.replace("one, two", '"one, two"')
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", f"{header}\r\n{row}\r\n"))
    assert [row["text"] for row in rows] == ["one, two"]


def test_excels_utf_16_files_are_read(tmp_path: Path) -> None:
    rows, _ = imported(tmp_path, written(tmp_path, "in.csv", "text\tintent\nété\ta\n".encode("utf-16")))
    assert rows[0]["text"] == "été"


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    source = written(
        tmp_path, "in.csv", "question,label,ort\nnach Rom,reise,Rom\nnach Ulm,reise,Bern\nhallo,gruß,Rom\n"
    )
    names = ["--column", "text=question", "--column", "intent=label", "--column", "city=ort"]
    rows, report = imported(tmp_path, source, *names, "--slot", "city")
    assert [(row["intent"], row["slots"]) for row in rows] == [("reise", "O B-city"), ("reise", ""), ("gruß", "")]
    assert "1 of 3" in report["columns"]["city"]


def test_trait_overrides_the_role_of_a_column(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent,city\nto Rome,a,Rome\n")
    rows, _ = imported(tmp_path, source, "--trait", "city")
    assert (rows[0]["city"], rows[0]["slots"]) == ("Rome", "")


def test_keep_none_keeps_none_as_a_class(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nwhat,none\n")
    rows, report = imported(tmp_path, source, "--keep-none")
    assert ([row["intent"] for row in rows], report["findings"]) == (["greet", "none"], [])


def test_a_none_without_other_labels_is_dropped(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,intent\nhi,greet\nwhat,none\n")
    rows, report = imported(tmp_path, source, "--language", "en")
    assert [row["intent"] for row in rows] == ["greet"]
    assert report["dropped"][0]["rows"] == [{"place": f"{source} line 3", "found": "what"}]


def test_half_of_a_surrogate_pair_is_dropped(tmp_path: Path) -> None:
    source = written(
        tmp_path, "in.json", r'[{"text": "\ud83d", "intent": "a"}, {"text": "\ud83d\ude42", "intent": "a"}]'
    )
    rows, report = imported(tmp_path, source)
    assert [row["text"] for row in rows] == ["🙂"]
    assert places(report, "dropped", "text that is not valid Unicode") == [f"{source} row 1"]


def test_rows_with_unreadable_entities_keep_their_intent(tmp_path: Path) -> None:
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


def test_languages_must_be_codes(tmp_path: Path) -> None:
    source = written(tmp_path, "in.csv", "text,language\nhi,en\nsalut,French\noi,pt-BR\nbom,pt_BR\n")
    rows, report = imported(tmp_path, source)
    assert places(report, "findings", "language that is not a code") == [f"{source} line 3"]
    assert [row["language"] for row in rows] == ["en", "French", "pt-BR", "pt_BR"]
