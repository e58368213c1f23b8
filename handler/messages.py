"""The HTTP request and response, independent of the transport: AWS events and FastAPI both use them."""

import os
from collections.abc import Iterable, Mapping

import msgspec

ACCEPTED = 202
"""The status of a response without a body."""


class Request(msgspec.Struct, frozen=True):
    """An HTTP request.

    Attributes:
        id: The request's id in logs and error responses.
        method: The HTTP method, in upper case.
        path: The decoded path.
        query: The decoded name-value pairs of the query string.
        headers: The headers, by lowercase name.
        body: The body as it was sent, base64 decoded.
        answer_bytes: The largest response that the transport accepts, in bytes of JSON; None for no limit.
    """

    id: str
    method: str
    path: str
    query: Iterable[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""
    answer_bytes: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """An HTTP response. The header names are lowercase."""

    status: int
    headers: dict[str, str]
    body: bytes


def new_id() -> str:
    """Return a random id for a request that has none."""
    return os.urandom(16).hex()
