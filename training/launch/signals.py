"""Ctrl-C, SIGTERM and a closed terminal: the first signal interrupts, later ones do not disturb the cleanup."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from export.console import say

PATIENCE = "Still terminating the instance, which costs money while it runs. Please wait ..."


def tell(line: str) -> None:
    """Print a line, unless the terminal is gone."""
    with suppress(OSError):
        say(line)


@contextmanager
def one_interruption() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt, and ignore later ones inside the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def answer(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if number == signal.SIGHUP:
            _silence()
        if interrupted:
            tell(PATIENCE)
            return
        interrupted = True
        raise KeyboardInterrupt

    numbers = [each for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _is_heeded(each)]
    old = {number: signal.signal(number, answer) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _is_heeded(number: signal.Signals) -> bool:
    """Return whether a signal is not ignored. `nohup` ignores SIGHUP."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _silence() -> None:
    """Discard all further output: the terminal is gone, so writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
