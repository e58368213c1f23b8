"""Files of rows as data frames whose columns are what a model's features read."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.cells import cell
from export.console import say
from export.errors import RowsError
from export.features import column_of
from export.tables import IMPORT, TEXT_COLUMNS, read_table
from handler.affixes import parse_column

if TYPE_CHECKING:
    import pandas as pd

LABELS = frozenset({"category", "text"})
LISTS = frozenset({"sequence", "set", "bag", "vector"})
"""Types of features whose values may be lists; Ludwig reads them as text with spaces between."""
SPLIT = "split"


def read_rows(path: Path) -> "pd.DataFrame":
    """Read a file of rows.

    Args:
        path: A CSV, TSV, JSON, JSON Lines or Parquet file.

    Returns:
        A data frame of objects. Values of CSV are text as they are: "null", "NA" and "nan" are words, an empty cell is
        "". Values of other files have their own types; null is missing.

    Raises:
        RowsError: If the file is missing, broken, of another format or without rows, or if a row cannot be read. The
            message names the file and the row.
    """
    import pandas as pd

    table = read_table(path)
    for note in table.notes:
        say(f"{path}: {note}")
    if table.dropped:
        number, reason, found = table.dropped[0]
        more = f", and {len(table.dropped) - 1} more rows" if len(table.dropped) > 1 else ""
        raise RowsError(
            f"{path} {table.unit} {number} cannot be read{more}: {reason}: {found}. Correct the file; "
            f"`{IMPORT} {path} --output data.csv` leaves such rows out and lists them."
        )
    if not table.rows:
        raise RowsError(f"{path} has no rows.")
    names = dict.fromkeys(name for _, row in table.rows for name in row)
    values = {name: [row.get(name) for _, row in table.rows] for name in names}
    return pd.DataFrame(values, dtype=object)


def readable_rows(rows: "pd.DataFrame", features: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """Return rows whose columns have the names and the kind of values that features read.

    A column is renamed if its name differs in case only, or is the other of `text` and `utterance`. Values of texts,
    labels and sequences become text, so that the label 1 is "1" in every format, and a list of tags is the tags with
    spaces between.

    Args:
        rows: Rows of any file.
        features: Ludwig's descriptions, each with a `name` and a `type`.

    Returns:
        The rows; columns that no feature reads are as they were. Columns may be missing.

    Raises:
        RowsError: If a value is a list or an object where a feature reads one text or label.
    """
    import pandas as pd

    features = list(features)
    rows = with_named_columns(rows, [*(parse_column(column_of(feature))[0] for feature in features), SPLIT])
    for feature in features:
        column, kind = parse_column(column_of(feature))[0], str(feature["type"])
        if column in rows and kind in LABELS | LISTS:
            values = rows[column].tolist()
            if not all(isinstance(value, str) for value in values):
                read = [_read_value(value, kind, column, number) for number, value in enumerate(values, start=1)]
                rows = rows.assign(**{column: pd.Series(read, index=rows.index, dtype=object)})
    return rows


def with_named_columns(rows: "pd.DataFrame", columns: Sequence[str]) -> "pd.DataFrame":
    """Return rows whose columns are renamed to `columns` where they are meant.

    Args:
        rows: Rows of any file.
        columns: Names to look for. A column is meant if its name differs in case only; `text` and `utterance` mean each
            other.

    Returns:
        The rows. Nothing is renamed where the right name exists, or two columns could be meant.
    """
    for column in columns:
        if column in rows:
            continue
        meant = (column.casefold(), *(TEXT_COLUMNS if column.casefold() in TEXT_COLUMNS else ()))
        for name in dict.fromkeys(meant):
            others = [other for other in rows if isinstance(other, str) and other.casefold() == name]
            if len(others) == 1 and others[0] not in columns:
                say(f"The column {others[0]!r} is read as {column!r}.")
                rows = rows.rename(columns={others[0]: column})
                break
    return rows


def with_affix_columns(rows: "pd.DataFrame", config: Mapping[str, Any]) -> "pd.DataFrame":
    """Add the columns that inputs read and that are made of others, as `text+affixes24` or `text+ngrams25`."""
    import pandas as pd

    for feature in config["input_features"]:
        column = column_of(feature)
        source, tokens = parse_column(column)
        if tokens is not None:
            made = [tokens.of(value) if isinstance(value, str) else None for value in rows[source]]
            rows = rows.assign(**{column: pd.Series(made, index=rows.index, dtype=object)})
    return rows


def _read_value(value: Any, kind: str, column: str, number: int) -> str | None:
    """Return a value as the text that a feature reads; None if it is missing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):  # an intent as Rasa's parser answers it
        return str(value["name"])
    if isinstance(value, list | tuple) and not any(isinstance(part, Mapping | list | tuple) for part in value):
        if kind in LISTS:
            return " ".join(map(cell, value))
        if len(value) < 2:
            return cell(value[0]) if value else None
    if isinstance(value, Mapping | list | tuple):
        raise RowsError(
            f"Row {number} has {str(value)[:60]!r} in {column!r}, expected one text. `{IMPORT}` reads nested files."
        )
    return cell(value) or None
