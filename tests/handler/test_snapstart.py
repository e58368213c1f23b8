"""SnapStart's runtime hooks, run by AWS's own runtime client against a runtime API that takes a snapshot."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.handler.deployment import ROOT, environment, run_python

API = "/2018-06-01/runtime"
SECONDS = 60
HEADERS = {
    "Aws-Request-Id": "1",
    "Deadline-Ms": "9999999999999",
    "Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:nlu:7",
    "Trace-Id": "Root=1-0-0",
}
RESTORE = """
import json, random
from handler.entrypoint import lambda_handler
from snapshot_restore_py import get_after_restore, get_before_snapshot
drawn = []
for _ in range(2):
    random.seed(1)  # what every copy of a snapshot would draw
    for hook, arguments, options in get_after_restore():
        hook(*arguments, **options)
    drawn.append(random.random())
print(json.dumps([len(get_before_snapshot()), drawn[0] != drawn[1]]))
"""
PRIME = """
import json, sys
from handler.entrypoint import lambda_handler
from awslambdaric.lambda_runtime_hooks_runner import run_before_snapshot
before = "fastapi" in sys.modules
run_before_snapshot()
print(json.dumps([before, "fastapi" in sys.modules]))
"""


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's runtime API with one event, which records the calls and what the function logged before the snapshot."""

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.log, self.calls, self.done = log, list[str](), Event()
        self.logged_before_snapshot, self.answer = "", b""

    def handle_error(self, *_: object) -> None:
        """Ignore the connection of the function that a test stops."""


class Call(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.calls.append(self.path.removeprefix(API))
        if self.path == f"{API}/restore/next":
            self.server.logged_before_snapshot = self.server.log.read_text(encoding="utf-8")
        if self.server.calls.count("/invocation/next") > 1:
            self.server.done.wait(SECONDS)
        body = b'{"check": "golden"}'
        self.send_response(200)
        for name, value in HEADERS.items():
            self.send_header(f"Lambda-Runtime-{name}", value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.calls.append(self.path.removeprefix(API))
        self.server.answer = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RuntimeApi]:
    (tmp_path / "log").touch()
    with RuntimeApi(tmp_path / "log") as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.done.set()
        server.shutdown()


def start(api: RuntimeApi, bundles: Path, kind: str, **settings: str) -> None:
    """Start the function as Lambda does, and stop it after its first answer."""
    given = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}", "AWS_LAMBDA_INITIALIZATION_TYPE": kind}
    environ = {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", **environment(bundles), **given, **settings}
    with api.log.open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "awslambdaric", "handler.entrypoint.lambda_handler"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None and not api.done.wait(0.1):
                pass
            assert api.done.is_set(), api.log.read_text(encoding="utf-8")
        finally:
            process.kill()
            process.wait(SECONDS)


def test_every_model_answers_before_the_snapshot(api: RuntimeApi, bundles: Path) -> None:
    start(api, bundles, "snap-start")
    assert api.calls[:3] == ["/restore/next", "/invocation/next", "/invocation/1/response"]
    (line,) = map(json.loads, api.logged_before_snapshot.splitlines())
    assert (line["message"], line["models"]) == ("primed", ["intent", "language", "slots"])
    assert sorted(json.loads(api.answer)["models"]) == line["models"]


def test_a_function_without_snapstart_is_not_primed(api: RuntimeApi, bundles: Path) -> None:
    start(api, bundles, "on-demand")
    assert api.calls[:2] == ["/invocation/next", "/invocation/1/response"]
    assert "primed" not in api.log.read_text(encoding="utf-8")
    ask = "import sys, handler.entrypoint; print('handler.snapstart' in sys.modules)"
    assert run_python("-c", ask, **environment(bundles)).stdout == "False\n"


def test_restored_copies_draw_different_random_numbers(bundles: Path) -> None:
    done = run_python("-c", RESTORE, **environment(bundles), AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert json.loads(done.stdout.splitlines()[-1]) == [1, True], done.stderr


def test_a_request_that_no_model_can_answer_does_not_stop_the_snapshot(api: RuntimeApi, bundles: Path) -> None:
    start(api, bundles, "snap-start", NLU_MAX_TEXT_CHARACTERS="1")
    (line,) = map(json.loads, api.logged_before_snapshot.splitlines())
    assert (line["message"], line["models"]) == ("primed", [])


def test_the_framework_for_pages_is_in_the_snapshot(bundles: Path) -> None:
    given = environment(bundles, NLU_CORS_ORIGINS="https://a.example")
    done = run_python("-c", PRIME, **given, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert json.loads(done.stdout.splitlines()[-1]) == [False, True], done.stderr


def test_a_runtime_without_hooks_starts_and_says_so(bundles: Path) -> None:
    ask = "import sys; sys.modules['snapshot_restore_py'] = None; import handler.entrypoint"
    done = run_python("-c", ask, **environment(bundles), AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["level"], line["message"]) == ("WARNING", "SnapStart is not primed")
