"""A proxy in front of the local AWS. Each request is a stage of the launch, at which a test may interfere.

It also answers a repeated RunInstances with the instance of the first one, as EC2 does by ClientToken. moto does not.
"""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.training.publishing.breaking import HOP_BY_HOP
from training.launch.discovery import AMI_PARAMETER

STORED_AMI = "/test/ami"
"""The local name of AWS's public parameter. moto reserves the real name."""


class CutError(Exception):
    """Raise to cut the connection."""


@dataclass
class Refusal:
    """A response that replaces the one of AWS. kind: Its content type."""

    status: int
    content: bytes
    kind: str = "text/xml"


@dataclass
class Line:
    """The state of the proxy.

    Attributes:
        before: Called with the stage before AWS is asked. May raise CutError or return another response.
        after: The same, before the response is passed on.
        stages: The stages so far, in order.
        dead: Whether to cut every request.
        started: EC2's responses to RunInstances, by ClientToken.
    """

    upstream: str
    address: str = ""
    before: Callable[[str], Refusal | None] = lambda stage: None
    after: Callable[[str], Refusal | None] = lambda stage: None
    stages: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    dead: bool = False
    started: dict[str, tuple[int, list[tuple[str, str]], bytes]] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None

    def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        port = urlsplit(self.address).port or 0
        self.server = Server(("127.0.0.1", port), type("Bound", (LineHandler,), {"line": self}))
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Close the port: connections end after the current request, and new ones are refused."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def hook(self, stage: str, act: Callable[[], object], *, answered: bool) -> None:
        """Call `act` at the first request of a stage: before AWS is asked, or after its response."""

        def at(found: str) -> None:
            if found.partition("?")[0] == stage and not self.happened:
                self.happened.append(stage)
                act()

        if answered:
            self.after = at  # type: ignore[assignment]
        else:
            self.before = at  # type: ignore[assignment]

    def refuse(self, stage: str, code: str, status: int = 400, *, only: str = "") -> None:
        """Refuse requests of a stage, as EC2 does. only: Refuse only stages with this text."""
        content = f"<Response><Errors><Error><Code>{code}</Code><Message>Said by the test.</Message></Error></Errors>"
        refusal = Refusal(status, f"{content}<RequestID>1</RequestID></Response>".encode())
        self.before = lambda found: refusal if found.partition("?")[0] == stage and only in found else None

    def refuse_json(self, stage: str, code: str, message: str, status: int = 400) -> None:
        """Refuse requests of a stage, as EventBridge Scheduler does."""
        content = json.dumps({"__type": code, "Message": message}).encode()
        refusal = Refusal(status, content, "application/json")
        self.before = lambda found: refusal if found == stage else None


class Server(ThreadingHTTPServer):
    """A server that does not wait for open requests when it closes."""

    daemon_threads = True
    allow_reuse_address = True


class LineHandler(BaseHTTPRequestHandler):
    """Forward requests."""

    protocol_version = "HTTP/1.1"
    line: Line

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        stage = self._stage(body)
        self.line.stages.append(stage)
        try:
            if self.line.dead:
                raise CutError
            refusal = self.line.before(stage)
            answer = None if refusal else self._answer(stage, body)
            refusal = self.line.after(stage) or refusal
            if self.line.dead:
                raise CutError
        except CutError:
            self.close_connection = True
            return
        if refusal:
            answer = (refusal.status, [("content-type", refusal.kind)], refusal.content)
        assert answer is not None
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        self.send_header("content-length", length if self.command == "HEAD" and length else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.close_connection = self.line.server is None

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_any  # noqa: N815

    def _answer(self, stage: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if not stage.startswith("RunInstances?"):
            return self._ask(body)
        token = parse_qs(body.decode())["ClientToken"][0]
        if token not in self.line.started:
            answer = self._ask(body)
            if answer[0] != HTTPStatus.OK:
                return answer
            self.line.started[token] = answer
        return self.line.started[token]

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        body = body.replace(AMI_PARAMETER.encode(), STORED_AMI.encode())
        connection = http.client.HTTPConnection(urlsplit(self.line.upstream).netloc, timeout=30)
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in {"expect", "content-length"}
        }
        connection.request(self.command, self.path, body or None, {**headers, "content-length": str(len(body))})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def _stage(self, body: bytes) -> str:
        """Name a request: the action of EC2, STS, Systems Manager or Scheduler, or S3's method and the job's object."""
        if target := self.headers.get("x-amz-target"):
            return target.partition(".")[2]
        if self.path.startswith("/schedules/"):
            return {"POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule"}[self.command]
        if self.command == "POST" and b"Action=" in body:
            asked = parse_qs(body.decode())
            market = asked.get("InstanceMarketOptions.MarketType", ["on-demand"])[0]
            action = asked["Action"][0]
            if action != "RunInstances":
                return action
            return "RunInstances, dry" if "DryRun" in asked else f"RunInstances?{market},{asked['SubnetId'][0]}"
        return f"{self.command} {self._object()}"

    def _object(self) -> str:
        parts = urlsplit(self.path)
        found = parts.path.partition("/jobs/")[2].partition("/")[2]
        return found or ("list" if "prefix=" in parts.query else "bucket")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def line_to(upstream: str) -> Iterator[Line]:
    """Run the proxy in front of a server, on a free local port."""
    line = Line(upstream)
    line.open()
    try:
        yield line
    finally:
        line.close()
