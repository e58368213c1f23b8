"""The journal of a review: every decision is on the disk before the page shows the next message.

A line is one step of the reviewer as JSON: decisions about one or more messages, or the undoing of the step before. A
crash can only cut off the last line, which is then ignored. The journal holds everything that the dataset needs, so
that captured messages may expire.
"""

import errno
import fcntl
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from training.errors import BusyError, ReviewError

Kind = Literal["label", "skip", "delete", "open"]
"""Label: goes into the dataset. Skip: later. Delete: never. Open: undecided again."""


class Mark(msgspec.Struct, frozen=True, order=True):
    """A slot that is marked in a text.

    Attributes:
        start: Position of the first character, in code points.
        end: Position after the last character, in code points.
        name: The slot's name.
    """

    start: int
    end: int
    name: str


class Decision(msgspec.Struct, frozen=True):
    """What the reviewer decided about one message or row.

    Attributes:
        id: The message's or row's id.
        kind: What to do with it.
        text: The text; "" for a deleted message, which leaves nothing behind.
        intent: The intent; "" if unknown.
        language: The language code; "" if unknown.
        marks: The slots; None if they are unknown, [] if there are none.
        time: When the message was captured, in UTC as ISO 8601; "" for a row of a dataset.
        reason: Why it was captured.
        version: The version of the service that answered it.
        at: When this was decided, in UTC as ISO 8601.
    """

    id: str
    kind: Kind
    text: str = ""
    intent: str = ""
    language: str = ""
    marks: list[Mark] | None = None
    time: str = ""
    reason: str = ""
    version: str = ""
    at: str = ""


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the journal: the decisions of one key, or an undo of the step before."""

    decisions: list[Decision] = []
    undo: bool = False


class Journal:
    """The decisions of a review, in a file that this process alone writes."""

    def __init__(self, path: Path) -> None:
        """Open a journal, or begin one.

        Args:
            path: The file.

        Raises:
            BusyError: Another process has it open.
            ReviewError: It cannot be read or written, or is not a journal.
        """
        self.path = path
        self._steps: list[JournalLine] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                opened.enter_context(_locked(path))
                self._steps = _effective(_read(path))
                _replace(path, self._steps)
                # The old file stays locked too: another process may have opened it before it was replaced.
                self._file = opened.enter_context(_locked(path))
                self._opened = opened.pop_all()
        except OSError as error:
            raise _unwritable(path, error) from None

    @property
    def decisions(self) -> dict[str, Decision]:
        """The decision that holds for each message, in the order in which they were made."""
        found: dict[str, Decision] = {}
        for step in self._steps:
            for decision in step.decisions:
                found.pop(decision.id, None)
                if decision.kind != "open":
                    found[decision.id] = decision
        return found

    def add(self, decisions: list[Decision]) -> None:
        """Save a step. It is on the disk when this returns.

        Args:
            decisions: The decisions of one key.

        Raises:
            ReviewError: They cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        step = JournalLine([msgspec.structs.replace(decision, at=now) for decision in decisions])
        self._append(step)
        self._steps.append(step)

    def undo(self) -> list[Decision]:
        """Undo the last step, of this session or of an earlier one.

        Returns:
            The decisions that no longer hold; an empty list if there are none.

        Raises:
            ReviewError: It cannot be written.
        """
        if not self._steps:
            return []
        self._append(JournalLine(undo=True))
        return self._steps.pop().decisions

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._opened.close()

    def _append(self, step: JournalLine) -> None:
        line = msgspec.json.encode(step) + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), end)  # a part of the line would break the next one
            raise _unwritable(self.path, error) from None


def _locked(path: Path) -> IO[bytes]:
    """Open a file for this process and its owner alone."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BusyError(
            f"Another `ludwig-serverless review` is using {path}: stop it, or choose another --output."
        ) from None
    return file


def _read(path: Path) -> list[JournalLine]:
    lines = path.read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(JournalLine)
    steps = []
    for number, line in enumerate(lines[:-1], start=1):  # the last line is empty, or was cut off
        try:
            steps.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ReviewError(
                f"{path} is not the journal of a review (line {number}): move it away, or choose another --output."
            ) from None
    return steps


def _effective(steps: list[JournalLine]) -> list[JournalLine]:
    """Return the steps that still hold, without the texts of deleted messages."""
    kept: list[JournalLine] = []
    for step in steps:
        if not step.undo:
            kept.append(step)
        elif kept:
            kept.pop()
    final = {decision.id: decision.kind for step in kept for decision in step.decisions}
    kept = [
        JournalLine([each for each in step.decisions if each.kind == "delete" or final[each.id] != "delete"])
        for step in kept
    ]
    return [step for step in kept if step.decisions]


def _replace(path: Path, steps: list[JournalLine]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(msgspec.json.encode(step) + b"\n" for step in steps)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> ReviewError:
    return ReviewError(f"{path} cannot be written: {error.strerror or error}. Free some space, or check its folder.")
