"""Ctrl-C, SIGTERM and a closed terminal: the first one interrupts, and the cleanup after it is left to finish."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from export.console import say

PATIENCE = "Still ending the instance, which costs money as long as it runs. A moment ..."


def tell(line: str) -> None:
    """Print a line, unless the terminal is gone."""
    with suppress(OSError):
        say(line)


@contextmanager
def one_interruption() -> Iterator[None]:
    """Let the first signal interrupt, and ignore all later ones until the end."""
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
    """Tell whether a signal is not ignored, as nohup ignores SIGHUP."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _silence() -> None:
    """Discard what is printed from now on: the terminal is gone, and writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
