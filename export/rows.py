"""Read rows of values from the files that Ludwig takes: CSV, TSV, JSON, JSON Lines, Parquet."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.errors import ModelError
from export.features import column_of
from handler.affixes import parse_column

if TYPE_CHECKING:
    import pandas as pd

TEXT_COLUMNS = ("text", "utterance")
"""Names that datasets give to the words of the user; what reads one takes the other."""


def read_rows(path: Path) -> "pd.DataFrame":
    """Read a file as a table. Cells of text stay as they are: "null", "NA" and "nan" are words, not missing values.

    Raises ModelError, naming the file, if it is missing, broken or of another format.
    """
    import pandas as pd

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": lambda file: _read_delimited(file, _delimiter(file)),
        ".tsv": lambda file: _read_delimited(file, "\t"),
        ".json": lambda file: pd.DataFrame(_json_records(file)),
        ".jsonl": lambda file: pd.DataFrame(_json_lines(file)),
        ".parquet": pd.read_parquet,
    }
    read = readers.get(path.suffix.lower())
    if read is None:
        raise ModelError(f"{path} has the ending {path.suffix!r}; expected one of {', '.join(readers)}.")
    try:
        path.stat()  # pandas has no words for a Parquet file that is missing
        rows = read(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # pandas' parsers, JSON and Unicode all raise kinds of ValueError
        raise ModelError(f"{path} is broken: {str(error).strip().removesuffix('.')}.") from None
    if rows.empty:
        raise ModelError(f"{path} has no rows.")
    return rows


def with_text_column(rows: "pd.DataFrame", columns: Sequence[str]) -> "pd.DataFrame":
    """Rename the column of the user's words to what `columns` calls it, if the rows have it under its other name."""
    for column in columns:
        others = [name for name in TEXT_COLUMNS if name in rows and name != column]
        if column in TEXT_COLUMNS and column not in rows and others:
            say(f"The column {others[0]!r} is read as {column!r}.")
            rows = rows.rename(columns={others[0]: column})
    return rows


def with_affix_columns(rows: "pd.DataFrame", config: Mapping[str, Any]) -> "pd.DataFrame":
    """Add the columns of affixes that a configuration's inputs read, as `text+affixes24`; a missing value has none."""
    import pandas as pd

    for feature in config["input_features"]:
        column = column_of(feature)
        source, affixes = parse_column(column)
        if affixes is not None:
            made = [affixes.of(value) if isinstance(value, str) else None for value in rows[source]]
            rows = rows.assign(**{column: pd.Series(made, index=rows.index, dtype=object)})
    return rows


def _read_delimited(path: Path, delimiter: str) -> "pd.DataFrame":
    import pandas as pd

    rows = pd.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if not isinstance(rows.index, pd.RangeIndex):  # pandas takes the first values for row labels, and shifts the rest
        raise ValueError(f"the rows have more values than the header has names; quote a text that holds {delimiter!r}")
    return rows


def _delimiter(path: Path) -> str:
    """Return `;` for a header that has it and no comma, as spreadsheets in much of Europe write CSV."""
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return ";" if ";" in header and "," not in header else ","


def _json_records(path: Path) -> list[dict[str, object]]:
    records = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError("expected a list of objects, one for each row")
    return records


def _json_lines(path: Path) -> list[dict[str, object]]:
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
            if not isinstance(record, dict):
                raise ValueError(f"line {number}: expected an object, found {line[:60]}")
            records.append(record)
    return records
