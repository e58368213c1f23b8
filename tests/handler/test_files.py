"""Files are hashed with SHA-256, whichever code hashes them."""

import hashlib
from pathlib import Path

import pytest

from handler.files import BLOCK_BYTES, LARGE_BYTES, file_sha256, read, sha256

SIZES = [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1]


@pytest.mark.parametrize("size", SIZES)
def test_small_and_large_files_have_the_same_hash_as_with_hashlib(tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(content[:size])
    expected = hashlib.sha256(content[:size]).hexdigest()
    assert file_sha256(path) == file_sha256(str(path)) == (expected, size)
    assert sha256(content[:size]) == expected


def test_a_path_may_come_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[]")
    assert read(tmp_path, "a.json") == read(tmp_path / "a.json") == read(f"{tmp_path}/a.json") == b"[]"
    with pytest.raises(FileNotFoundError):
        read(tmp_path, "b.json")
