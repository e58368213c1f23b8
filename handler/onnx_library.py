"""Find onnxruntime's C library, and convert what libraries write to stderr while they load to log lines.

In sandboxes that hide `/sys` or `/proc`, onnxruntime and its libraries write colored text to stderr before any setting
can prevent it. That would break a JSON log.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock

from handler.logs import log_refusal

# Official builds send telemetry to Microsoft unless this is set before the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

LIBRARY = "capi/libonnxruntime.so.{version}"
"""Where the wheel keeps the C library, in the folder of its package. The Python extension does not use it."""

COLOR = re.compile(r"\x1b\[[0-9;]*m")
OWN = re.compile(r"\[[VIWEF]:onnxruntime:|onnxruntime |Error in cpuinfo")
"""What marks a line of onnxruntime or its library cpuinfo. All other lines, such as Python's, stay on stderr."""

_capturing = Lock()


def library_path(version: str) -> str | None:
    """Find the C library of an installed onnxruntime.

    Args:
        version: The version that the file's name must contain.

    Returns:
        The file; None if no such version is installed. Python's package `onnxruntime`, which needs numpy, is found but
        not imported.
    """
    package = find_spec("onnxruntime")
    folders = package.submodule_search_locations if package else None
    paths = [os.path.join(folder, LIBRARY.format(version=version)) for folder in folders or ()]
    return next((path for path in paths if os.path.isfile(path)), None)


@contextmanager
def logged_stderr() -> Iterator[None]:
    """Log what C++ libraries write to stderr's file descriptor, which replacing `sys.stderr` does not capture."""
    lines: list[str] = []
    with _capturing:
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
            with os.fdopen(reading, encoding="utf-8", errors="replace") as written:
                lines += written
    for line in lines:
        if OWN.search(line):
            log_refusal("onnxruntime warns", said=COLOR.sub("", line).strip())
        else:
            sys.stderr.write(line)
