"""Structured logs: one JSON object per line on stdout, without utterances or tokens."""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, TextIO

import msgspec

LOGGER = logging.getLogger("handler")
QUOTING = ("mangum", "python_multipart")
"""Libraries whose own lines quote paths and headers, and so what people send."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(logging.Formatter):
    """Write a record as JSON: time, level, message, the request's id, the version if any, and the record's `fields`."""

    def __init__(self, version: str) -> None:
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
    """Send this package's logs to a stream, stdout where none is given. version: named in each line."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(version))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False
    for name in QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log(message: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log a line with fields.

    Args:
        message: What happened, in words that alarms can look for.
        level: One of the levels of `logging`.
        **fields: What the line holds besides; never an utterance or a token.
    """
    LOGGER.log(level, message, extra={"fields": fields})


def log_refusal(message: str, **fields: Any) -> None:
    """Log a line with fields about something that the service does not do, as a warning."""
    LOGGER.warning(message, extra={"fields": fields})


def log_failure(message: str, error: BaseException) -> None:
    """Log an unexpected error: its type and where it was raised, but not its message, which may quote the utterance."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    causes = dict.fromkeys(type(cause).__name__ for cause in (error.__cause__, error.__context__) if cause is not None)
    LOGGER.error(
        message,
        extra={"fields": {"error": type(error).__name__, "causes": list(causes), "traceback": "".join(frames)}},
    )
