"""Wrap the routes in a FastAPI application, for local servers and for cross-origin requests in Lambda."""

import time
from math import inf

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from handler import __version__
from handler.messages import Answer, Request, new_id
from handler.routes import Routes

QUICK_SECONDS, SHORT_BYTES = 0.002, 4_096
"""What counts as a quick answer, and as a short body."""


def create_app(routes: Routes, cors_origins: tuple[str, ...] = ()) -> FastAPI:
    """Build a FastAPI application around the routes.

    Args:
        routes: The routes to serve.
        cors_origins: Origins whose pages may call the API from a browser, such as `https://example.com`.

    Returns:
        The application. Every path reaches `routes.answer`, unknown paths included.
    """
    app = FastAPI(
        title="ludwig-serverless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # FastAPI's own traces contain the query string, and with it the token.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )

    app.router.default = Carrier(routes, app.router.not_found)
    if cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "server-timing"],
        )
    return app


class Carrier:
    """The routes as an ASGI application. FastAPI's own router would match every path a second time.

    Handing an answer to a thread and back takes as long as a small model, and a slow model must not block the other
    requests. So a request is answered on the spot if it is short and the last answer on its path was quick, and
    otherwise in a thread.
    """

    def __init__(self, routes: Routes, otherwise: ASGIApp) -> None:
        """Keep the routes.

        Args:
            routes: The routes to serve.
            otherwise: Answers what is not HTTP.
        """
        self._routes = routes
        self._otherwise = otherwise
        self._seconds = dict.fromkeys(routes.table, inf)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        asked = await _read(HttpRequest(scope, receive), self._routes.max_body_bytes)
        is_short = len(asked.body) <= SHORT_BYTES
        if is_short and self._seconds.get(asked.path, inf) < QUICK_SECONDS:
            answer = self._answer(asked)
        else:
            answer = await run_in_threadpool(self._answer, asked)
        await HttpResponse(answer.body, answer.status, answer.headers)(scope, receive, send)

    def _answer(self, request: Request) -> Answer:
        """Answer a request, and remember how long it took."""
        started = time.perf_counter()
        answer = self._routes.answer(request)
        if request.path in self._seconds:
            self._seconds[request.path] = time.perf_counter() - started
        return answer


async def _read(request: HttpRequest, max_body_bytes: int) -> Request:
    """Read a request. Stop reading the body once it exceeds the limit."""
    scope = request.scope
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_body_bytes:
            break
    return Request(
        id=getattr(scope.get("aws.context"), "aws_request_id", None) or new_id(),
        method=scope["method"],
        path=scope["path"],
        query=request.query_params.multi_items(),
        headers=request.headers,
        body=bytes(body),
        answer_bytes=scope.get("aws.event", {}).get("answerBytes"),
    )
