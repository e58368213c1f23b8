"""Real-world data files."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from export.errors import RowsError
from export.rows import read_rows, readable_rows, with_named_columns

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
def test_csv_values_stay_text(word: str, ending: str, tmp_path: Path) -> None:
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
def test_a_line_of_jsonl_ends_only_at_a_newline(text: str, tmp_path: Path) -> None:
    escaped = text.replace("\x0b", "\\u000b")
    assert read(tmp_path, "a.jsonl", f'{{"text": "{escaped}"}}\n{{"text": "b"}}') == [{"text": text}, {"text": "b"}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "has no header line: add a first line such as"),
        ("a.csv", "text,intent\n", "has no rows."),
        (
            "a.csv",
            "text,intent\nhi,a\nhi, you,b\n",
            "line 3 cannot be read: more values than the header has columns: 3 values, expected 2: put quotes "
            "around a text that contains ','. Correct the file, or run `ludwig-serverless import .*`, which "
            "drops such rows and lists them.",
        ),
        (
            "a.csv",
            "text;intent\nhi; you;b\na;b;c\n",
            r"line 2 \(and 1 more\) cannot be read: .*put quotes around a text that contains ';'",
        ),
        ("a.csv", 'text,intent\n"Hi, "John"", said,x\n', "line 2 cannot be read: broken quotes"),
        ("a.csv", "hi,a\nyo,a\n", "has no header: .*Add a first line such as `text,intent`"),
        ("a.csv", "text,text\nhi,yo\n", "has two columns for 'text'"),
        ("a.csv", "text\nпривет\n".encode("cp1251"), "is not UTF-8 at line 2, byte 1 .*: save it as UTF-8."),
        ("a.json", '[{"text": "hi"', "is not JSON at line 1, column 15: Expecting ',' delimiter."),
        (
            "a.json",
            '{"statusCode": 401}',
            r"contains an object with \['statusCode'\]; expected a list of objects",
        ),
        ("a.json", '["hi"]', "row 1 cannot be read: not an object: hi"),
        ("a.json", "[]", "has no rows."),
        ("a.json", b"\xff", "is not UTF-8 at line 1, byte 1"),
        ("a.json", '[{"text": "a", "text": "b"}]', "has the duplicate key 'text' in an object"),
        ("a.json", "[" * 100_000, "is nested too deeply|is not JSON"),
        ("a.jsonl", '{"text": "hi"}\n{"text"\n', "is broken at line 2: Expecting ':' delimiter"),
        ("a.jsonl", '{"text": "hi"}\n{"text": 1, "text": 2}\n', "is broken at line 2: has the duplicate key 'text'"),
        ("a.jsonl", '{"text": "hi"}\n["hi"]\n', r"line 2 cannot be read: not an object: \['hi'\]"),
        ("a.jsonl", "1\n2\n", r"line 1 \(and 1 more\) cannot be read: not an object: 1"),
        ("a.jsonl", "\n", "has no rows."),
        ("a.parquet", "PAR1 and no more", "is broken: .*Parquet"),
        ("a.parquet", "", "is broken: .*Parquet"),
    ],
)
def test_a_broken_file_is_reported_with_the_reason(
    name: str, content: str | bytes, reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(RowsError, match=f"^{path} (?s:.*){reason}"):
        read_rows(path)


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_a_missing_file_is_reported(ending: str, tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=rf"none\.{ending} cannot be read: .*[Nn]o such file"):
        read_rows(tmp_path / f"none.{ending}")


def test_a_folder_is_refused_as_a_data_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(RowsError, match=r"a\.csv cannot be read: Is a directory\.$"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.xls", "a.txt", "csv", "a.csv.gz"])
def test_other_suffixes_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=r"expected one of \.csv, \.tsv, \.json, \.jsonl, \.ndjson, \.parquet"):
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
def test_text_and_utterance_are_interchangeable(has: list[str], read_as: list[str], expected: list[str]) -> None:
    assert list(with_named_columns(pd.DataFrame({name: ["hi"] for name in has}), read_as)) == expected


@pytest.mark.parametrize(
    ("has", "read_as", "expected"),
    [
        (["Text", "INTENT"], ["text", "intent"], ["text", "intent"]),
        (["Utterance", "Intent"], ["text", "intent"], ["text", "intent"]),
        (["text", "Text"], ["text"], ["text", "Text"]),
        (["Text", "TEXT"], ["text"], ["Text", "TEXT"]),
        (["frage", "label"], ["Frage", "Label"], ["Frage", "Label"]),
        (["Text", "text"], ["Text", "text"], ["Text", "text"]),
    ],
)
def test_the_case_of_a_column_does_not_matter(has: list[str], read_as: list[str], expected: list[str]) -> None:
    assert list(with_named_columns(pd.DataFrame({name: ["hi"] for name in has}), read_as)) == expected


def features(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in types.items()]


def test_labels_and_texts_become_strings_in_every_format(tmp_path: Path) -> None:
    values = [1, 2, None, 2.0, 0.5, True, float("nan"), "x", ""]
    expected = ["1", "2", None, "2", "0.5", "true", None, "x", ""]
    for name in ("a.json", "a.jsonl"):
        records = [{"text": 5, "intent": value} for value in values]
        content = json.dumps(records) if name == "a.json" else "\n".join(map(json.dumps, records))
        rows = readable_rows(read_rows(write(tmp_path / name, content)), features(text="text", intent="category"))
        assert rows["intent"].tolist() == expected
        assert set(rows["text"]) == {"5"}
    pd.DataFrame({"text": ["a", "b", "c"], "intent": [1, 2, None]}).to_parquet(tmp_path / "a.parquet")
    rows = readable_rows(read_rows(tmp_path / "a.parquet"), features(intent="category"))
    assert rows["intent"].tolist() == ["1", "2", None]


def test_numbers_stay_numbers_and_lists_become_strings() -> None:
    rows = pd.DataFrame({"n": [1, 2.5], "slots": [["O", "B-a"], "O O"], "more": [[1], {}], "vector": [[1, 2.5], "3 4"]})
    read = readable_rows(rows, features(n="number", slots="sequence", vector="vector"))
    assert read["n"].tolist() == [1, 2.5]
    assert read["slots"].tolist() == ["O B-a", "O O"]
    assert read["vector"].tolist() == ["1 2.5", "3 4"]
    assert read["more"].tolist() == [[1], {}]


def test_intents_in_the_format_of_rasas_parser_are_read() -> None:
    rows = pd.DataFrame({"intent": [{"name": "greet", "confidence": 0.9}, {"name": "bye"}, ["one"], []]})
    assert readable_rows(rows, features(intent="category"))["intent"].tolist() == ["greet", "bye", "one", None]


@pytest.mark.parametrize("value", [["a", "b"], {"confidence": 1}, [["a"]], [{"name": "a"}]])
def test_lists_and_objects_are_refused_as_labels(value: object) -> None:
    rows = pd.DataFrame({"intent": ["a", value]})
    with pytest.raises(RowsError, match=r"^Row 2 has .* in 'intent', expected a single text"):
        readable_rows(rows, features(intent="category"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", '{"text": "a"}\n{"text": "b"}\n', "line"),
        ("one.json", '{"text": "a"}\n', "one"),
        ("a.ndjson", '{"text": "a"}\n{"text": "b"}', "line"),
        ("a.jsonl", ' [{"text": "a"},\n{"text": "b"}]', "list"),
        ("pretty.json", '{\n"text": "a"\n}', "one"),
    ],
)
def test_json_lines_are_recognized_by_content(name: str, content: str, kind: str, tmp_path: Path) -> None:
    texts = ["a"] if kind == "one" else ["a", "b"]
    assert read(tmp_path, name, content) == [{"text": text} for text in texts]


def test_guesses_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.csv", '# mine\ntext,intent\ncafé,a\n"b" c,d\n'.encode("cp1252"))
    assert len(read_rows(path)) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{path}: ").split(",")[0] for line in said] == [
        "It is not UTF-8",
        "1 line is a comment (line 1).",
        "1 row has stray quotes",
    ]
