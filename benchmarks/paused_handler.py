"""The handler with a pause before each answer, as long as the caller asks: a slow model that needs no processor."""

import time
from typing import Any

from handler import entrypoint

PAUSE = "x-pause-milliseconds"
"""The header with the duration of the pause."""


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Wait, and answer as the handler does."""
    time.sleep(float(event["headers"].get(PAUSE, 0)) / 1000)
    answer: dict[str, Any] = entrypoint.lambda_handler(event, context)
    return answer
