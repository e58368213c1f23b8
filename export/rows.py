"""Read data files as data frames, and convert their columns to the form that a model's features read."""

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
"""Feature types whose values may be lists. Ludwig reads such a list as a string with spaces between the items."""
SPLIT = "split"


def read_rows(path: Path) -> "pd.DataFrame":
    """Read a data file strictly: a row that cannot be read is an error.

    Args:
        path: A CSV, TSV, JSON, JSON Lines or Parquet file.

    Returns:
        A data frame with the dtype object. CSV values stay strings: "null", "NA" and "nan" are words, and an empty cell
        is "". Values of other formats keep their types, and null becomes None.

    Raises:
        RowsError: The file is missing, broken, empty or in another format, or a row cannot be read. The message names
            the file and the row.
    """
    import pandas as pd

    table = read_table(path)
    for note in table.notes:
        say(f"{path}: {note}")
    if table.dropped:
        number, reason, found = table.dropped[0]
        more = f" (and {len(table.dropped) - 1} more)" if len(table.dropped) > 1 else ""
        raise RowsError(
            f"{path} {table.unit} {number}{more} cannot be read: {reason}: {found}. Correct the file, or run "
            f"`{IMPORT} {path} --output data.csv`, which drops such rows and lists them."
        )
    if not table.rows:
        raise RowsError(f"{path} has no rows.")
    names = dict.fromkeys(name for _, row in table.rows for name in row)
    values = {name: [row.get(name) for _, row in table.rows] for name in names}
    return pd.DataFrame(values, dtype=object)


def readable_rows(rows: "pd.DataFrame", features: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """Convert the column names and values of a data frame to the form that features read.

    A column is renamed if its name differs only in case, or if it is `utterance` instead of `text` or vice versa.
    Texts, labels and sequences become strings: the label 1 is "1" whatever the file format, and a list of tags is
    joined by spaces.

    Args:
        rows: The rows of any data file.
        features: Ludwig's configurations of the features, each with a `name` and a `type`.

    Returns:
        The converted rows. Columns that no feature reads are unchanged, and missing columns stay missing.

    Raises:
        RowsError: A value is a list or an object, but the feature reads a single text or label.
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
    """Rename columns whose names differ slightly from the expected ones, and tell the user.

    Args:
        rows: The rows of any data file.
        columns: The expected names. A name matches if it differs only in case; `text` and `utterance` match each other.

    Returns:
        The rows. A column is renamed only if the expected name is missing and exactly one column matches it.
    """
    for column in columns:
        if column in rows:
            continue
        candidates = (column.casefold(), *(TEXT_COLUMNS if column.casefold() in TEXT_COLUMNS else ()))
        for name in dict.fromkeys(candidates):
            others = [other for other in rows if isinstance(other, str) and other.casefold() == name]
            if len(others) == 1 and others[0] not in columns:
                say(f"Reading the column {others[0]!r} as {column!r}.")
                rows = rows.rename(columns={others[0]: column})
                break
    return rows


def with_affix_columns(rows: "pd.DataFrame", config: Mapping[str, Any]) -> "pd.DataFrame":
    """Add the derived columns that a model's inputs read, such as `text+affixes24` or `text+ngrams25`.

    Args:
        rows: Rows with the source columns.
        config: A configuration, whose input features name the derived columns.

    Returns:
        The rows with the derived columns. They are missing where the source is not a string.
    """
    import pandas as pd

    for feature in config["input_features"]:
        column = column_of(feature)
        source, tokens = parse_column(column)
        if tokens is not None:
            made = [tokens.of(value) if isinstance(value, str) else None for value in rows[source]]
            rows = rows.assign(**{column: pd.Series(made, index=rows.index, dtype=object)})
    return rows


def _read_value(value: Any, kind: str, column: str, number: int) -> str | None:
    """Return a value as the string that a feature reads, or None if it is missing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):  # an intent in the format of Rasa's parser
        return str(value["name"])
    if isinstance(value, list | tuple) and not any(isinstance(part, Mapping | list | tuple) for part in value):
        if kind in LISTS:
            return " ".join(map(cell, value))
        if len(value) < 2:
            return cell(value[0]) if value else None
    if isinstance(value, Mapping | list | tuple):
        raise RowsError(
            f"Row {number} has {str(value)[:60]!r} in {column!r}, expected a single text. Run `{IMPORT}` to "
            "convert a nested file."
        )
    return cell(value) or None
