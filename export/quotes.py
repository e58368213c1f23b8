"""Split CSV lines into values by the strict quoting rules, and recover rows that break them."""

import csv
from collections.abc import Iterator, Sequence

LONGEST_CELL = 1_000_000


class RowReader:
    """Iterate over the rows of a file as pairs of line number (from 1) and values.

    Rows are parsed by the strict rules of CSV. A row that breaks them is parsed again, on its own and leniently, so
    that a stray quote does not affect other rows.

    Args:
        lines: The lines of the file, with their line endings.
        first: Index of the first line to read.
        delimiter: The character between values.
        width: Number of columns in the header.

    Attributes:
        loose: Line numbers of rows that were parsed leniently.
        broken: Line numbers and text of rows that cannot be parsed.
        doubtful: Line numbers of rows with a quoted value that spans several lines, each of which looks like a row.
    """

    def __init__(self, lines: Sequence[str], first: int, delimiter: str, width: int) -> None:
        self._lines, self._delimiter, self._width = lines, delimiter, width
        self._next = first
        self.loose: list[int] = []
        self.broken: list[tuple[int, str]] = []
        self.doubtful: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        reader = self._reader()
        while True:
            first = self._next
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error:  # the row is malformed; the lines after its first line are parsed again
                values = None
            if values is not None and not self._swallowed(first):
                yield first + 1, values
                continue
            self._next = first + 1
            reader = self._reader()
            line = self._lines[first].rstrip("\r\n")
            values = _loose_values(line, self._delimiter, self._width)
            if values is None:
                self.broken.append((first + 1, line[:60]))
            else:
                self.loose.append(first + 1)
                yield first + 1, values

    def _reader(self) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST_CELL)
        return csv.reader(self._remaining(), delimiter=self._delimiter, strict=True)

    def _remaining(self) -> Iterator[str]:
        while self._next < len(self._lines):
            self._next += 1
            yield self._lines[self._next - 1]

    def _swallowed(self, first: int) -> bool:
        """Return whether a stray quote swallowed lines that are separate rows.

        A quoted text may contain line breaks, but then not every line has a value for each column.
        """
        if self._next - first < 2 or self._width < 2:
            return False
        lines = self._lines[first : self._next]
        if len(_escaped_values(lines[0].rstrip("\r\n"), self._delimiter)) == self._width:
            return True
        rows = all(line.count(self._delimiter) == self._width - 1 for line in lines)
        if rows and self._delimiter != "\t":  # a quoted text with commas and line breaks also looks like this
            self.doubtful.append(first + 1)
            return False
        return rows


def split(line: str, delimiter: str) -> list[str]:
    """Return the values of one line. A quote is special only at the start of a value."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # longer than LONGEST_CELL
        return [line]


def _loose_values(line: str, delimiter: str, width: int) -> list[str] | None:
    r"""Return the values of a line that breaks the quoting rules.

    Args:
        line: One line without its line ending.
        delimiter: The character between values.
        width: Number of columns in the header.

    Returns:
        The values by the first of these interpretations that yields one per column: `\\"` is an escaped quote; quotes
        are part of the text; quotes are special only at the start of a value. None if no interpretation fits.
    """
    values = _escaped_values(line, delimiter)
    if len(values) == width:
        return values
    values = [_unquoted(value) for value in line.split(delimiter)]
    if len(values) == width:
        return values
    values = split(line, delimiter)
    return values if len(values) == width and line.count('"') % 2 == 0 else None


def _escaped_values(line: str, delimiter: str) -> list[str]:
    r"""Return the values of a line whose quotes are escaped as `\"`, or [] if it has none or other malformed quotes."""
    if '\\"' not in line:
        return []
    try:
        return next(csv.reader([line.replace('\\"', '""')], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def _unquoted(value: str) -> str:
    """Return a value without the quotes around the whole value."""
    inner = value[1:-1]
    return inner if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in inner else value
