"""A local HTTP server that imitates the AWS services that the deployment's functions call."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass
class Cloud:
    """What was asked of it, and how it answers.

    version: answers what a version, by its ARN, is invoked with: a payload, and the kind of error or "".
    invoked, statuses, stored: what Lambda, CodeDeploy and CloudFormation's address were sent.
    """

    version: Callable[[str, Any], tuple[Any, str]]
    url: str = ""
    invoked: list[tuple[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, str]] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)


@contextmanager
def running_cloud(version: Callable[[str, Any], tuple[Any, str]]) -> Iterator[Cloud]:
    """Serve on a free port inside the context."""
    cloud = Cloud(version)

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.startswith("/2015-03-31/functions/"):
                name = unquote(self.path.split("/")[3])
                cloud.invoked.append((name, body))
                payload, error = cloud.version(name, body)
                self._answer(payload, {"X-Amz-Function-Error": error} if error else {})
            else:
                operation = self.headers["x-amz-target"].partition(".")[2]
                assert operation == "PutLifecycleEventHookExecutionStatus"
                cloud.statuses.append(body)
                self._answer({"lifecycleEventHookExecutionId": body["lifecycleEventHookExecutionId"]}, {})

        def do_PUT(self) -> None:
            assert not self.headers["content-type"]
            cloud.stored.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer({}, {})

        def _answer(self, payload: Any, headers: dict[str, str]) -> None:
            content = json.dumps(payload).encode()
            self.send_response(200)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cloud.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield cloud
        finally:
            server.shutdown()
