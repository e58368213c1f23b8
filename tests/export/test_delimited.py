"""Real-world CSV and TSV: delimiters, quotes, comments and headers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.delimited import Delimited, read_delimited
from export.errors import RowsError
from export.tables import KNOWN_COLUMNS


def read(content: str, name: str = "a.csv", *, header: bool = True) -> Delimited:
    return read_delimited(Path(name), content, KNOWN_COLUMNS, header=header)


def values(found: Delimited) -> list[tuple[str, ...]]:
    return [tuple(record.values()) for _, record in found.rows]


@pytest.mark.parametrize(
    ("content", "name", "delimiter", "header"),
    [
        ("text,intent\na;b|c,x\n", "a.csv", ",", ["text", "intent"]),
        ("Text;Intent\na,b|c;x\n", "a.csv", ";", ["Text", "Intent"]),
        ("text\tintent\na,b;c\tx\n", "a.csv", "\t", ["text", "intent"]),
        ("text|intent\na,b;c|x\n", "a.csv", "|", ["text", "intent"]),
        ("text,intent\na;b,x\n", "a.tsv", ",", ["text", "intent"]),
        ("a;text;b,c\n1;2;3\n", "a.csv", ";", ["a", "text", "b,c"]),
        ("Frage;Label, neu\nwer, was;x\nwo, wie, wann;y\n", "a.csv", ";", ["Frage", "Label, neu"]),
        ("text\na\n", "a.tsv", "\t", ["text"]),
        ("text\na\n", "a.csv", ",", ["text"]),
        ("sep=;\ntext;intent\na;x\n", "a.csv", ";", ["text", "intent"]),
        ('"SEP=\t"\r\nfrage, lang\tintent\r\na\tx\r\n', "a.csv", "\t", ["frage, lang", "intent"]),
        ("\n\n  \ntext,intent\na,x\n", "a.csv", ",", ["text", "intent"]),
        ("# made, today\ntext;intent\na;x\n", "a.csv", ";", ["text", "intent"]),
        ("# text\tintent\na\tx\n", "a.tsv", "\t", ["text", "intent"]),
    ],
)
def test_the_header_determines_the_delimiter(content: str, name: str, delimiter: str, header: list[str]) -> None:
    found = read(content, name)
    assert (found.delimiter, found.header) == (delimiter, header)
    assert len(found.rows) + len(found.dropped) >= 1
    assert found.dropped == []


@pytest.mark.parametrize(
    ("content", "expected", "loose"),
    [
        ('text\tintent\n"hi" he said\tgreet\n', [('"hi" he said', "greet")], 1),
        (
            'text\tintent\n"hello\tgreet\nwhat is 5"\tb\nok\tc\n',
            [('"hello', "greet"), ('what is 5"', "b"), ("ok", "c")],
            1,
        ),
        ('text\tintent\n"two\nlines"\tb\n', [("two\nlines", "b")], 0),
        ('text,intent\n"say \\"hi\\"",greet\n', [('say "hi"', "greet")], 1),
        ('text,intent\n"say \\"",a\nx "y", b\n', [('say "', "a"), ('x "y"', " b")], 1),
        ('text,intent\n"he said ""hi""",a\n', [('he said "hi"', "a")], 0),
        ('text,intent\n"hi" he said,"greet"\n', [('"hi" he said', "greet")], 1),
        ('text,intent\n"hi, you" he said,a\n', [("hi, you he said", "a")], 1),
        ('text,intent\na,b\n"c,d\ne,f\n', [("a", "b"), ('"c', "d"), ("e", "f")], 1),
        ('text,intent\n5" wide,a\n', [('5" wide', "a")], 0),
        ('text,intent\r\n"a\r\nb",c\r\n', [("a\r\nb", "c")], 0),
    ],
)
def test_stray_quotes_lose_no_row(content: str, expected: list[tuple[str, ...]], loose: int) -> None:
    found = read(content, "a.csv")
    assert values(found) == expected
    assert found.dropped == []
    assert [note.split(" ")[0] for note in found.notes] == ([str(loose)] if loose else [])


