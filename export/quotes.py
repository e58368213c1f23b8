"""Lines of CSV as values: by the rules for quotes, and where a row breaks them, as it is meant."""

import csv
from collections.abc import Iterator, Sequence

LONGEST_CELL = 1_000_000


class RowReader:
    """Iterates over the rows of a file as pairs: the line that a row begins on, counted from 1, and its values.

    Rows are read by the strict rules of CSV. A row that breaks them is read again, alone and loosely, so that a stray
    quote costs no other row.

    Attributes:
        loose: Lines of rows that were read loosely.
        broken: Lines that cannot be read, with their text.
        doubtful: Lines of rows whose quotes enclose several lines, each of which looks like a row.
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
            except csv.Error:  # of this row; the lines behind its first one are read again
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
        """Tell whether a quote ran over lines that are rows of their own.

        Text with a line break is quoted in a TSV, too; but then its lines do not all have a value for each column.
        """
        if self._next - first < 2 or self._width < 2:
            return False
        lines = self._lines[first : self._next]
        if len(_escaped_values(lines[0].rstrip("\r\n"), self._delimiter)) == self._width:
            return True
        rows = all(line.count(self._delimiter) == self._width - 1 for line in lines)
        if rows and self._delimiter != "\t":  # text with a comma and a line break looks like this, too
            self.doubtful.append(first + 1)
            return False
        return rows


def split(line: str, delimiter: str) -> list[str]:
    """Return the values of one line; a quote encloses a value only where it begins."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # longer than any cell
        return [line]


def _loose_values(line: str, delimiter: str, width: int) -> list[str] | None:
    r"""Return the values of a line that breaks the rules for quotes.

    Args:
        line: One line without its end.
        delimiter: What separates values.
        width: How many values the header has.

    Returns:
        The values, by the first of these readings that gives one for each column: `\\"` as a quote, quotes as part of
        the text, quotes only where a value begins. None if none does.
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
    r"""Return the values of a line whose quotes are escaped as `\"`; none if it has no such quotes, or loose ones."""
    if '\\"' not in line:
        return []
    try:
        return next(csv.reader([line.replace('\\"', '""')], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def _unquoted(value: str) -> str:
    """Return a value without the quotes that enclose all of it."""
    inner = value[1:-1]
    return inner if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in inner else value
