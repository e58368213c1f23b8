"""A stand-in of the Hugging Face Hub: the parts of its HTTP API that fetching a model repository needs."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "a" * 40


@dataclass
class Hub:
    """What the hub holds. files: by repository and path. cut: bytes after which the next download that is longer breaks
    off. starts: the first byte of each download asked for."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    cut: int | None = None
    address: str = ""
    starts: list[int] = field(default_factory=list)


class HubHandler(BaseHTTPRequestHandler):
    """Answer for a hub, which a subclass of each hub's own holds."""

    hub: Hub

    def do_HEAD(self) -> None:
        self._file(body=False)

    def do_GET(self) -> None:
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/?]+))?(?:\?.*)?", self.path):
            self._info(found[1], found[2] or "main")
        else:
            self._file(body=True)

    def _info(self, repo: str, revision: str) -> None:
        if repo not in self.hub.files:
            self._refuse("RepoNotFound")
        elif revision not in self.hub.revisions:
            self._refuse("RevisionNotFound")
        else:
            siblings = [{"rfilename": name} for name in self.hub.files[repo]]
            content = json.dumps({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings}).encode()
            self._send(200, {"content-type": "application/json"}, content)

    def _file(self, *, body: bool) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        content = self.hub.files.get(found[1], {}).get(found[3]) if found else None
        if content is None:
            self._refuse("EntryNotFound")
            return
        headers = {
            "etag": f'"{hashlib.sha256(content).hexdigest()}"',
            "x-repo-commit": COMMIT,
            "accept-ranges": "bytes",
        }
        start = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        if body:
            self.hub.starts.append(start)
        if start:
            headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, headers, content[start:], body=body)

    def _refuse(self, code: str) -> None:
        self._send(404, {"x-error-code": code, "x-error-message": code}, b"")

    def _send(self, status: int, headers: dict[str, str], content: bytes, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        if self.hub.cut is not None and "/resolve/" in self.path and len(content) > self.hub.cut:
            content, self.hub.cut = content[: self.hub.cut], None
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve a hub on a free port of this machine."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (HubHandler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
