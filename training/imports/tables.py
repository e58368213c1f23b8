"""Rows from CSV, JSON, JSON Lines and Parquet, each with its place in the file."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from training.errors import DatasetError
from training.imports.examples import KNOWN_COLUMNS, TEXT, Source, Vocabulary, example_of
from training.imports.rasa import read_rasa_json, read_rasa_yaml

DELIMITERS = ",;\t"
TOO_MANY_VALUES = "more values than the header has names"
NO_OBJECT = "no object"
NO_OFFSETS = (
    "The slots have no offsets: if Hexabot's Ludwig helper wrote them, neighbors of one kind are one slot, and values "
    "without offsets are missing. Choose tensorflow-nlu-helper as Hexabot's Default NLU Helper and export again."
)
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LONGEST_CELL = 1_000_000
Columns = Mapping[str, str]
"""What a file calls a column: the dataset's name for it."""


def read_source(path: Path, columns: Columns) -> Source:
    """Read a file of any kind that an import takes.

    columns: names of the dataset, by the file's own. Raises DatasetError, naming file and row, if it cannot be read.
    """
    readers: dict[str, Callable[[Path, Columns], Source]] = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".json": _read_json,
        ".jsonl": _read_json_lines,
        ".ndjson": _read_json_lines,
        ".parquet": _read_parquet,
        ".yml": lambda file, _: read_rasa_yaml(file, _text(file)),
        ".yaml": lambda file, _: read_rasa_yaml(file, _text(file)),
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise DatasetError(f"{path} has the ending {path.suffix!r}; expected one of {', '.join(readers)}.")
    try:
        source = read(path, columns)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeError:
        raise DatasetError(f"{path} is not UTF-8{_undecodable(path)}: save it as UTF-8.") from None
    if not (source.examples or source.dropped or source.notes or source.vocabulary != Vocabulary()):
        source.notes.append("It has no rows.")
    return source


def _read_csv(path: Path, columns: Columns) -> Source:
    source, place = Source(path, "CSV"), f"{path} line"
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding=_encoding(path), newline="") as file:
        delimiter, header = _sniff(path, file, columns)
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        before = 0
        try:
            for values in rows:
                line, before = before + 1, rows.line_num
                if line == 1 or not values:
                    continue
                if any(values[len(header) :]):
                    found = f"{len(values)} values, expected {len(header)}: quote a text that holds {delimiter!r}"
                    source.dropped.append((place, line, TOO_MANY_VALUES, found))
                else:
                    source.examples.append(example_of(dict(zip(header, values, strict=False)), place, line))
        except csv.Error as error:
            raise DatasetError(
                f"{path} is broken in the row that begins at line {before + 1}: {error}. "
                "Look for a quote that is not closed."
            ) from None
    source.kind = f"CSV, separated by {'tabs' if delimiter == chr(9) else repr(delimiter)}"
    return source


def _sniff(path: Path, file: TextIO, columns: Columns) -> tuple[str, list[str]]:
    """Return the delimiter under which the header names most, and the names; go back to the beginning."""
    first = file.readline()
    if not first.strip():
        raise DatasetError(f"{path} has no header in its first line.")
    file.seek(0)
    headers = {delimiter: next(csv.reader([first], delimiter=delimiter), []) for delimiter in DELIMITERS}
    named = {delimiter: [_named(name, columns) for name in header] for delimiter, header in headers.items()}
    best = max(DELIMITERS, key=lambda delimiter: (TEXT in named[delimiter], len(named[delimiter])))
    return best, _checked_header(path, named[best], headers[best])


def _checked_header(path: Path, names: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return the names of columns. Raises DatasetError if none is the text, or two are the same."""
    if TEXT not in names:
        raise DatasetError(
            f"{path} has the columns {list(found)}; expected one called 'text' or 'utterance'. "
            f"Say which one it is with --column text=NAME."
        )
    _check_unique(path, names)
    return list(names)


def _check_unique(path: Path, names: Sequence[str]) -> None:
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise DatasetError(f"{path} has two columns for {twice[0]!r}: rename one of them with --column.")


def _named(name: str, columns: Columns) -> str:
    """Return the dataset's name for a column."""
    name = name.strip()
    if name in columns:
        return columns[name]
    if name.casefold() in KNOWN_COLUMNS:
        name = name.casefold()
    return TEXT if name == "utterance" else name


def _read_json(path: Path, columns: Columns) -> Source:
    try:
        data = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path} is not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise DatasetError(f"{path} is nested too deeply to be training data.") from None
    if isinstance(data, Mapping) and ("common_examples" in data or "rasa_nlu_data" in data):
        return read_rasa_json(path, data)
    if not isinstance(data, list):
        raise DatasetError(
            f"{path} holds {_described(data)}; expected a list of objects (Hexabot's export), or an object with "
            "common_examples (Rasa)."
        )
    source = Source(path, "JSON, as Hexabot exports it", units="utf-16", rewritten_tags=True)
    _take_records(source, enumerate(data, start=1), f"{path} row", columns)
    if any(example.tags for example in source.examples):
        source.notes.append(NO_OFFSETS)
    return source


def _read_json_lines(path: Path, columns: Columns) -> Source:
    source = Source(path, "JSON Lines")
    with path.open(encoding=_encoding(path)) as file:
        _take_records(source, _json_lines(path, file), f"{path} line", columns)
    return source


def _json_lines(path: Path, file: TextIO) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DatasetError(f"{path} is broken at line {number}: {error}. Found {line[:60]!r}.") from None


def _read_parquet(path: Path, columns: Columns) -> Source:
    import pandas as pd

    path.stat()  # pandas has no words for a Parquet file that is missing
    try:
        frame = pd.read_parquet(path)
    except ValueError as error:  # what Arrow raises is of this kind
        raise DatasetError(f"{path} is broken: {str(error).strip().removesuffix('.')}.") from None
    frame = frame.astype(object).where(frame.notna(), None)
    source = Source(path, "Parquet")
    records = ({str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records"))
    _take_records(source, enumerate(records, start=1), f"{path} row", columns)
    return source


def _plain(value: Any) -> Any:
    """Return a value of numpy's as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def _take_records(source: Source, records: Iterator[tuple[int, Any]], place: str, columns: Columns) -> None:
    """Add the example of each record; a record that is no object is dropped."""
    names: dict[str, str] = {}
    for row, record in records:
        if not isinstance(record, Mapping):
            source.dropped.append((place, row, NO_OBJECT, str(record)[:60]))
            continue
        for name in [name for name in record if name not in names]:
            names[name] = _named(name, columns)
            _check_unique(source.path, list(names.values()))
        source.examples.append(example_of({names[name]: value for name, value in record.items()}, place, row))
    if names and TEXT not in names.values():
        _checked_header(source.path, list(names.values()), list(names))


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        return BYTE_ORDER_MARKS.get(file.read(2), "utf-8-sig")


def _text(path: Path) -> str:
    return path.read_text(encoding=_encoding(path))


def _undecodable(path: Path) -> str:
    """Say where the first bytes are that are no UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f" at line {number}, byte {error.start + 1} ({line[error.start : error.start + 4]!r})"
    return ""


def _described(data: object) -> str:
    keys = list(data)[:5] if isinstance(data, Mapping) else None
    return f"an object with {keys}" if keys is not None else f"{str(data)[:60]!r}"
