"""Provide a container engine for tests, or skip them with a reason; run a function in its emulator."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError, URLError

import pytest

from scripts.ask_emulator import free_port
from scripts.containers import Engine, NoEngineError
from scripts.podman import engine, say

SKIP_REASON = "no container engine runs here"
START_SECONDS = 60
LIMITS = ("--read-only", "--tmpfs", "/tmp", "--user", "65534:65534", "-m", "512m")


def engine_or_skip() -> Engine:
    """Return an engine, or skip the test with a warning that is visible despite pytest's capture."""
    try:
        return engine()
    except NoEngineError as error:
        say(f"THE TESTS OF THE CONTAINER IMAGE DO NOT RUN. {error}")
        pytest.skip(SKIP_REASON)


@contextmanager
def running(engine: Engine, image: str, *options: str, command: Sequence[str] = ()) -> Iterator[str]:
    """Run the image in its emulator, with Lambda's limits, and yield the URL that invokes it."""
    port = free_port()
    publish = ("-p", f"127.0.0.1:{port}:8080")
    name = engine.run("run", "-d", *LIMITS, *publish, *options, image, *command).stdout.strip()
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    finally:
        logs = engine.run("logs", name)
        print(logs.stdout, logs.stderr)
        engine.run("rm", "-f", name)


def wait_for(url: str) -> None:
    """Wait until the emulator responds, with 404 for this path."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=START_SECONDS).close()
        except HTTPError:
            return
        except (URLError, HTTPException, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
