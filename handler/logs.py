"""Structured logs: one JSON object per line on stdout, without utterances or tokens.

Python's `logging` takes longer for a line than the rest of this package takes for some requests, so this module writes
the lines itself. Before `configure`, as in a program that uses this package as a library, it passes them to `logging`.
"""

import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
"""The levels, with the numbers of `logging`."""
LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARNING": WARNING, "ERROR": ERROR}
NAMES = {number: name for name, number in LEVELS.items()}

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class Log:
    """A log on a stream.

    Attributes:
        level: The number of the lowest level to log.
    """

    def __init__(self, level: int, stream: TextIO, version: str) -> None:
        """Keep the stream.

        Args:
            level: The number of the lowest level to log.
            stream: Where to write.
            version: The version to write into each line; "" for none.
        """
        self.level = level
        self._stream = stream
        self._version = {"version": version} if version else {}
        self._encode = msgspec.json.Encoder().encode
        self._now = (0, "")

    def write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        """Write one line: time, level, message, request id, version if there is one, and the fields."""
        line = {
            "time": self._time(),
            "level": NAMES[level],
            "message": message,
            "request_id": request_id.get(),
            **self._version,
            **fields,
        }
        self.write_line(self._encode(line).decode())

    def write_line(self, line: str) -> None:
        """Write a line that is not a log entry, at any level."""
        with suppress(OSError, ValueError):  # a stream that is closed or broken must not fail a request
            self._stream.write(line + "\n")
            self._stream.flush()

    def _time(self) -> str:
        second = int(time.time())
        known, text = self._now
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))
            self._now = (second, text)
        return text


_log: Log | None = None


def configure(level: str, stream: TextIO | None = None, *, version: str = "") -> None:
    """Send this package's logs to a stream.

    Args:
        level: The lowest level to log, such as `INFO`.
        stream: Where to write; None for stdout.
        version: The version to write into each line; "" for none.
    """
    global _log
    _log = Log(LEVELS[level], stream or sys.stdout, version)


def silence(library: str) -> None:
    """Silence a library whose own log lines quote paths and headers, and with them what users send."""
    import logging

    logging.getLogger(library).setLevel(logging.CRITICAL)


def log(message: str, *, level: int = INFO, **fields: Any) -> None:
    """Log an event.

    Args:
        message: What happened. Alarms search for this text, so it must be constant.
        level: One of the levels of this module.
        **fields: More values for the line; never an utterance or a token.
    """
    if _log is None:
        import logging

        logging.getLogger("handler").log(level, message, extra={"fields": fields})
    elif level >= _log.level:
        _log.write(level, message, fields)


def write_line(line: str) -> None:
    """Write a line that another program reads from the log, such as metrics. No level hides it.

    Args:
        line: The line; never an utterance or a token. Before `configure`, it is dropped.
    """
    if _log is not None:
        _log.write_line(line)


def log_refusal(message: str, **fields: Any) -> None:
    """Log a warning about something that the service refuses to do.

    Args:
        message: What happened.
        **fields: More values for the line; never an utterance or a token.
    """
    log(message, level=WARNING, **fields)


def log_failure(message: str, error: BaseException, **fields: Any) -> None:
    """Log an unexpected error: its type and traceback, but not its message, which could quote an utterance.

    Args:
        message: What failed.
        error: The exception.
        **fields: More values for the line; never an utterance or a token.
    """
    import traceback

    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    causes = dict.fromkeys(type(cause).__name__ for cause in (error.__cause__, error.__context__) if cause is not None)
    log(message, level=ERROR, error=type(error).__name__, causes=list(causes), traceback="".join(frames), **fields)
