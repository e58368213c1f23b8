"""Read text files and detect their encoding: UTF-8, UTF-16, UTF-32, or Windows-1252, which Excel writes."""

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from export.errors import RowsError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because it starts with the UTF-16 mark
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WINDOWS = "cp1252"
NEXT = rb"[\x80-\x84\x86-\x90\x98-\x9f\xa1-\xaa\xac-\xb6\xb8-\xba\xbc-\xbf]"
"""Continuation bytes of UTF-8, except quotes, dashes and spaces in Windows-1252: "« ÉTÉ »" must not look like UTF-8."""
MANY_BYTES = re.compile(rb"[\xc3-\xdf]%b|[\xe1-\xef]%b[\x80-\xbf]|[\xf0-\xf4]%b[\x80-\xbf]{2}" % (NEXT, NEXT, NEXT))
"""Multi-byte characters of UTF-8, which read as pairs such as "Ã©" in Windows-1252."""
SYMBOL_IN_WORD = re.compile(r"(?<=[^\W\d_])[¡-©¬-³µ¶¸¹¼-¿×÷](?=[^\W\d_])")
"""Symbols inside a word, as when Polish, Czech or Greek text is read as Windows-1252, such as "by³o"."""
MOST_SYMBOLS = 0.005
"""Maximum share of such symbols among letters. Polish has 0.04; Spanish may have a few, such as "hola¿que"."""
MOST_ACCENTED = 0.4
"""Maximum share of non-ASCII letters. French has 0.04; Cyrillic, Greek or Chinese read as Windows-1252 has 0.8."""
SAMPLE = 4096


class FileText(NamedTuple):
    """The content of a text file, and a note for the user about its encoding ("" if there is none)."""

    text: str
    note: str


def read_text(path: Path) -> FileText:
    """Read a text file and detect its encoding.

    A byte order mark decides. Without one, a file is UTF-16 if most of every other byte is zero, else UTF-8 if it
    decodes, else Windows-1252 if the result looks like natural words.

    Args:
        path: The file.

    Returns:
        Its text without a byte order mark, and a note if the encoding was guessed.

    Raises:
        OSError: The file cannot be read.
        RowsError: No encoding fits. The message names the first line that is not UTF-8.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None) or _wide(data[:SAMPLE])
    if encoding:
        try:
            return FileText(data.decode(encoding), "")
        except UnicodeDecodeError:
            name = encoding.removesuffix("-sig").upper()
            raise RowsError(f"{path} starts like {name}, but does not decode as {name}: save it as UTF-8.") from None
    try:
        return FileText(data.decode("utf-8"), "")
    except UnicodeDecodeError:
        text = _windows_text(data)
    if text is None:
        raise RowsError(f"{path} is not UTF-8{_first_bad_line(data)}: save it as UTF-8.")
    return FileText(text, "It is not UTF-8, so it was read as Windows-1252. If accents look wrong, save it as UTF-8.")


def _wide(data: bytes) -> str | None:
    """Return the UTF-16 variant of text without a byte order mark, if most of every other byte is zero; else None."""
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) > 1 and data[offset::2].count(0) * 2 > len(data) // 2 > 4 * data[1 - offset :: 2].count(0):
            return name
    return None


def _windows_text(data: bytes) -> str | None:
    """Return bytes decoded as Windows-1252, or None if they are clearly in another encoding."""
    if MANY_BYTES.search(data):  # it is UTF-8 with a few broken bytes
        return None
    try:
        text = data.decode(WINDOWS)
    except UnicodeDecodeError:
        return None
    letters = [character for character in text if character.isalpha()]
    accented = sum(not character.isascii() for character in letters)
    symbols = len(SYMBOL_IN_WORD.findall(text))
    return None if accented > MOST_ACCENTED * len(letters) or symbols > max(1, MOST_SYMBOLS * len(letters)) else text


def _first_bad_line(data: bytes) -> str:
    """Return the position of the first byte that is not UTF-8, for a message."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f" at line {number}, byte {error.start + 1} ({line[error.start : error.start + 4]!r})"
    return ""
