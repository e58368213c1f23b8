"""Provide a container engine for tests, or skip them with a reason."""

import pytest

from scripts.containers import Engine, NoEngineError
from scripts.podman import engine, say

SKIP_REASON = "no container engine runs here"


def engine_or_skip() -> Engine:
    """Return an engine, or skip the test with a warning that is visible despite pytest's capture."""
    try:
        return engine()
    except NoEngineError as error:
        say(f"THE TESTS OF THE CONTAINER IMAGE DO NOT RUN. {error}")
        pytest.skip(SKIP_REASON)
