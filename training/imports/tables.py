"""Tables as examples: which column is what."""

from collections.abc import Mapping, Sequence

from export.errors import RowsError
from export.tables import KNOWN_COLUMNS, TEXT_COLUMNS, Table
from training.errors import DatasetError
from training.imports.examples import TEXT, Source, example_of
from training.imports.fields import METADATA, PlainValues
from training.imports.massive import ANNOTATED, plain_record

NAMES = KNOWN_COLUMNS | {METADATA}
Columns = Mapping[str, str]
"""What a file calls a column: the dataset's name for it."""


def table_source(table: Table, source: Source, columns: Columns) -> Source:
    """Add the examples of a table to a source.

    Args:
        table: The rows of a file.
        source: What the file is; it gets the examples, the dropped rows and the notes.
        columns: Names of the dataset, by the file's own.

    Returns:
        The source.

    Raises:
        DatasetError: If no column is the text, or two columns are the same.
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
            f"{table.path} has the columns {list(names)}; expected one called 'text' or 'utterance'. "
            "Say which one it is with --column text=NAME; if its first line is no header, give --no-header."
        )
    source.notes += values.notes(table.unit)
    return source


def named(name: str, columns: Columns) -> str:
    """Return the dataset's name for a column.

    Args:
        name: The file's own.
        columns: Names that the user gave, by the file's own.

    Returns:
        The name; known names are in lower case, and `utterance` is `text`.
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
