"""Text files in every common encoding."""

from pathlib import Path

import pytest

from export.encodings import read_text
from export.errors import RowsError

FRENCH = "text,intent\nun hôtel « ÉTÉ » à Lyon’s,a\nhola¿que – l’été…,b\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_text_is_the_same_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(FRENCH.encode(encoding))
    text, note = read_text(path)
    assert text == FRENCH
    assert ("Windows-1252" in note) == (encoding == "cp1252")


@pytest.mark.parametrize("content", ["", "a", "ab", "\n", "text\n"])
def test_short_files_are_utf8(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    assert read_text(path) == (content, "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nпривет мир\n".encode("cp1251"), r"is not UTF-8 at line 2, byte 1 \(b'\\xef\\xf0\\xe8\\xe2'\): save it"),
        ("text\n你好世界\n".encode("gbk"), "is not UTF-8 at line 2, byte 1"),
        ("text\nkawa z mlekiem\nna żółwia była łódź\n".encode("cp1250"), "is not UTF-8 at line 3"),
        ("text\nété à Rome\n".encode() + b"caf\xe9\n", "is not UTF-8 at line 3, byte 4"),
        (b"text\n\x81\x8d\n", "is not UTF-8 at line 2"),
        ("text\n".encode("utf-16") + b"\x00", "starts like UTF-16, but does not decode as UTF-16: save it as UTF-8"),
        (b"\xef\xbb\xbftext\n\xe9", "starts like UTF-8, but does not decode as UTF-8"),
    ],
    ids=["cyrillic", "chinese", "polish", "one broken byte", "undefined", "half", "marked"],
)
def test_other_encodings_are_not_taken_for_windows_1252(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RowsError, match=rf"^{path} {message}"):
        read_text(path)
