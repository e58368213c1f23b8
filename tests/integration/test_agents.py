"""The official client of the Model Context Protocol, through the Lambda function under AWS's emulator."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

import pytest

from handler.auth import new_token
from scripts.ask_emulator import invoke, running_lambda
from tests.hexabot_client import http_api_event
from tests.processes import ROOT, tool

TOKEN, DIGEST = new_token()
CLIENT = Path(__file__).with_name("mcp_client.py")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator runs on Linux only"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run the Lambda function behind a stand-in of API Gateway, which turns HTTP requests into events."""
    command = [sys.executable, "scripts/environment.py", "emulator"]
    emulator = Path(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    environ = {"NLU_BUNDLES": str(ROOT / "examples" / "bundles"), "NLU_TOKEN_DIGESTS": DIGEST}
    with running_lambda(emulator, environ) as address:
        server = ThreadingHTTPServer(("127.0.0.1", 0), gateway_to(address))
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/mcp"
        server.shutdown()
        server.server_close()


def gateway_to(address: str) -> type[BaseHTTPRequestHandler]:
    one_at_a_time = Lock()  # as the emulator answers

    class Gateway(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts, headers = urlsplit(self.path), {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            event = http_api_event(self.command, parts.path, body, query=parts.query, headers=headers)
            with one_at_a_time:
                response = invoke(address, event)
            content = response["body"].encode()
            self.send_response(response["statusCode"])
            for name, value in response["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Gateway


def ask(url: str, token: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [tool("agents", "python"), str(CLIENT), url, token, text]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_official_client_uses_both_tools(url: str) -> None:
    done = ask(url, TOKEN, "book me a flight to New York next friday.")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tools"] == ["understand", "list_models"]
    assert found["understood"]["intent"]["name"] == "book_flight"
    assert [(each["entity"], each["value"]) for each in found["understood"]["entities"]] == [
        ("destination", "New York"),
        ("date", "next friday"),
    ]
    assert [model["name"] for model in found["models"]["models"]] == ["intent", "language", "slots"]
    assert found["wrong"] == [True, "A text has 20000 characters, and the limit is 10000: shorten it."]


def test_a_wrong_token_is_refused(url: str) -> None:
    done = ask(url, "wrong", "hello")
    assert done.returncode != 0
    assert "MCPError" in done.stderr
