"""Import onnxruntime, and convert what it writes to stderr on startup to log lines.

Where `/sys` or `/proc` are hidden, as in sandboxes, onnxruntime and its libraries write colored text to stderr before
any setting can prevent it. That would break a JSON log.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from handler.logs import log_refusal

__all__ = ["FATAL", "onnxruntime", "tell_pending"]

# Its official builds report to their maker otherwise; it is read when onnxruntime is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

COLOR = re.compile(r"\x1b\[[0-9;]*m")
OWN = re.compile(r"\[[VIWEF]:onnxruntime:|onnxruntime |Error in cpuinfo")
"""What lines of onnxruntime and of its library cpuinfo hold. All others, such as Python's, stay on stderr."""

_pending: list[str] = []


@contextmanager
def _collected() -> Iterator[None]:
    """Collect what is written on the file descriptor of stderr: libraries in C++ do not know Python's `sys.stderr`."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # what does not fit into the pipe is lost, but nothing waits for a reader
    sys.stderr.flush()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)  # closes the last writing end, so that reading comes to an end
        os.close(stderr)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if OWN.search(line):
                    _pending.append(COLOR.sub("", line).strip())
                else:
                    sys.stderr.write(line)


with _collected():
    import onnxruntime

FATAL = 4
onnxruntime.set_default_logger_severity(FATAL)  # errors are exceptions too; as text they would be said twice


def tell_pending() -> None:
    """Log what onnxruntime wrote while it was imported: the log is configured only after imports."""
    while _pending:
        log_refusal("onnxruntime warns", said=_pending.pop(0))
