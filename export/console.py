"""What export and training tell a person while they work: on stderr, so that stdout holds results only.

On a terminal a bar with the remaining time shows how far a loop is; elsewhere, such as in a log, its end is one line.
"""

import atexit
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REDRAWN_SECONDS = 0.1


class _Bar:
    """The one bar that a terminal shows at a time."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._label = ""
        self._drawn = 0.0

    def show(self, label: str, done: int, total: int) -> None:
        """Draw the bar of a loop; another label begins another bar, and the loop's end ends it."""
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
        """Leave the bar as it is, and give the terminal its cursor back."""
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._label = None, ""


_BAR = _Bar()
# Whatever ends the process, such as Ctrl-C.
atexit.register(_BAR.end)


def say(line: str) -> None:
    """Print a line at once, above the bar if one is shown."""
    print(line, file=sys.stderr, flush=True)


def progress(label: str, done: int, total: int) -> None:
    """Show how far a loop is: as a bar on a terminal, and as one line at its end elsewhere.

    Args:
        label: What is counted, such as `Fetched, files`.
        done: How many are done.
        total: How many there are.
    """
    if sys.stderr.isatty():
        _BAR.show(label, done, total)
    elif done == total:
        say(f"{label} {done}/{total}")


def bar(label: str, done: int, total: int) -> None:
    """Show a bar on a terminal, and nothing elsewhere: for loops whose steps are lines of their own.

    Args:
        label: What is counted, such as `epochs`.
        done: How many are done.
        total: How many there are at most; `end_bar` ends a loop that stops before.
    """
    if sys.stderr.isatty():
        _BAR.show(label, done, total)


def end_bar() -> None:
    """End the bar of a loop that stopped before its last step."""
    _BAR.end()


def _rich_progress() -> "Progress":
    """Return a display that draws when it is told to, without a thread; other output goes above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
