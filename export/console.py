"""Progress messages and bars of export and training, on stderr; stdout holds only results.

A terminal shows a progress bar with the remaining time. Elsewhere, such as in a log, a finished loop prints one line.
"""

import atexit
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REDRAWN_SECONDS = 0.1


class _Bar:
    """The progress bar; the terminal shows at most one at a time."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._label = ""
        self._drawn = 0.0

    def show(self, label: str, done: int, total: int) -> None:
        """Draw the bar of a loop. A new label starts a new bar; the last step ends it."""
        if self._progress is None or self._task is None or label != self._label:
            self.end()
            self._progress, self._label = _rich_progress(), label
            self._task = self._progress.add_task(label, total=total)
            self._progress.start()
        now = time.monotonic()
        is_drawn = done == total or now - self._drawn >= REDRAWN_SECONDS
        self._progress.update(self._task, completed=done, total=total, refresh=is_drawn)
        if is_drawn:
            self._drawn = now
        if done == total:
            self.end()

    def end(self) -> None:
        """Stop updating the bar, and restore the cursor."""
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._label = None, ""


_BAR = _Bar()
# Restore the cursor however the process ends, for example after Ctrl-C.
atexit.register(_BAR.end)


def say(line: str) -> None:
    """Print a line to stderr immediately, above the progress bar if one is shown."""
    print(line, file=sys.stderr, flush=True)


def progress(label: str, done: int, total: int) -> None:
    """Show the progress of a loop: as a bar on a terminal, otherwise as one line when it finishes.

    Args:
        label: What the loop counts, such as `Fetched, files`.
        done: Number of finished steps.
        total: Total number of steps.
    """
    if sys.stderr.isatty():
        _BAR.show(label, done, total)
    elif done == total:
        say(f"{label} {done}/{total}")


def bar(label: str, done: int, total: int) -> None:
    """Show a bar on a terminal, and nothing elsewhere: for loops that already print a line per step.

    Args:
        label: What the loop counts, such as `epochs`.
        done: Number of finished steps.
        total: Maximum number of steps; call `end_bar` if the loop stops early.
    """
    if sys.stderr.isatty():
        _BAR.show(label, done, total)


def end_bar() -> None:
    """End the bar of a loop that stopped early."""
    _BAR.end()


def duration(seconds: float) -> str:
    """Return a duration as text.

    Args:
        seconds: The duration.

    Returns:
        Such as `7 s`, `3 min` or `2 h 5 min`.
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _rich_progress() -> "Progress":
    """Return a display that redraws only on request, without a thread; other output appears above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
