"""The events in examples/events/, answered by the real handler with the example bundles."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.handler.deployment import Answer, invoke, lambda_handler

EVENTS = Path(__file__).parents[2] / "examples" / "events"
BUNDLES = EVENTS.parent / "bundles"
STATUSES = {
    "hexabot-base64": 200,
    "hexabot-raw": 200,
    "rest-api": 200,
    "json": 200,
    "batch": 200,
    "health": 200,
    "wrong-token": 401,
}


def read(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ask() -> Callable[[str], Answer]:
    handler = lambda_handler(BUNDLES, NLU_OPEN="", **read("env")["Function"])
    return lambda name: invoke(handler, read(name))


def test_every_event_file_is_tested() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {*STATUSES, "env"}
    assert read("env")["Function"]["NLU_TOKEN_DIGESTS"] == hashlib.sha256(b"local-only").hexdigest()


@pytest.mark.parametrize("name", STATUSES)
def test_each_event_gets_the_expected_answer(ask: Callable[[str], Answer], name: str) -> None:
    answer = ask(name)
    assert answer.status == STATUSES[name], answer.body


@pytest.mark.parametrize("name", ["hexabot-base64", "hexabot-raw", "rest-api", "json"])
def test_all_forms_of_a_request_get_the_same_answer(ask: Callable[[str], Answer], name: str) -> None:
    assert ask(name).json() == ask("hexabot-base64").json()
    assert ask(name).json()["intent"]["predictions"]["intent_predictions"] == "book_flight"
