"""A line to a server that breaks in the middle of an upload."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


@dataclass
class Line:
    """breaks_at: uploads to addresses that end in it break off half-way. sent: the addresses of whole uploads."""

    upstream: str
    address: str = ""
    breaks_at: str | None = None
    sent: list[str] = field(default_factory=list)


class LineHandler(BaseHTTPRequestHandler):
    """Pass requests on."""

    protocol_version = "HTTP/1.1"
    line: Line

    def do_HEAD(self) -> None:
        self._pass_on(b"")

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["content-length"])))

    def do_PUT(self) -> None:
        size = int(self.headers["content-length"])
        if self.line.breaks_at and self.path.split("?")[0].endswith(self.line.breaks_at):
            self.rfile.read(size // 2)
            self.close_connection = True
            return
        if self._pass_on(self.rfile.read(size)) == 200:
            self.line.sent.append(self.path)

    def _pass_on(self, content: bytes) -> int:
        """Give the server a request, and its answer back. Returns the status."""
        connection = http.client.HTTPConnection(urlsplit(self.line.upstream).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, content or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else None
        self.send_header("content-length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return answer.status

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def line_to(upstream: str) -> Iterator[Line]:
    """Give a line to a server, on a free port of this machine."""
    line = Line(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (LineHandler,), {"line": line}))
    line.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()
