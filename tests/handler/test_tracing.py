"""`serve --traces` sends spans to an OpenTelemetry collector, without texts and tokens."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from handler.auth import new_token
from scripts.ask_emulator import free_port
from tests.bundles import CRASH, INTENT, LANGUAGE, write_bundle
from tests.handler.deployment import wait_for_port
from tests.processes import ROOT

pytestmark = pytest.mark.integration

TOKEN, DIGEST = new_token()
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(BaseHTTPRequestHandler):
    """Keeps the bodies that an exporter sends."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Collector,), {"bodies": bodies}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    server.server_close()


def ask(port: int, text: str, token: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict?token={token}",
        json.dumps({"text": text}).encode(),
        {"content-type": "application/json", "traceparent": f"00-{TRACE}-{CALLER}-01"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_spans_of_requests_and_models_reach_the_collector(tmp_path: Path, collector: tuple[str, list[bytes]]) -> None:
    address, bodies = collector
    write_bundle(tmp_path / "language", LANGUAGE)
    write_bundle(tmp_path / "intent", INTENT, breaking=True)
    port = free_port()
    command = [sys.executable, "-m", "ludwig_serverless", "serve", str(tmp_path), "--traces", "--port", str(port)]
    environ = {**os.environ, "NLU_TOKEN_DIGESTS": DIGEST, "OTEL_EXPORTER_OTLP_ENDPOINT": address}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stderr
        for line in process.stderr:
            if b"described at" in line:
                break
        wait_for_port(port, lambda: process.poll() is None)
        asked = [("hello secret", TOKEN), (CRASH, TOKEN), ("hello", "wrong")]
        assert [ask(port, text, token) for text, token in asked] == [200, 200, 401]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert not any(secret in body for body in bodies for secret in (b"secret", TOKEN.encode(), CRASH.encode()))
    spans = [span for body in bodies for span in _spans(body) if span.trace_id.hex() == TRACE]
    found = [span for span in spans if span.parent_span_id.hex() == CALLER]
    assert [span.name for span in found] == ["/predict"] * 3
    children = [[each.name for each in spans if each.parent_span_id == span.span_id] for span in found]
    first, crashed, refused = children
    assert first == crashed == ["model intent", "model language"]
    assert refused == []
    failed = [span.name for span in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert failed == ["model intent"]
    for span in spans:
        assert span.start_time_unix_nano <= span.end_time_unix_nano


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        names = {each.key: each.value.string_value for each in resource.resource.attributes}
        assert names["service.name"] == "ludwig-serverless"
        for scope in resource.scope_spans:
            yield from scope.spans
