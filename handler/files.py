"""Read and hash files without pathlib and OpenSSL, which take longer to load than a small bundle takes to read."""

import os
from io import FileIO

try:
    from _sha2 import sha256 as _small_sha256  # type: ignore[import-not-found]  # CPython's own, from 3.12
except ImportError:
    from hashlib import sha256 as _small_sha256

StrPath = str | os.PathLike[str]
"""A path: a string, or an object such as `pathlib.Path`."""

LARGE_BYTES = 1_000_000
"""From this size, loading OpenSSL pays: it hashes four times as fast as CPython's own code."""
BLOCK_BYTES = 1 << 16


def read(*path: StrPath) -> bytes:
    """Return the content of a file, whose path may come in parts. Raises OSError if it cannot be read."""
    with open(os.path.join(*path), "rb", buffering=0) as file:
        return file.read()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes in lowercase hex."""
    if len(content) < LARGE_BYTES:
        digest: str = _small_sha256(content).hexdigest()
        return digest
    import hashlib

    return hashlib.sha256(content).hexdigest()


def file_sha256(path: StrPath) -> tuple[str, int]:
    """Return the SHA-256 of a file in lowercase hex, and its size in bytes.

    Args:
        path: The file.

    Returns:
        The hash and the size.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size < LARGE_BYTES:
            return _small_file_sha256(file)
        import hashlib

        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


def _small_file_sha256(file: FileIO) -> tuple[str, int]:
    """Hash an open file with CPython's own code."""
    hashed, size = _small_sha256(), 0
    while block := file.read(BLOCK_BYTES):
        hashed.update(block)
        size += len(block)
    return hashed.hexdigest(), size
