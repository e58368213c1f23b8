"""Answer events that are not HTTP requests: warm-up pings, and events that other services send by mistake.

Batches of Step Functions are recognized here and answered in `handler/map_batches.py`.

No event raises an exception, because Lambda would count an error, trigger the alarm and retry the event.
"""

import re
from typing import Any

import msgspec

from handler.gateway import event_answer
from handler.logs import log, log_refusal
from handler.messages import Answer

PING_KEYS = ("ping", "warmup", "warmer", "keepwarm", "keepWarm", "keep_warm")
"""Keys in the scheduled events that keep a function warm, such as those of lambda-warmer."""

PING_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")
"""The sources of scheduled events: EventBridge's rules and schedules, and the Serverless Framework's plugin."""

NAMED_SOURCE = r"aws[.:][a-z0-9-]{1,30}"
"""A sender's name that is safe to log. Anything else could contain a user's message."""

BATCH_KEYS = {"BatchInput", "Items"}
"""The keys of the events that Step Functions' Distributed Map sends. No HTTP event has only these."""
BATCH_VERSION = 1
"""The version of such events that this package reads. The field `ludwig_serverless_batch` contains it."""


def answer_other(event: Any, models: list[str]) -> dict[str, Any]:
    """Answer an event that is not an HTTP request, and log only its kind.

    Args:
        event: Any JSON value.
        models: The names of the loaded models, for the answer to a ping.

    Returns:
        The answer of `GET /` to a ping. For any other event an HTTP response with status 400.
    """
    if is_ping(event):
        log("ping")
        return {"message": "Ludwig server is up", "models": models}
    kind = _named(event)
    log_refusal("event refused", kind=kind)
    error = (
        f"This event ({kind}) is not an HTTP request. Call the function through API Gateway, a function URL, a load "
        'balancer or VPC Lattice. To keep it warm, send {"ping": true}.'
    )
    body = msgspec.json.encode({"error": error})
    return event_answer(None, Answer(400, {"content-type": "application/json"}, body))


def is_batch(event: Any) -> bool:
    """Return whether an event is a batch of rows that examples/aws/batch.yaml sends, of any version.

    Args:
        event: An event that is not an HTTP request: any JSON value.
    """
    if not isinstance(event, dict) or event.keys() != BATCH_KEYS:
        return False
    return isinstance(event["BatchInput"], dict) and "ludwig_serverless_batch" in event["BatchInput"]


def is_ping(event: Any) -> bool:
    """Return whether an event only keeps the function warm: an empty or scheduled event, or a known ping."""
    if event is None or event == {}:
        return True
    if not isinstance(event, dict):
        return False
    return event.get("source") in PING_SOURCES or any(event.get(key) not in (None, False) for key in PING_KEYS)


def _named(event: Any) -> str:
    """Return the sender of an event if it is safe to log, such as `aws:sqs`; otherwise the event's JSON type."""
    if not isinstance(event, dict):
        return {list: "a list", str: "a string", bool: "a Boolean"}.get(type(event), "a number")
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records and isinstance(records[0], dict) else {}
    found = [first.get("eventSource"), first.get("EventSource"), event.get("eventSource"), event.get("source")]
    return next((name for name in found if isinstance(name, str) and re.fullmatch(NAMED_SOURCE, name)), "an object")
