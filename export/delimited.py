"""Read CSV and TSV files leniently: any delimiter, stray quotes, comments, with or without a header."""

import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.errors import RowsError
from export.quotes import RowReader, split

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""The first line that Excel writes and reads, such as `sep=;`."""
SAMPLE_LINES = 50
TAG = re.compile(r"O|[BI]-\S+")
TOO_MANY_VALUES = "more values than the header has columns"
BROKEN_QUOTES = "broken quotes"


@dataclass
class Delimited:
    """The rows of a delimited file.

    Attributes:
        delimiter: The character between values.
        header: The column names; rows do not contain unnamed columns.
        rows: The line number of each row (from 1), and its values by column.
        dropped: Rows that cannot be read: the line number, the reason, and what was found.
        notes: Notes for the user about how the file was read.
    """

    delimiter: str
    header: list[str]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    dropped: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_delimited(path: Path, content: str, known: Collection[str], *, header: bool = True) -> Delimited:
    """Read the rows of a CSV or TSV file.

    The delimiter is the one that gives the header the most known names. Stray quotes stay part of the text. Lines that
    start with `#` and have no other values are comments.

    Args:
        path: The file, for messages; the suffix `.tsv` prefers tabs.
        content: Its text.
        known: Column names in lower case, for recognizing a header.
        header: Whether the first line names the columns. If False, columns are named by their content.

    Returns:
        The rows, and notes about how they were read.

    Raises:
        RowsError: The file has no header, or the header names a column twice.
    """
    lines = list(io.StringIO(content, newline=""))
    first, delimiter, comments = _beginning(lines, known)
    if first == len(lines):
        raise RowsError(f"{path} has no header line: add a first line such as `text,intent`.")
    delimiter = delimiter or _best_delimiter(path, lines[first : first + SAMPLE_LINES], known)
    reading = RowReader(lines, first, delimiter, width=len(split(lines[first], delimiter)))
    rows = list(reading)
    if not rows or rows[0][0] != first + 1:
        raise RowsError(f"{path} has broken quotes in its header, line {first + 1}: remove them.")
    if header:
        names = [name.strip() for name in rows.pop(0)[1]]
        _check_header(path, names, rows, lines[first], known, delimiter)
    else:
        names = _guessed_names([values for _, values in rows])
    found = Delimited(delimiter, names)
    if not header:
        found.notes.append(f"The columns are read as {delimiter.join(names)!r}.")
    _take_rows(found, rows, comments)
    found.dropped += [(line, BROKEN_QUOTES, text) for line, text in reading.broken]
    found.dropped.sort()
    if reading.doubtful:
        rows_have = _count(len(reading.doubtful), "row has", "rows have")
        found.notes.append(
            f"{rows_have} a quoted value with several lines, each of which looks like a row (line "
            f"{reading.doubtful[0]}): check for a missing quote."
        )
    if reading.loose:
        rows_have = _count(len(reading.loose), "row has", "rows have")
        found.notes.append(f"{rows_have} stray quotes, which are kept as part of the text (line {reading.loose[0]}).")
    return found


def _beginning(lines: list[str], known: Collection[str]) -> tuple[int, str, list[int]]:
    """Find the header. A `#` at the start of a header is removed.

    Returns:
        The index of the header, the delimiter that the file declares or "", and the line numbers of comments before it.
    """
    first, delimiter, comments = 0, "", []
    if lines and (separator := SEPARATOR_LINE.fullmatch(lines[0])):
        first, delimiter = 1, separator[1]
    while first < len(lines):
        line = lines[first].lstrip()
        if line.startswith("#"):
            named = line.lstrip("# ")
            if any(_known_names(named, each, known) > 1 for each in DELIMITERS):
                lines[first] = named
                break
            comments.append(first + 1)
        elif line:
            break
        first += 1
    return first, delimiter, comments


def _best_delimiter(path: Path, sample: Sequence[str], known: Collection[str]) -> str:
    """Return the delimiter with the most known names in the header, then the most lines as wide as the header."""
    preferred = "\t" if path.suffix.lower() == ".tsv" else ","

    def rank(delimiter: str) -> tuple[int, float, int, bool]:
        width = len(split(sample[0], delimiter))
        alike = sum(len(split(line, delimiter)) == width for line in sample) / len(sample)
        return _known_names(sample[0], delimiter, known), alike if width > 1 else 0.0, width, delimiter == preferred

    return max(DELIMITERS, key=rank)


def _known_names(line: str, delimiter: str, known: Collection[str]) -> int:
    return sum(name.strip().casefold() in known for name in split(line, delimiter))


def _check_header(
    path: Path,
    names: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    line: str,
    known: Collection[str],
    delimiter: str,
) -> None:
    """Raise RowsError if the first line is data instead of a header, or if it names a column twice."""
    if not any(name.casefold() in known for name in names):
        for number, values in rows:
            again = [value for name, value in zip(names, values, strict=False) if name and name == value.strip()]
            if again:
                raise RowsError(
                    f"{path} has no header: its first line {line.strip()[:60]!r} is a row, because line {number} has "
                    f"the same value {again[0]!r} in the same column. Add a first line such as "
                    f"`text{delimiter}intent`, or import the file with --no-header."
                )
    if twice := [name for name, count in Counter(names).items() if name and count > 1]:
        raise RowsError(f"{path} has two columns for {twice[0]!r}: rename one of them.")


def _guessed_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Name columns by content: the one with the most words is the text, tags are slots, the next is the intent."""
    width = max(map(len, rows))
    columns = [[row[position] for row in rows if position < len(row)] for position in range(width)]
    tagged = [all(TAG.fullmatch(tag) for value in values for tag in value.split()) for values in columns]
    words = [sum(len(value.split()) for value in values) for values in columns]
    words = [0 if tags else count for tags, count in zip(tagged, words, strict=True)]
    names = [f"column{position + 1}" for position in range(width)]
    text = words.index(max(words))
    names[text] = "text"
    others = [position for position in range(width) if position != text]
    for position in [position for position in others if tagged[position]][:1]:
        names[position] = "slots"
        others.remove(position)
    if others:
        names[others[0]] = "intent"
    return names


def _take_rows(found: Delimited, rows: Sequence[tuple[int, list[str]]], comments: list[int]) -> None:
    """Sort lines into rows, comments, and rows with too many values."""
    width, nameless = len(found.header), 0
    for line, values in rows:
        if not values:
            continue
        if width > 1 and values[0].lstrip().startswith("#") and not any(values[1:]):
            comments.append(line)
            continue
        if any(values[width:]):
            problem = (
                f"{len(values)} values, expected {width}: put quotes around a text that contains {found.delimiter!r}"
            )
            found.dropped.append((line, TOO_MANY_VALUES, problem))
            continue
        values += [""] * (width - len(values))
        record = dict(zip(found.header, values, strict=False))
        nameless += bool(record.pop("", ""))
        found.rows.append((line, record))
    if comments:
        found.notes.append(f"{_count(len(comments), 'line is a comment', 'lines are comments')} (line {comments[0]}).")
    if nameless:
        found.notes.append(f"A column without a name, with {_count(nameless, 'value', 'values')}, was skipped.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
