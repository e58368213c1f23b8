"""Build responses: the body of an answer, the time of each model, errors, and the limit of a response's size."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from handler.errors import (
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    RequestError,
    UnauthorizedError,
    UnsupportedContentError,
    WrongMethodError,
)
from handler.gateway import carried_bytes
from handler.hexabot import Outcome
from handler.messages import ACCEPTED, Answer, Request

if TYPE_CHECKING:
    from handler.answer_types import Error

STATUS: dict[type[RequestError], int] = {
    UnauthorizedError: 401,
    ForbiddenError: 403,
    WrongMethodError: 405,
    NotFoundError: 404,
    PayloadTooLargeError: 413,
    UnsupportedContentError: 415,
    RequestError: 400,
}
ENVELOPE_BYTES = 2_000
"""Bytes reserved for the status and the headers when the size of a response is limited."""


def encoded(outcome: Outcome) -> Answer:
    """Return the status, the headers that only this answer has, and the body of an outcome.

    Args:
        outcome: The outcome of a request that was not refused.

    Returns:
        The outcome's own response, or its answer as JSON with the header Server-Timing.
    """
    if outcome.response is not None:
        return outcome.response
    headers = {"server-timing": _timings(outcome.milliseconds)} if outcome.milliseconds else {}
    return Answer(outcome.status, headers, b"" if outcome.status == ACCEPTED else msgspec.json.encode(outcome.answer))


def check_size(body: bytes, limit: int | None) -> None:
    """Raise PayloadTooLargeError if Lambda or the load balancer would replace the response with a 502.

    Args:
        body: The response, UTF-8.
        limit: The most bytes that the transport accepts once it has encoded the body as a JSON string; None for no
            limit.

    Raises:
        PayloadTooLargeError: The response is too large.
    """
    # A JSON escape makes a character at most six times as long, so small responses need no exact measurement.
    if limit is None or 6 * len(body) + ENVELOPE_BYTES <= limit:
        return
    found = carried_bytes(body) + ENVELOPE_BYTES
    if found > limit:
        raise PayloadTooLargeError(
            f"The response would be {found} bytes, and the limit is {limit}: split the batch into at least "
            f"{-(-found // limit)} parts, or name fewer models in the field 'model'."
        )


def status_of(error: RequestError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_body(message: str, request: Request) -> bytes:
    """Return the body of an error, as JSON."""
    error: Error = {"error": message, "request_id": request.id}
    return msgspec.json.encode(error)


def _timings(milliseconds: Mapping[str, float]) -> str:
    """Return the value of Server-Timing, such as `intent;dur=0.412, slots;dur=1.3`."""
    return ", ".join([f"{_token(name)};dur={duration}" for name, duration in milliseconds.items()])


@cache
def _token(name: str) -> str:
    """Return a model's name as a token of HTTP: percent-encoded, because a name may contain any character."""
    if name.isascii() and name.replace("-", "").replace("_", "").isalnum():
        return name
    from urllib.parse import quote  # takes long to import

    return quote(name, safe="")
