"""Write files that exist completely or not at all, also if the process is killed while it writes."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step.

    Args:
        path: The file. Its folder must exist.
        content: Its content.

    Raises:
        OSError: The file cannot be written; an old one stays as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
