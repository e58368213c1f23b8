"""Digests of files and folders: whether a training has the same data as one before."""

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and files in a folder, as hexadecimal digits.

    Args:
        path: A file or a folder.

    Raises:
        OSError: It cannot be read.
    """
    if path.is_dir():
        parts = [f"{each.name}\0{file_digest(each)}" for each in sorted(path.iterdir())]
        return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
