"""The review's local HTTP server: one page and its requests, for the person at this machine alone.

It listens on 127.0.0.1. Its address has a random token, because every local process and every web page can send
requests to a local port. `Host` must be this address, so that a foreign name that resolves to 127.0.0.1 (DNS rebinding)
gets nothing, and `Origin` must be this page's. No request is logged.
"""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from handler.errors import LudwigServerlessError
from handler.page import page
from training.errors import ReviewError
from training.review.desk import Desk, Submission

LONGEST_BODY = 16 << 20
LOCAL = "127.0.0.1"
JSON = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


class Decide(msgspec.Struct, frozen=True):
    """The body of a decision: the tab, and the submissions of one key."""

    tab: str
    submissions: list[Submission]


class Undo(msgspec.Struct, frozen=True):
    """The body of an undo."""

    tab: str


class Refused(Exception):  # noqa: N818 - not an error of this process
    """A request that gets no answer but a status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class ReviewServer(ThreadingHTTPServer):
    """Serves the desks of a review."""

    daemon_threads = True

    def __init__(self, desks: Mapping[str, Desk], port: int = 0) -> None:
        """Listen on this machine.

        Args:
            desks: The desk of each tab, by the tab's name.
            port: The port; 0 chooses a free one.

        Raises:
            ReviewError: The port is taken.
        """
        try:
            super().__init__((LOCAL, port), _Handler)
        except OSError as error:
            raise ReviewError(
                f"Port {port} cannot be used: {error.strerror}. Choose another one with --port, or omit it."
            ) from None
        self.desks, self.token = desks, secrets.token_urlsafe(18)
        self.hosts = {f"{LOCAL}:{self.server_port}", f"localhost:{self.server_port}"}

    @property
    def address(self) -> str:
        """The page's address, with the token."""
        return f"http://{LOCAL}:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    """Seconds after which an idle connection is closed."""

    def do_GET(self) -> None:
        """Answer the page, or what it shows."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Save decisions, or undo the last ones."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Log nothing: the address has the token."""

    def _answer(self, respond: Any) -> None:
        """Answer a request. Whatever fails becomes one sentence that the page shows."""
        try:
            status, headers, body = respond(self._route())
        except Refused as refused:
            self.close_connection = True  # its body may be unread
            status, headers, body = refused.status, JSON, _encoded({"error": str(refused)})
        except LudwigServerlessError as error:
            status, headers, body = HTTPStatus.CONFLICT, JSON, _encoded({"error": str(error)})
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _route(self) -> str:
        """Return what is requested behind the token. Raises Refused for anybody but the page."""
        if self.headers.get("host") not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "This is not the review's address.")
        origin = self.headers.get("origin")
        if origin is not None and origin.removeprefix("http://") != self.headers["host"]:
            raise Refused(HTTPStatus.FORBIDDEN, "Only the review's own page may send requests.")
        token, _, route = self.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND, "Not found: open the address that `ludwig-serverless review` printed.")
        return route

    def _get(self, route: str) -> tuple[int, Mapping[str, str], bytes]:
        if route == "":
            found = page("review")
            return found.status, found.headers, found.body
        if route == "state":
            return HTTPStatus.OK, JSON, _encoded({name: desk.state() for name, desk in self.server.desks.items()})
        raise Refused(HTTPStatus.NOT_FOUND, "Not found.")

    def _post(self, route: str) -> tuple[int, Mapping[str, str], bytes]:
        body = self._body()
        if route == "decide":
            asked = _decoded(body, Decide)
            return HTTPStatus.OK, JSON, _encoded(self._desk(asked.tab).decide(asked.submissions))
        if route == "undo":
            return HTTPStatus.OK, JSON, _encoded(self._desk(_decoded(body, Undo).tab).undo())
        raise Refused(HTTPStatus.NOT_FOUND, "Not found.")

    def _body(self) -> bytes:
        # Browsers ask before they send this type to another origin, and get no permission.
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected application/json.")
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            raise Refused(HTTPStatus.BAD_REQUEST, "Expected a content-length.")
        return self.rfile.read(int(length))

    def _desk(self, tab: str) -> Desk:
        if tab not in self.server.desks:
            raise Refused(HTTPStatus.NOT_FOUND, "There is no such tab: reload the page.")
        return self.server.desks[tab]


def _decoded[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(HTTPStatus.BAD_REQUEST, "The request is not what the page sends: reload the page.") from None


def _encoded(content: Any) -> bytes:
    return msgspec.json.encode(content)
