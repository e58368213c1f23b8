"""Rows of CSV and TSV as people write them: any delimiter, loose quotes, comments, with or without a header."""

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
TOO_MANY_VALUES = "more values than the header has names"
BROKEN_QUOTES = "quotes that cannot be read"


@dataclass
class Delimited:
    """The rows of a delimited file.

    Attributes:
        delimiter: What separates the values.
        header: The names of the columns; a column without a name is left out of the rows.
        rows: The line on which each row begins, counted from 1, and its values by column.
        dropped: Rows that cannot be read: the line, the reason, and what was found.
        notes: What was decided while reading, for a person.
    """

    delimiter: str
    header: list[str]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    dropped: list[tuple[int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_delimited(path: Path, content: str, known: Collection[str], *, header: bool = True) -> Delimited:
    """Read the rows of a CSV or TSV file.

    The delimiter is the one under which the header has most of the known names. Quotes that do not enclose a value are
    taken as they are. Lines that begin with `#` and have no values are comments.

    Args:
        path: The file, for messages; `.tsv` prefers tabs.
        content: Its text.
        known: Names of columns, in lower case, by which a header is recognized.
        header: Whether the first line names the columns. Without, they are named after what they hold.

    Returns:
        The rows, and what was decided.

    Raises:
        RowsError: If there is no header, or it names a column twice.
    """
    lines = list(io.StringIO(content, newline=""))
    first, delimiter, comments = _beginning(lines, known)
    if first == len(lines):
        raise RowsError(f"{path} has no header in its first line.")
    delimiter = delimiter or _best_delimiter(path, lines[first : first + SAMPLE_LINES], known)
    reading = RowReader(lines, first, delimiter, width=len(split(lines[first], delimiter)))
    rows = list(reading)
    if not rows or rows[0][0] != first + 1:
        raise RowsError(f"{path} has quotes in line {first + 1}, its header, that cannot be read: remove them.")
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
            f"{rows_have} several lines within quotes, each of which looks like a row (line {reading.doubtful[0]}): "
            "look whether a quote is missing."
        )
    if reading.loose:
        places = _count(len(reading.loose), "row has", "rows have")
        found.notes.append(f"{places} loose quotes, which are part of the text (line {reading.loose[0]}).")
    return found


def _beginning(lines: list[str], known: Collection[str]) -> tuple[int, str, list[int]]:
    """Return the index of the header, the delimiter that the file names or "", and the lines of comments before.

    A header that begins with `#` loses it.
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
    """Return the delimiter that gives the header most known names, then most lines as many values as the header."""
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
    """Raise RowsError if the first line is a row, or names a column twice."""
    if not any(name.casefold() in known for name in names):
        for number, values in rows:
            again = [value for name, value in zip(names, values, strict=False) if name and name == value.strip()]
            if again:
                raise RowsError(
                    f"{path} has no header: its first line {line.strip()[:60]!r} is a row, since line {number} has "
                    f"{again[0]!r} in the same column, too. Add the line `text{delimiter}intent` at its beginning, "
                    "or import it with --no-header."
                )
    if twice := [name for name, count in Counter(names).items() if name and count > 1]:
        raise RowsError(f"{path} has two columns for {twice[0]!r}: rename one of them.")


def _guessed_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return names for columns by what they hold: the text has most words, slots are tags, the next is the intent."""
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
    """Sort lines into rows, comments and rows that have too many values."""
    width, nameless = len(found.header), 0
    for line, values in rows:
        if not values:
            continue
        if width > 1 and values[0].lstrip().startswith("#") and not any(values[1:]):
            comments.append(line)
            continue
        if any(values[width:]):
            problem = f"{len(values)} values, expected {width}: quote a text that holds {found.delimiter!r}"
            found.dropped.append((line, TOO_MANY_VALUES, problem))
            continue
        values += [""] * (width - len(values))
        record = dict(zip(found.header, values, strict=False))
        nameless += bool(record.pop("", ""))
        found.rows.append((line, record))
    if comments:
        found.notes.append(f"{_count(len(comments), 'line is a comment', 'lines are comments')} (line {comments[0]}).")
    if nameless:
        found.notes.append(f"A column without a name, which has {_count(nameless, 'value', 'values')}, was left out.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
