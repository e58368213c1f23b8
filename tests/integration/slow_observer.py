"""The Lambda handler with an observer that defers work, for the test of the extension."""

import os
import time
from pathlib import Path
from typing import Any

from handler import entrypoint
from handler.deferred import started
from handler.observers import Observing
from handler.observing import Observation

deferred = started(os.environ)


def note(line: str) -> None:
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{line}\n")


def observe(observation: Observation) -> None:
    def work() -> None:
        time.sleep(0.3)
        note(f"worked {observation.request_id}")

    deferred.later(work)


entrypoint.observing = Observing([observe], deferred)
entrypoint.routes._observers = [observe]


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    note(f"asked {context.aws_request_id}")
    answer = entrypoint.lambda_handler(event, context)
    note(f"answered {context.aws_request_id}")
    return answer