def test_every_line_is_a_row_a_comment_or_dropped_with_its_reason() -> None:
    found = read('text,intent\n"Hi, "John"", said,x\nok,y\n# note\nzz\n1,2,3\n\n#1 fan,z\n4,5,\n')
    assert values(found) == [("ok", "y"), ("zz", ""), ("#1 fan", "z"), ("4", "5")]
    assert [line for line, _ in found.rows] == [3, 5, 8, 9]
    assert found.dropped == [
        (2, "broken quotes", '"Hi, "John"", said,x'),
        (
            6,
            "more values than the header has columns",
            "3 values, expected 2: put quotes around a text that contains ','",
        ),
    ]
    assert found.notes == ["1 line is a comment (line 4)."]


def test_a_quote_across_rows_is_reported() -> None:
    found = read('text,intent\n"a,b\nc",d\n')
    assert values(found) == [("a,b\nc", "d")]
    assert "a quoted value with several lines, each of which looks like a row (line 2)" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no header line"),
        ("\n# only a comment\n", "has no header line"),
        ("text,intent,intent\na,b,c\n", "has two columns for 'intent': rename one of them"),
        (
            "hi there,greet\nhello,greet\nbye,leave\n",
            "has no header: its first line 'hi there,greet' is a row, because line 2 has the same value 'greet' in "
            "the same column. Add a first line such as `text,intent`, or import the file with --no-header.",
        ),
        ("hi;a\nyo;b\nbye;a\n", "Add a first line such as `text;intent`"),
    ],
)
def test_a_file_without_a_header_says_what_to_add(content: str, message: str) -> None:
    with pytest.raises(RowsError) as caught:
        read(content)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("hi there,greet\nhello,greet\n", ["text", "intent"]),
        ("greet,hi there\ngreet,hello\n", ["intent", "text"]),
        ("greet;to Rome;O B-city;x\n", ["intent", "text", "slots", "column4"]),
        ("hello\nbye now\n", ["text"]),
    ],
)
def test_unnamed_columns_are_named_by_their_content(content: str, names: list[str]) -> None:
    found = read(content, header=False)
    assert found.header == names
    assert len(found.rows) == content.count("\n")
    assert found.notes[0].startswith("The columns are read as '")


def test_a_column_without_a_name_is_skipped_and_reported() -> None:
    found = read(",text,intent\n0,a,b\n1,c,d\n")
    assert [record for _, record in found.rows] == [{"text": "a", "intent": "b"}, {"text": "c", "intent": "d"}]
    assert found.notes == ["A column without a name, with 2 values, was skipped."]


TEXTS = st.text(st.sampled_from("ab \"'\\,;\t|#é\n"), min_size=1, max_size=12)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["x", "y"])), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_correctly_quoted_values_are_read_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    rows = [row for row in rows if "\n" not in row[0] or not {"\t", "\\"} & {*row[0]}]  # which TSV cannot tell apart
    lines = [
        f"text{delimiter}intent",
        *('"' + text.replace('"', '""') + f'"{delimiter}{label}' for text, label in rows),
    ]
    assert values(read("\n".join(lines))) == rows


@given(st.lists(st.text(st.sampled_from('ab"\\# '), max_size=8), min_size=1, max_size=8), st.sampled_from(",\t"))
def test_no_line_is_lost_whatever_its_quotes(texts: list[str], delimiter: str) -> None:
    found = read(f"text{delimiter}intent\n" + "".join(f"{text}{delimiter}x\n" for text in texts))
    inside = sum(value.count("\n") for _, record in found.rows for value in record.values())
    assert found.dropped == []
    assert len(found.rows) + inside == len(texts)
    assert not inside or any("a quoted value with several lines" in note for note in found.notes)
    assert not inside or delimiter == ","
