"""Import onnxruntime, and convert what it writes to stderr during the import to log lines.

In sandboxes that hide `/sys` or `/proc`, onnxruntime and its libraries write colored text to stderr before any setting
can prevent it. That would break a JSON log.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from handler.logs import log_refusal

__all__ = ["FATAL", "onnxruntime", "tell_pending"]

# Official builds send telemetry to Microsoft unless this is set before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

COLOR = re.compile(r"\x1b\[[0-9;]*m")
OWN = re.compile(r"\[[VIWEF]:onnxruntime:|onnxruntime |Error in cpuinfo")
"""What marks a line of onnxruntime or its library cpuinfo. All other lines, such as Python's, stay on stderr."""

_pending: list[str] = []


@contextmanager
def _collected() -> Iterator[None]:
    """Capture what C++ libraries write to stderr's file descriptor, which replacing `sys.stderr` does not capture."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # output beyond the pipe's capacity is lost, but writers never block
    sys.stderr.flush()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)  # closes the last writing end, so reading reaches the end of the file
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
onnxruntime.set_default_logger_severity(FATAL)  # errors also raise exceptions, so logging them would report them twice


def tell_pending() -> None:
    """Log what onnxruntime wrote during its import, before the log was configured."""
    while _pending:
        log_refusal("onnxruntime warns", said=_pending.pop(0))
