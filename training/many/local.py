"""Run the entries of a manifest on this machine, several at once."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from export.console import say
from training.many.attempts import AttemptError, RunningAttempt, start_attempt
from training.many.manifest import Entry
from training.many.record import Record, read_record

POLL_SECONDS = 0.05


def run(entries: Sequence[Entry], *, workers: int, cpus: int, retries: int) -> Iterator[Record]:
    """Train entries, each in a process of its own.

    Args:
        entries: The entries, whose folders have records.
        workers: How many run at once.
        cpus: Number of threads of each.
        retries: How often an entry is tried again.

    Yields:
        The record of each entry that finished or finally failed.
    """
    waiting = deque((entry, retries) for entry in entries)
    running: list[tuple[RunningAttempt, Entry, int]] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                entry, left = waiting.popleft()
                running.append((start_attempt(entry.folder, cpus), entry, left))
            ended = [each for each in running if each[0].process.poll() is not None]
            if not ended:
                time.sleep(POLL_SECONDS)
            for each in ended:
                running.remove(each)
                attempt, entry, left = each
                try:
                    yield attempt.result()
                except AttemptError as error:
                    if left:
                        say(f"{entry.name}: {error}. Trying again ({left} left).")
                        waiting.appendleft((entry, left - 1))
                    elif record := read_record(entry.folder):
                        yield record
    finally:
        for attempt, _, _ in running:
            attempt.end()
