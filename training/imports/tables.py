"""Convert the rows of a table to examples, by the names of its columns."""

from collections.abc import Mapping, Sequence

from export.errors import RowsError
from export.tables import KNOWN_COLUMNS, TEXT_COLUMNS, Table
from training.errors import DatasetError
from training.imports.examples import TEXT, SourceFile, example_of
from training.imports.fields import METADATA, PlainValues
from training.imports.massive import ANNOTATED, plain_record

NAMES = KNOWN_COLUMNS | {METADATA}
Columns = Mapping[str, str]
"""Dataset column names by the file's column names."""


def table_source(table: Table, source: SourceFile, columns: Columns) -> SourceFile:
    """Add the examples of a table to a source.

    Args:
        table: The rows of a file.
        source: The source to add the examples, dropped rows and notes to.
        columns: Dataset column names by the file's column names, as the user gave them.

    Returns:
        The source.

    Raises:
        DatasetError: No column is the text.
        RowsError: Two columns have the same name.
    """
    place, names, values = f"{table.path} {table.unit}", dict[str, str](), PlainValues()
    source.notes += table.notes
    source.dropped += [(place, *dropped) for dropped in table.dropped]
    for number, row in table.rows:
        record = plain_record(row) if ANNOTATED in row else row
        if new := record.keys() - names.keys():
            names |= {name: named(name, columns) for name in record if name in new}
            _check_unique(table, list(names.values()))
        read = values.of({names[name]: value for name, value in record.items()}, number)
        source.examples.append(example_of(read, place, number))
    if names and TEXT not in names.values():
        raise DatasetError(
            f"{table.path} has the columns {list(names)}; expected one named 'text' or 'utterance'. Name the column "
            "with --column text=NAME; if the first line is not a header, pass --no-header."
        )
    source.notes += values.notes(table.unit)
    return source


def named(name: str, columns: Columns) -> str:
    """Return the dataset's name for a column.

    Args:
        name: The file's column name.
        columns: Dataset column names by the file's column names, as the user gave them.

    Returns:
        The dataset's name. Known names are in lower case, and `utterance` becomes `text`.
    """
    name = name.strip()
    if name in columns:
        return columns[name]
    if name.casefold() in NAMES:
        name = name.casefold()
    return TEXT if name in TEXT_COLUMNS else name


def _check_unique(table: Table, names: Sequence[str]) -> None:
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise RowsError(f"{table.path} has two columns for {twice[0]!r}: rename one of them with --column.")
