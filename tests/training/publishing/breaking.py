"""A proxy that breaks the connection in the middle of an upload."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


@dataclass
class Proxy:
    """A proxy to a server.

    breaks_at: uploads to paths with this suffix fail halfway. sent: the paths of complete uploads.
    """

    upstream: str
    address: str = ""
    breaks_at: str | None = None
    sent: list[str] = field(default_factory=list)


class ProxyHandler(BaseHTTPRequestHandler):
    """Forwards requests."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_HEAD(self) -> None:
        self._forward(b"")

    def do_GET(self) -> None:
        self._forward(b"")

    def do_POST(self) -> None:
        self._forward(self.rfile.read(int(self.headers["content-length"])))

    def do_PUT(self) -> None:
        size = int(self.headers["content-length"])
        if self.proxy.breaks_at and self.path.split("?")[0].endswith(self.proxy.breaks_at):
            self.rfile.read(size // 2)
            self.close_connection = True
            return
        if self._forward(self.rfile.read(size)) == 200:
            self.proxy.sent.append(self.path)

    def _forward(self, content: bytes) -> int:
        """Forward a request to the server and its response to the client. Returns the status."""
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, content or None, headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = response.getheader("content-length") if self.command == "HEAD" else None
        self.send_header("content-length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return response.status

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """Run a proxy to a server on a free local port."""
    proxy = Proxy(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (ProxyHandler,), {"proxy": proxy}))
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
