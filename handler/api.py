"""Wrap the routes in a FastAPI application, for local servers and for cross-origin requests in Lambda."""

from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from handler import __version__
from handler.messages import Request, new_id
from handler.routes import Routes


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

    async def carry(request: HttpRequest, _: Any = None) -> HttpResponse:
        asked = await _read(request, routes.max_body_bytes)
        # In a thread, so a slow model does not block other requests.
        answer = await run_in_threadpool(routes.answer, asked)
        return HttpResponse(answer.body, answer.status, answer.headers)

    for path, methods in routes.table.items():
        app.add_route(path, carry, list(methods))
    app.add_exception_handler(HTTPException, carry)
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
