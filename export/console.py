"""What export and training tell a person while they work: on stderr, so that stdout holds results only."""

import sys


def say(line: str) -> None:
    """Print a line at once."""
    print(line, file=sys.stderr, flush=True)


def progress(label: str, done: int, total: int) -> None:
    """Print how far a loop is: in place on a terminal, and only at its end elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{label} {done}/{total}", end=end, file=sys.stderr, flush=True)
    elif done == total:
        say(f"{label} {done}/{total}")
