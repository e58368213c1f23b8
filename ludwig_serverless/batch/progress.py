"""Show how far a batch is: rows, rows per second and the time that is left, on stderr."""

import sys
import time

from export.console import duration

INTERVAL_SECONDS = 10.0
TERMINAL_SECONDS = 0.5


class BatchProgress:
    """Prints a line every few seconds; on a terminal, it replaces the line before.

    Attributes:
        rows: The number of rows that are written.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self.rows = 0
        self._started = self._printed = time.monotonic()
        self._done = self._skipped = 0.0
        self._on_terminal = sys.stderr.isatty()

    def skip(self, share: float) -> None:
        """Count a part that an earlier run wrote. It says nothing about the speed of this run.

        Args:
            share: The part's share of the whole input, in [0, 1].
        """
        self._skipped += share

    def add(self, rows: int, share: float) -> None:
        """Count rows, and print a line if the last one is some seconds old.

        Args:
            rows: The rows that were written.
            share: Their share of the whole input, in [0, 1].
        """
        self.rows += rows
        self._done += share
        now = time.monotonic()
        if now - self._printed >= (TERMINAL_SECONDS if self._on_terminal else INTERVAL_SECONDS):
            self._printed = now
            self._print(self._line(now))

    def end(self) -> None:
        """Print the last line."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        self._print(f"{self.rows:,} rows in {duration(seconds)}, {self.rows / seconds:,.0f} rows/s")
        if self._on_terminal:
            print(file=sys.stderr)

    def _line(self, now: float) -> str:
        seconds, done = now - self._started, self._skipped + self._done
        line = f"{done:.0%}  {self.rows:,} rows  {self.rows / seconds:,.0f} rows/s"
        return f"{line}  {duration(seconds / self._done * max(0.0, 1 - done))} left" if self._done > 0 else line

    def _print(self, line: str) -> None:
        print(f"\r\033[K{line}" if self._on_terminal else line, end="" if self._on_terminal else "\n", file=sys.stderr)
        sys.stderr.flush()
