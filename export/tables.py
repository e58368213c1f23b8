"""The one reader of tables for all commands: CSV, TSV, JSON, JSON Lines and Parquet, each row with its place.

`export.rows` makes data frames of tables; `training.imports` makes examples of them.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.delimited import read_delimited
from export.encodings import read_text
from export.errors import RowsError

TEXT_COLUMNS = ("text", "utterance")
"""Names that datasets give to the words of the user; what reads one takes the other."""
KNOWN_COLUMNS = frozenset((*TEXT_COLUMNS, "intent", "slots", "language", "split", "entities"))
NO_OBJECT = "no object"
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
ENDINGS = (".csv", ".tsv", *JSON_ENDINGS, ".parquet")
IMPORT = "ludwig-serverless import"


@dataclass
class Table:
    """The rows of one file.

    Attributes:
        path: The file.
        kind: What it is, for a person, such as `CSV, separated by ';'`.
        unit: What its rows are counted in, from 1: `line` or `row`.
        rows: The number of each row, and its values by column, as the file has them.
        dropped: Rows that cannot be read: number, reason, and what was found.
        notes: What was decided while reading, for a person.
    """

    path: Path
    kind: str
    unit: str
    rows: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    dropped: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class JsonContent:
    """What a JSON file holds.

    Attributes:
        data: The value; a list of the lines' values for JSON Lines.
        lines: The line of each value of JSON Lines; None for a file that is one value.
        notes: What was decided while reading, for a person.
    """

    data: Any
    lines: list[int] | None
    notes: list[str]


def read_table(path: Path, known: Collection[str] = KNOWN_COLUMNS, *, header: bool = True) -> Table:
    """Read a file of rows of any kind.

    Args:
        path: A file whose ending is one of ENDINGS.
        known: Names of columns, in lower case, by which the header of a CSV is recognized.
        header: Whether the first line of a CSV names the columns.

    Returns:
        The rows. Values of CSV are text; those of JSON and Parquet have their own types.

    Raises:
        RowsError: If the file is missing, broken or of another format. The message names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        raise RowsError(f"{path} has the ending {path.suffix!r}; expected one of {', '.join(ENDINGS)}.")
    if suffix == ".parquet":
        return _parquet_table(path)
    if suffix in JSON_ENDINGS:
        return json_table(path, read_json(path))
    text, note = _text(path)
    found = read_delimited(path, text, known, header=header)
    kind = f"CSV, separated by {'tabs' if found.delimiter == chr(9) else repr(found.delimiter)}"
    notes = [note, *found.notes] if note else found.notes
    return Table(path, kind, "line", list(found.rows), found.dropped, notes)


def read_json(path: Path) -> JsonContent:
    """Read a JSON or JSON Lines file; its content tells which one it is, whatever its ending says.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        RowsError: If it is missing or broken, or an object has a key twice. The message names the line.
    """
    text, note = _text(path)
    notes = [note] if note else []
    named_lines = path.suffix.lower() != ".json"
    if named_lines and not text.lstrip().startswith("["):
        return _json_lines(path, text, notes)
    try:
        return JsonContent(json.loads(text, object_pairs_hook=_object), None, notes)
    except json.JSONDecodeError as error:
        if _is_json(text.lstrip().split("\n", 1)[0]):
            return _json_lines(path, text, notes)
        raise RowsError(f"{path} is not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise RowsError(f"{path} is nested too deeply to be training data.") from None
    except ValueError as error:
        raise RowsError(f"{path} {error}.") from None


def json_table(path: Path, content: JsonContent) -> Table:
    """Return the rows of a JSON file.

    Args:
        path: The file, for messages.
        content: What it holds: a list of objects, one object that has a text, or an object around such a list.

    Returns:
        A row for each object; what is no object is dropped.

    Raises:
        RowsError: If it holds something else.
    """
    data = records_in(content.data)
    if data is None:
        raise RowsError(
            f"{path} holds {described(content.data)}; expected a list of objects, one for each row. "
            f"`{IMPORT} {path} --output data.csv` reads exports of other tools."
        )
    numbers = content.lines or range(1, len(data) + 1)
    unit = "line" if content.lines else "row"
    table = Table(path, "JSON Lines" if content.lines else "JSON", unit, notes=list(content.notes))
    _take_records(table, zip(numbers, data, strict=True))
    return table


def records_in(data: Any, text_columns: Collection[str] = TEXT_COLUMNS) -> list[Any] | None:
    """Return the records that a JSON value holds.

    Args:
        data: The value.
        text_columns: Names that the text of a record may have.

    Returns:
        The list that it is; an object that has a text, in a list; or the only list of objects with a text in an
        object, such as `{"data": [...]}`. None for anything else.
    """
    if isinstance(data, list):
        return data
    if not isinstance(data, Mapping):
        return None
    if any(name in data for name in text_columns):
        return [data]
    lists = [
        found
        for found in data.values()
        if isinstance(found, list)
        and found
        and all(isinstance(each, Mapping) and any(name in each for name in text_columns) for each in found)
    ]
    return lists[0] if len(lists) == 1 else None


def described(data: object) -> str:
    """Return what a JSON value is, for a message."""
    return f"an object with {list(data)[:5]}" if isinstance(data, Mapping) else f"{str(data)[:60]!r}"


def _take_records(table: Table, records: Iterable[tuple[int, Any]]) -> None:
    for number, record in records:
        if isinstance(record, Mapping):
            table.rows.append((number, record))
        else:
            table.dropped.append((number, NO_OBJECT, str(record)[:60]))


def _text(path: Path) -> tuple[str, str]:
    try:
        return read_text(path)
    except OSError as error:
        raise RowsError(f"{path} cannot be read: {error.strerror or error}.") from None


def _json_lines(path: Path, text: str, notes: list[str]) -> JsonContent:
    data, lines = [], []
    for number, line in enumerate(text.split("\n"), start=1):  # other line separators may be part of a text
        if line.strip():
            try:
                data.append(json.loads(line, object_pairs_hook=_object))
            except (ValueError, RecursionError) as error:
                raise RowsError(f"{path} is broken at line {number}: {error}. Found {line[:60]!r}.") from None
            lines.append(number)
    return JsonContent(data, lines, notes)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raises ValueError for a key that is given twice: one of the values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {twice!r} twice in one object, whose keys are {names[:8]}")
    return found


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), Mapping)
    except (ValueError, RecursionError):
        return False


def _parquet_table(path: Path) -> Table:
    import pandas as pd

    try:
        path.stat()  # pandas has no words for a Parquet file that is missing
        frame = pd.read_parquet(path)
    except OSError as error:
        raise RowsError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # what Arrow raises is of this kind
        raise RowsError(f"{path} is broken: {str(error).strip().removesuffix('.')}.") from None
    frame = frame.astype(object).where(frame.notna(), None)
    records = ({str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records"))
    table = Table(path, "Parquet", "row")
    _take_records(table, enumerate(records, start=1))
    return table


def _plain(value: Any) -> Any:
    """Return a value of numpy's as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
