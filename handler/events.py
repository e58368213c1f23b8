"""Answer events that are not HTTP requests: warm-up pings, and events that other services send by mistake.

None of them raises, because Lambda would count an error, trigger an alarm and retry the event.
"""

import re
from typing import Any

import msgspec

from handler.gateway import event_answer
from handler.logs import log, log_refusal
from handler.messages import Answer

PING_KEYS = ("ping", "warmup", "warmer", "keepwarm", "keepWarm", "keep_warm")
"""Of what people and lambda-warmer send on a schedule."""

PING_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")
"""Of EventBridge's rules and schedules, and of the Serverless Framework's plugin."""

NAMED_SOURCE = re.compile(r"aws[.:][a-z0-9-]{1,30}")
"""What of a sender may be logged; anything else could quote a message."""


def answer_other(event: Any, models: list[str]) -> dict[str, Any]:
    """Answer an event that is not an HTTP request, and log only its kind.

    Args:
        event: Any JSON value.
        models: The names of the loaded models, which the answer to a ping lists.

    Returns:
        For a ping the same as `GET /` answers. For the rest a refusal in the shape of an HTTP answer, status 400.
    """
    if is_ping(event):
        log("ping")
        return {"message": "Ludwig server is up", "models": models}
    kind = _named(event)
    log_refusal("event refused", kind=kind)
    error = (
        f"This event ({kind}) holds no HTTP request that can be read. Call the function through API Gateway, a "
        'function URL, a load balancer or VPC Lattice. To keep it warm, send {"ping": true}.'
    )
    body = msgspec.json.encode({"error": error})
    return event_answer(None, Answer(400, {"content-type": "application/json"}, body))


def is_ping(event: Any) -> bool:
    """Return whether an event only keeps the function warm: an empty event, a scheduled event or a known ping."""
    if event is None or event == {}:
        return True
    if not isinstance(event, dict):
        return False
    return event.get("source") in PING_SOURCES or any(event.get(key) not in (None, False) for key in PING_KEYS)


def _named(event: Any) -> str:
    """Return the sender of an event as far as it may be logged, such as `aws:sqs`; otherwise the event's JSON type."""
    if not isinstance(event, dict):
        return {list: "a list", str: "a string", bool: "a truth value"}.get(type(event), "a number")
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records and isinstance(records[0], dict) else {}
    found = [first.get("eventSource"), first.get("EventSource"), event.get("eventSource"), event.get("source")]
    return next((name for name in found if isinstance(name, str) and NAMED_SOURCE.fullmatch(name)), "an object")
