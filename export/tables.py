"""Read CSV, TSV, JSON, JSON Lines and Parquet files as rows with line numbers, for all commands.

`export.rows` converts tables to data frames; `training.imports` converts them to examples.
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
"""Column names for the user's text; code that reads one of them accepts the other."""
KNOWN_COLUMNS = frozenset((*TEXT_COLUMNS, "intent", "slots", "language", "split", "entities"))
NO_OBJECT = "not an object"
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
ENDINGS = (".csv", ".tsv", *JSON_ENDINGS, ".parquet")
IMPORT = "ludwig-serverless import"


@dataclass
class Table:
    """The rows of one file.

    Attributes:
        path: The file.
        kind: A description of the format, such as `CSV, separated by ';'`.
        unit: The unit of row numbers, which start at 1: `line` or `row`.
        rows: The number of each row, and its values by column, as in the file.
        dropped: Rows that cannot be read: number, reason, and what was found.
        notes: Notes for the user about how the file was read.
    """

    path: Path
    kind: str
    unit: str
    rows: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    dropped: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class JsonContent:
    """The content of a JSON file.

    Attributes:
        data: The value; for JSON Lines, the list of the values of all lines.
        lines: The line number of each value, for JSON Lines; None for a single value.
        notes: Notes for the user about how the file was read.
    """

    data: Any
    lines: list[int] | None
    notes: list[str]


def read_table(path: Path, known: Collection[str] = KNOWN_COLUMNS, *, header: bool = True) -> Table:
    """Read a data file in any supported format.

    Args:
        path: A file with one of the suffixes in ENDINGS.
        known: Column names in lower case, for recognizing the header of a CSV file.
        header: Whether the first line of a CSV file names the columns.

    Returns:
        The rows. CSV values are text; JSON and Parquet values keep their types.

    Raises:
        RowsError: The file is missing, broken or in another format. The message names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        raise RowsError(f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(ENDINGS)}.")
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
    """Read a JSON or JSON Lines file. The content decides which one it is, not the suffix.

    Args:
        path: The file.

    Returns:
        The content.

    Raises:
        RowsError: The file is missing or broken, or an object has a duplicate key. The message names the line.
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
        raise RowsError(f"{path} is nested too deeply for training data.") from None
    except ValueError as error:
        raise RowsError(f"{path} {error}.") from None


def json_table(path: Path, content: JsonContent) -> Table:
    """Return the rows of a JSON file.

    Args:
        path: The file, for messages.
        content: The content: a list of objects, a single object with a text, or an object around such a list.

    Returns:
        A row for each object; other values are dropped.

    Raises:
        RowsError: The content is anything else.
    """
    data = records_in(content.data)
    if data is None:
        raise RowsError(
            f"{path} contains {described(content.data)}; expected a list of objects, one for each row. "
            f"`{IMPORT} {path} --output data.csv` reads exports of other tools."
        )
    numbers = content.lines or range(1, len(data) + 1)
    unit = "line" if content.lines else "row"
    table = Table(path, "JSON Lines" if content.lines else "JSON", unit, notes=list(content.notes))
    _take_records(table, zip(numbers, data, strict=True))
    return table


def records_in(data: Any, text_columns: Collection[str] = TEXT_COLUMNS) -> list[Any] | None:
    """Return the records in a JSON value.

    Args:
        data: The value.
        text_columns: Possible names of a record's text.

    Returns:
        The value itself if it is a list; a list of the object if it has a text; or the only list of objects with a
        text inside an object, such as `{"data": [...]}`. None for anything else.
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
    """Return a short description of a JSON value, for a message."""
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
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines(): other separators may be in a text
        if line.strip():
            try:
                data.append(json.loads(line, object_pairs_hook=_object))
            except (ValueError, RecursionError) as error:
                raise RowsError(f"{path} is broken at line {number}: {error}. Found {line[:60]!r}.") from None
            lines.append(number)
    return JsonContent(data, lines, notes)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError for a duplicate key, because one of its values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the duplicate key {twice!r} in an object with the keys {names[:8]}")
    return found


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), Mapping)
    except (ValueError, RecursionError):
        return False


def _parquet_table(path: Path) -> Table:
    import pandas as pd

    try:
        path.stat()  # raises FileNotFoundError; the error of pandas for a missing file is unclear
        frame = pd.read_parquet(path)
    except OSError as error:
        raise RowsError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # the base class of Arrow's errors
        raise RowsError(f"{path} is broken: {str(error).strip().removesuffix('.')}.") from None
    frame = frame.astype(object).where(frame.notna(), None)
    records = ({str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records"))
    table = Table(path, "Parquet", "row")
    _take_records(table, enumerate(records, start=1))
    return table


def _plain(value: Any) -> Any:
    """Return a numpy value as a plain Python value."""
    return value.tolist() if hasattr(value, "tolist") else value
