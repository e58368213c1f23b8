"""Structured logs: one JSON object per line on stdout, without utterances or tokens."""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec

LOGGER = logging.getLogger("handler")
QUOTING = ("mangum", "python_multipart")
"""Libraries whose own log lines quote paths and headers, and with them what users send."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(logging.Formatter):
    """Format a record as JSON: time, level, message, request id, version if there is one, and the record's `fields`."""

    def __init__(self, version: str) -> None:
        """Remember the version to write into each line; "" writes none."""
        super().__init__()
        self._version = {"version": version} if version else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **self._version,
            **getattr(record, "fields", {}),
        }
        return msgspec.json.encode(line).decode()


def configure(level: str, stream: TextIO | None = None, *, version: str = "") -> None:
    """Send this package's logs to a stream, and silence the libraries that could quote users.

    Args:
        level: The lowest level to log, such as `INFO`.
        stream: Where to write; None for stdout.
        version: The version to write into each line; "" for none.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(version))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False
    for name in QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log(message: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event.

    Args:
        message: What happened. Alarms search for this text, so it must be constant.
        level: A level of `logging`.
        **fields: More values for the line; never an utterance or a token.
    """
    LOGGER.log(level, message, extra={"fields": fields})


def log_refusal(message: str, **fields: Any) -> None:
    """Log a warning about something that the service refuses to do.

    Args:
        message: What happened.
        **fields: More values for the line; never an utterance or a token.
    """
    LOGGER.warning(message, extra={"fields": fields})


def log_failure(message: str, error: BaseException) -> None:
    """Log an unexpected error: its type and traceback, but not its message, which could quote an utterance.

    Args:
        message: What failed.
        error: The exception.
    """
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    causes = dict.fromkeys(type(cause).__name__ for cause in (error.__cause__, error.__context__) if cause is not None)
    LOGGER.error(
        message,
        extra={"fields": {"error": type(error).__name__, "causes": list(causes), "traceback": "".join(frames)}},
    )
