"""The HTTP surface: routes, tokens, limits, errors as JSON, one log line a request."""

import time
from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handler import __version__
from handler.auth import authorize
from handler.body import parse_body
from handler.errors import (
    PayloadTooLargeError,
    RequestError,
    UnauthorizedError,
    UnsupportedContentError,
)
from handler.hexabot import Fields, Outcome, Service
from handler.logs import log, log_failure, request_id
from handler.settings import Settings

STATUS: dict[type[RequestError], int] = {
    UnauthorizedError: 401,
    PayloadTooLargeError: 413,
    UnsupportedContentError: 415,
    RequestError: 400,
}


class JsonResponse(Response):
    """JSON as Hexabot can read it: NaN and infinities are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return msgspec.json.encode(content)


def create_app(service: Service, settings: Settings) -> FastAPI:
    """Build the application around loaded models."""
    app = FastAPI(
        title="ludwig-serverless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # FastAPI's own traces quote the query, and so the token.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    authorized = [Depends(_authorizer(settings))]
    read_fields = _fields_reader(settings.max_body_bytes)

    @app.get("/")
    def health() -> JsonResponse:
        return JsonResponse({"message": "Ludwig server is up", "models": list(service.predictors)})

    @app.post("/predict", dependencies=authorized)
    def predict(request: Request, fields: Annotated[Fields, Depends(read_fields)]) -> JsonResponse:
        return _respond(request, service.predict(fields))

    @app.post("/batch_predict", dependencies=authorized)
    def batch_predict(request: Request, fields: Annotated[Fields, Depends(read_fields)]) -> JsonResponse:
        return _respond(request, service.batch_predict(fields))

    app.add_exception_handler(RequestError, _answer_request_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    if settings.cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(RequestLog)
    return app


def _respond(request: Request, outcome: Outcome) -> JsonResponse:
    request.state.log = {"models": outcome.milliseconds, "failed": outcome.failed}
    return JsonResponse(outcome.answer)


def _authorizer(settings: Settings) -> Callable[[Request], None]:
    def check_token(request: Request) -> None:
        if settings.open:
            return
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        bearer = credentials.strip() if scheme.lower() == "bearer" else ""
        presented = [*request.query_params.getlist("token"), bearer, request.headers.get("x-api-key", "")]
        authorize(presented, settings.token_digests)

    return check_token


def _fields_reader(max_bytes: int) -> Callable[[Request], Any]:
    too_large = f"The body is over {max_bytes} bytes: send shorter texts or smaller batches."

    async def read_fields(request: Request) -> dict[str, Any]:
        if (_content_length(request.headers) or 0) > max_bytes:
            raise PayloadTooLargeError(too_large)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise PayloadTooLargeError(too_large)
        return parse_body(request.headers.get("content-type", ""), bytes(body))

    return read_fields


async def _answer_request_error(request: Request, error: Exception) -> Response:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return _error(str(error), status, headers)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = f"{error.detail}: there are GET /, POST /predict and POST /batch_predict."
    return _error(message, error.status_code, error.headers)


def _error(message: str, status: int, headers: Any = None) -> JsonResponse:
    return JsonResponse({"error": message, "request_id": request_id.get()}, status, headers)


class RequestLog:
    """Give each request an id, log one line for it, and answer an unexpected error with a JSON 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _strip_stage(scope)
        identity = getattr(scope.get("aws.context"), "aws_request_id", None) or uuid4().hex
        token = request_id.set(identity)
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = identity
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log_failure("request failed", error)
            if status:
                raise
            response = _error("Something went wrong here; the service's log says where, under this id.", 500)
            await response(scope, receive, send_with_id)
        finally:
            log(
                "request",
                method=scope["method"],
                path=scope["path"] if status != 404 else None,
                status=status,
                bytes=_content_length(Headers(scope=scope)),
                milliseconds=round((time.perf_counter() - started) * 1000, 3),
                **scope.get("state", {}).get("log", {}),
            )
            request_id.reset(token)


def _content_length(headers: Headers) -> int | None:
    """Return the size that a request declares; of an absurdly long number the first digits say enough."""
    declared = headers.get("content-length", "")
    return int(declared[:18]) if declared.isascii() and declared.isdigit() else None


def _strip_stage(scope: Scope) -> None:
    """Take the stage off the path: API Gateway's HTTP API leaves it there for every stage but `$default`."""
    stage = scope.get("aws.event", {}).get("requestContext", {}).get("stage")
    if stage and f"{scope['path']}/".startswith(f"/{stage}/"):
        scope["path"] = scope["path"].removeprefix(f"/{stage}") or "/"
