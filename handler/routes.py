"""The HTTP routes, independent of the transport: tokens, limits, JSON errors and one log line per request."""

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from handler.auth import authorize
from handler.body import decompressed, parse_body
from handler.errors import (
    NotFoundError,
    PayloadTooLargeError,
    RequestError,
    UnauthorizedError,
    UnsupportedContentError,
    WrongMethodError,
)
from handler.gateway import carried_bytes
from handler.hexabot import Outcome, Service
from handler.logs import log, log_failure, request_id
from handler.messages import Answer, Request
from handler.settings import Settings

STATUS: dict[type[RequestError], int] = {
    UnauthorizedError: 401,
    WrongMethodError: 405,
    NotFoundError: 404,
    PayloadTooLargeError: 413,
    UnsupportedContentError: 415,
    RequestError: 400,
}
EXISTING = "there are GET /, POST /predict and POST /batch_predict."
ENVELOPE_BYTES = 2_000
"""What is kept free for the status and the headers where the size of an answer is limited."""


class Routes:
    """Answers every request, including invalid ones. table: the function that answers, by path and method."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self.table: dict[str, dict[str, Callable[[Request], Outcome]]] = {
            "/": {"GET": self._health, "HEAD": self._health},
            "/predict": {"POST": lambda request: service.predict(self._fields(request))},
            "/batch_predict": {"POST": lambda request: service.batch_predict(self._fields(request))},
        }

    @property
    def max_body_bytes(self) -> int:
        """The size limit of a body in bytes; a transport need not read more than this."""
        return self._settings.max_body_bytes

    def answer(self, request: Request) -> Answer:
        """Answer a request, and log one line of it: never its query, its headers or its body."""
        request = request._replace(path=self._route_of(request.path))
        token = request_id.set(request.id)
        started = time.perf_counter()
        outcome = Outcome()
        status, headers = 200, {"content-type": "application/json", "x-request-id": request.id}
        try:
            outcome = self._route(request)(request)
            body = msgspec.json.encode(outcome.answer)
            _check_size(body, request.answer_bytes)
        except RequestError as error:
            status, body = _status(error), _error(str(error), request)
            if isinstance(error, UnauthorizedError):
                headers["www-authenticate"] = "Bearer"
            if isinstance(error, WrongMethodError):
                headers["allow"] = error.allowed
        except Exception as error:
            log_failure("request failed", error)
            status = 500
            body = _error("Something went wrong here; the service's log says where, under this id.", request)
        self._log(request, status, started, outcome)
        request_id.reset(token)
        if request.method == "HEAD":
            headers["content-length"], body = str(len(body)), b""
        return Answer(status, headers, body)

    def _route_of(self, path: str) -> str:
        """Return a path without the domain's base path and without trailing slashes."""
        base = self._settings.base_path
        if base and f"{path}/".startswith(f"{base}/"):
            path = path.removeprefix(base)
        return path.rstrip("/") or "/"

    def _route(self, request: Request) -> Callable[[Request], Outcome]:
        """Return the function that answers a request.

        Raises:
            NotFoundError: If no route has this path, or the route does not take this method.
        """
        methods = self.table.get(request.path)
        if methods is None:
            raise NotFoundError(f"Not Found: {EXISTING}")
        if request.method not in methods:
            raise WrongMethodError(f"Method Not Allowed: {EXISTING}", methods)
        return methods[request.method]

    def _health(self, request: Request) -> Outcome:
        return Outcome({"message": "Ludwig server is up", "models": list(self._service.predictors)})

    def _fields(self, request: Request) -> dict[str, Any]:
        """Read the fields of a request that may be answered. Raises RequestError for one that may not."""
        if not self._settings.open:
            authorize(_presented_tokens(request), self._settings.token_digests)
        limit = self.max_body_bytes
        if len(request.body) > limit or (declared_bytes(request) or 0) > limit:
            raise PayloadTooLargeError(f"The body is over {limit} bytes: send shorter texts or smaller batches.")
        body = decompressed(request.headers.get("content-encoding", ""), request.body, limit)
        return parse_body(request.headers.get("content-type", ""), body)

    def _log(self, request: Request, status: int, started: float, outcome: Outcome) -> None:
        models: dict[str, Any] = {}
        if outcome.milliseconds:
            models = {"models": outcome.milliseconds, "failed": outcome.failed}
        if outcome.refused:
            models["refused"] = outcome.refused
        log(
            "request",
            # What the deployment's alarms count is logged even where the lines of other requests are not.
            level=logging.WARNING if status == 401 or outcome.failed else logging.INFO,
            method=request.method,
            path=request.path if status != 404 else None,
            status=status,
            bytes=declared_bytes(request),
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
            **models,
        )


def _check_size(body: bytes, limit: int | None) -> None:
    """Raise PayloadTooLargeError for an answer that its carrier would replace by an error of its own, such as 502.

    Args:
        body: The answer's JSON.
        limit: The most that the carrier takes, as JSON again, in bytes; None where it takes everything.
    """
    # Escapes make a character six times as long at most, so only large answers are measured.
    if limit is None or 6 * len(body) + ENVELOPE_BYTES <= limit:
        return
    found = carried_bytes(body) + ENVELOPE_BYTES
    if found > limit:
        raise PayloadTooLargeError(
            f"The answer has {found} bytes as it is sent, {limit} are allowed: split the batch into "
            f"{-(-found // limit)} parts at least, or name fewer models in the field 'model'."
        )


def declared_bytes(request: Request) -> int | None:
    """Return the size that a request declares; of an absurdly long number the first digits say enough."""
    declared = request.headers.get("content-length", "")
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else None


def _presented_tokens(request: Request) -> list[str]:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    queried = [value for name, value in request.query if name == "token"]
    return [*queried, bearer, request.headers.get("x-api-key", "")]


def _status(error: RequestError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _error(message: str, request: Request) -> bytes:
    return msgspec.json.encode({"error": message, "request_id": request.id})
