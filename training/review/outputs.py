"""Write the outputs of a review. They come from the journal, so that a file with other content is kept beside them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from export.console import say
from training.review.journal import Decision

Write = Callable[[Path, Sequence[Decision]], None]
"""Writes one output from all decisions that hold, under a temporary name that is then renamed."""


def write_first(output: Path, write: Write, decisions: Sequence[Decision]) -> None:
    """Write an output at the start of a session. A file that someone changed or made is kept as NAME.previous.

    Args:
        output: The file.
        write: Writes it.
        decisions: All decisions that hold. Without any, no new file is written.

    Raises:
        DatasetError: The file cannot be written.
    """
    if not output.exists():
        if decisions:
            write(output, decisions)
        return
    fresh = output.with_name(f".{output.stem}.fresh{output.suffix}")
    try:
        write(fresh, decisions)
        if fresh.read_bytes() != output.read_bytes():
            kept = _free(output)
            output.rename(kept)
            say(f"{output} is not what the journal says: it is kept as {kept}.")
        fresh.replace(output)
    finally:
        fresh.unlink(missing_ok=True)


def _free(output: Path) -> Path:
    """Return a name for an earlier version that no file has."""
    number = 1
    while (kept := output.with_name(f"{output.name}.previous{'' if number == 1 else f'-{number}'}")).exists():
        number += 1
    return kept
