"""Keep captured messages in memory, and write them in batches that a retry never doubles."""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from handler.errors import CaptureError
from handler.logs import log_refusal

RECORDS = 100
"""A batch with so many messages is written at once."""
MOST_BYTES = 4_000_000
"""The most bytes of messages that may wait. With more, the newest are dropped, so that memory stays bounded."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
"""Seconds without a write after a failure. The pause doubles with each further failure."""


class CaptureStore(Protocol):
    """Where captured messages are written.

    Attributes:
        seconds: The shortest time between two writes. It bounds the number of files and the cost of requests.
    """

    seconds: float

    def put(self, name: str, content: bytes) -> None:
        """Write a file. Writing the same name again replaces it.

        Args:
            name: The path of the file, relative to the store.
            content: JSON Lines.

        Raises:
            CaptureError: The file cannot be written. The message never quotes the content.
        """


class Batch(NamedTuple):
    """A file that is ready to write. A retry writes the same content under the same name."""

    name: str
    content: bytes


class Batches:
    """The messages that are not written yet.

    All methods but `are_due` must be called from one thread. A write happens only when a request brings it about,
    because Lambda freezes an instance between requests. The first message after a quiet time is written at once; under
    load, messages are collected for `store.seconds`.
    """

    def __init__(self, store: CaptureStore, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without messages.

        Args:
            store: Where to write.
            clock: Returns the time in seconds.
        """
        self._store = store
        self._clock = clock
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._batch: Batch | None = None
        self._written = 0
        self._instance = ""
        self._not_before = -1.0
        self._failures = 0
        self._dropped = 0

    def add(self, day: str, line: bytes) -> None:
        """Keep a message until it is written.

        Args:
            day: The day of the message, such as 2026-11-27.
            line: The message as a line of JSON.
        """
        if self._bytes + len(line) > MOST_BYTES:
            if self._dropped == 0:
                log_refusal("captured messages dropped", waiting=len(self._waiting))
            self._dropped += 1
            return
        self._waiting.append((day, line))
        self._bytes += len(line)

    def are_due(self) -> bool:
        """Return whether `write_due` would write. Any thread may ask."""
        if self._batch is None and not self._waiting:
            return False
        is_full = self._failures == 0 and len(self._waiting) >= RECORDS
        return is_full or self._clock() >= self._not_before

    def write_due(self) -> None:
        """Write all messages, if the last write is long enough ago or enough messages wait."""
        if self.are_due():
            self.write_all()

    def write_all(self) -> None:
        """Write all messages. A batch that cannot be written is kept for the next time."""
        while self._batch is not None or self._waiting:
            self._batch = self._batch or self._next_batch()
            try:
                self._store.put(*self._batch)
            except CaptureError as error:
                self._failed(error)
                return
            self._bytes -= len(self._batch.content)
            self._batch, self._failures = None, 0
        self._not_before = self._clock() + self._store.seconds

    def _next_batch(self) -> Batch:
        """Take the oldest messages, and name their file: its day, this instance and a counter make the name unique."""
        # The id is made with the first batch, because all instances that SnapStart restores share what is made earlier.
        self._instance = self._instance or os.urandom(8).hex()
        self._written += 1
        day = self._waiting[0][0].replace("-", "/")
        lines = [self._waiting.popleft()[1] for _ in range(min(RECORDS, len(self._waiting)))]
        return Batch(f"{day}/{self._instance}-{self._written:06d}.jsonl", b"".join(lines))

    def _failed(self, error: CaptureError) -> None:
        if self._failures == 0:
            log_refusal("capture failed", reason=str(error), waiting=len(self._waiting))
        self._not_before = self._clock() + min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures += 1
