"""Files of rows, as people have them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from export.errors import ModelError
from export.rows import read_rows, with_text_column

RECORDS = [
    {"text": "hi, you; there", "intent": "a"},
    {"text": "null", "intent": "NA"},
    {"text": "été\n🎉", "intent": "b"},
]
CSV = 'text,intent\n"hi, you; there",a\nnull,NA\n"été\n🎉",b\n'


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, name: str, content: str | bytes) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = read_rows(write(folder / name, content)).to_dict("records")
    return records


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("A.CSV", CSV),
        ("windows.csv", CSV.replace('"\n"', '"').replace("a\nnull,NA\n", "a\r\nnull,NA\r\n")),
        ("semicolons.csv", 'text;intent\n"hi, you; there";a\nnull;NA\n"été\n🎉";b\n'),
        ("semicolons-bom.csv", b"\xef\xbb\xbf" + 'text;intent\n"hi, you; there";a\nnull;NA\n"été\n🎉";b'.encode()),
        ("a.tsv", 'text\tintent\nhi, you; there\ta\nnull\tNA\n"été\n🎉"\tb\n'),
        ("a.json", pd.DataFrame(RECORDS).to_json(orient="records")),
        ("a.jsonl", pd.DataFrame(RECORDS).to_json(orient="records", lines=True, force_ascii=False)),
        ("gaps.jsonl", "\n" + pd.DataFrame(RECORDS).to_json(orient="records", lines=True) + "\n  \n"),
        ("bom.json", b"\xef\xbb\xbf" + pd.DataFrame(RECORDS).to_json(orient="records").encode()),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() and len(value) < 30 else "",
)
def test_each_format_gives_the_same_rows(name: str, content: str | bytes, tmp_path: Path) -> None:
    assert read(tmp_path, name, content) == RECORDS


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    pd.DataFrame(RECORDS).to_parquet(tmp_path / "a.parquet")
    assert read_rows(tmp_path / "a.parquet").to_dict("records") == RECORDS


@pytest.mark.parametrize("word", ["null", "NA", "nan", "NaN", "None", "n/a", "true", "007", "1e5", " x "])
@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl"])
def test_text_stays_text(word: str, ending: str, tmp_path: Path) -> None:
    content = {
        "csv": f"text,more\n{word},y\n",
        "tsv": f"text\tmore\n{word}\ty\n",
        "json": f'[{{"text": "{word}", "more": "y"}}]',
        "jsonl": f'{{"text": "{word}", "more": "y"}}',
    }[ending]
    assert read(tmp_path, f"a.{ending}", content) == [{"text": word, "more": "y"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "text,intent\nhi,\n"), ("short.csv", "text,intent\nhi\n"), ("a.tsv", "text\tintent\nhi\t\n")],
)
def test_an_empty_cell_is_an_empty_text(name: str, content: str, tmp_path: Path) -> None:
    assert read(tmp_path, name, content) == [{"text": "hi", "intent": ""}]


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_null_is_missing(ending: str, tmp_path: Path) -> None:
    records = ['{"text": "hi", "intent": null}', '{"text": "bye"}']
    rows = read_rows(
        write(tmp_path / f"a.{ending}", f"[{','.join(records)}]" if ending == "json" else "\n".join(records))
    )
    assert list(rows["text"]) == ["hi", "bye"]
    assert rows["intent"].isna().all()


@pytest.mark.parametrize("text", ["a\x85b", "a\u2028b", "a\x0bb"], ids=["next line", "line separator", "vertical tab"])
def test_a_line_of_jsonl_ends_at_a_newline_only(text: str, tmp_path: Path) -> None:
    escaped = text.replace("\x0b", "\\u000b")
    assert read(tmp_path, "a.jsonl", f'{{"text": "{escaped}"}}\n{{"text": "b"}}') == [{"text": text}, {"text": "b"}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "is broken: No columns to parse from file."),
        ("a.csv", "text,intent\n", "has no rows."),
        (
            "a.csv",
            "text,intent\nhi,a\nhi, you,b\n",
            "is broken: Error tokenizing data. .*Expected 2 fields in line 3, s",
        ),
        (
            "a.csv",
            "text,intent\nhi, you,b\nhi,a\n",
            "the rows have more values than the header has names; quote a text",
        ),
        ("a.csv", "text;intent\nhi; you;b\n", "more values than the header has names; quote a text that holds ';'"),
        ("a.tsv", "text\tintent\nhi\tb\t\n", r"more values than the header has names; quote a text that holds '\\t'"),
        ("a.csv", 'text,intent\n"hi,a\n', "is broken: Error tokenizing data. .*EOF inside string"),
        ("a.csv", "text\ncafé\n".encode("latin-1"), "is broken: 'utf-8' codec can't decode"),
        ("a.csv", "text\nhi\n".encode("utf-16"), "is broken: 'utf-8' codec can't decode"),
        ("a.json", '[{"text": "hi"', "is broken: Expecting ',' delimiter: line 1 column 15"),
        ("a.json", '{"text": "hi"}', "is broken: expected a list of objects, one for each row."),
        ("a.json", '["hi"]', "is broken: expected a list of objects, one for each row."),
        ("a.json", "[]", "has no rows."),
        ("a.json", b"\xff", "is broken: 'utf-8' codec can't decode"),
        ("a.json", '[{"text": "\\ud800"}]', "is broken: 'utf-8' codec can't encode character .*surrogates not allowed"),
        ("a.jsonl", '{"text": "hi"}\n{"text"\n', "is broken: line 2: Expecting ':' delimiter"),
        ("a.jsonl", '{"text": "hi"}\n["hi"]\n', r"is broken: line 2: expected an object, found \[\"hi\"\]."),
        ("a.jsonl", "1\n2\n", "is broken: line 1: expected an object, found 1."),
        ("a.jsonl", "\n", "has no rows."),
        ("a.parquet", "PAR1 and no more", "is broken: .*Parquet"),
        ("a.parquet", "", "is broken: .*Parquet"),
    ],
)
def test_a_broken_file_is_named_with_its_reason(name: str, content: str | bytes, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(ModelError, match=f"^{path} (?s:.*){reason}"):
        read_rows(path)


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_what_is_no_file_is_named(ending: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"none\.{ending} cannot be read: .*[Nn]o such file"):
        read_rows(tmp_path / f"none.{ending}")


def test_a_folder_is_no_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ModelError, match=r"a\.csv cannot be read: Is a directory\.$"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.xls", "a.txt", "csv", "a.csv.gz"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected one of \.csv, \.tsv, \.json, \.jsonl, \.parquet"):
        read_rows(write(tmp_path / name, CSV))


@pytest.mark.parametrize(
    ("has", "read_as", "expected"),
    [
        (["utterance"], ["text"], ["text"]),
        (["text"], ["utterance"], ["utterance"]),
        (["text", "utterance"], ["text"], ["text", "utterance"]),
        (["text"], ["words"], ["text"]),
        (["words"], ["text"], ["words"]),
    ],
    ids=["utterance", "text", "both", "another name", "neither"],
)
def test_the_words_may_stand_in_the_other_column(has: list[str], read_as: list[str], expected: list[str]) -> None:
    assert list(with_text_column(pd.DataFrame({name: ["hi"] for name in has}), read_as)) == expected
