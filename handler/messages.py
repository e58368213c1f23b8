"""Transport-independent HTTP request and answer, shared by AWS events and FastAPI."""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Request(NamedTuple):
    """One request.

    id: what the log knows it by. query: decoded pairs. headers: by lower-case name. body: as sent, base64 taken off.
    answer_bytes: the largest answer that the carrier brings back, as JSON, in bytes; None where it sets no limit.
    """

    id: str
    method: str
    path: str
    query: Iterable[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""
    answer_bytes: int | None = None


class Answer(NamedTuple):
    """One answer. headers: by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


def new_id() -> str:
    """Return an id for a request that came with none."""
    return os.urandom(16).hex()
