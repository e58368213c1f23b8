"""AWS errors with real clients: which ones a retry may solve, and the remedies of the others."""

import http.client
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config

from training.aws_errors import BUSY, CAPACITY, PHRASES, REMEDIES, RIGHTS, Kind, explain
from training.errors import CapacityError, LaunchError, UnreachedError
from training.launch.aws import explained

CLOSED = "http://127.0.0.1:9"
ANSWERS = {
    "page": (200, b"<html><br></html>"),
    "xml page": (200, b"<html><body>Sign in</body></html>"),
    "nothing": (200, b""),
    "no error": (403, b"<html><body>No</body></html>"),
    "no errors": (403, b"<Response><Errors/></Response>"),
    "gateway": (502, b"<html><br></html>"),
    "busy": (503, b"<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"),
    "full": (500, b"<Response><Errors><Error><Code>InsufficientInstanceCapacity</Code></Error></Errors></Response>"),
    "refused": (403, b"<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"),
}


class Answering(BaseHTTPRequestHandler):
    """Answer every request with the response that its path names."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        status, content = ANSWERS[self.path.strip("/").replace("%20", " ")]
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the URL of a port that accepts connections but never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def describe(address: str, **more: Any) -> Any:
    config = Config(retries={"mode": "standard", "max_attempts": 1}, connect_timeout=1, read_timeout=0.3, **more)
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-west-1"}
    client = boto3.client("ec2", endpoint_url=address, config=config, **keys)
    with explained("Instances cannot be listed"):
        return client.describe_instances()["Reservations"]


@pytest.mark.parametrize(
    ("address", "more", "found"),
    [
        (CLOSED, {}, "EndpointConnectionError"),
        ("http://ec2.invalid", {}, "EndpointConnectionError"),
        ("http://ec2.invalid", {"proxies": {"http": CLOSED}}, "ProxyConnectionError"),
        ("SILENT", {}, "ReadTimeoutError"),
        ("TLS", {}, "SSLError"),
    ],
    ids=["closed port", "no such host", "no proxy", "no answer", "no TLS"],
)
def test_connection_errors_are_retried(
    address: str, more: dict[str, Any], found: str, server: str, silent: str
) -> None:
    places = {"SILENT": silent, "TLS": server.replace("http:", "https:")}
    with pytest.raises(UnreachedError, match=rf"cannot be listed: AWS cannot be reached \({found}: ") as raised:
        describe(places.get(address, address), **more)
    assert raised.value.code == found
    assert "Check the network" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("page", UnreachedError, "The response is not from AWS (ResponseParserError"),
        ("xml page", UnreachedError, "The response is not from AWS (KeyError: 'Reservations')"),
        ("nothing", UnreachedError, "The response is not from AWS"),
        ("no error", UnreachedError, "The response is not from AWS (HTTP status 403)"),
        ("no errors", UnreachedError, "The response is not from AWS (TypeError"),
        ("gateway", UnreachedError, "AWS is busy or failing"),
        ("busy", UnreachedError, "AWS is busy or failing"),
        ("full", CapacityError, "Try --spot-or-on-demand"),
        ("refused", LaunchError, "`ludwig-serverless launch policy user"),
    ],
)
def test_each_error_has_its_kind_and_remedy(answer: str, kind: type[LaunchError], said: str, server: str) -> None:
    with pytest.raises(LaunchError) as raised:
        describe(f"{server}/{answer.replace(' ', '%20')}")
    assert type(raised.value) is kind
    assert said in str(raised.value)


def test_errors_unrelated_to_aws_are_not_explained() -> None:
    with pytest.raises(FileNotFoundError), explained("It cannot be sent"):
        raise FileNotFoundError("data.csv")
    assert explain(http.client.HTTPException(), "") is None


def test_every_remedy_names_an_action() -> None:
    assert not CAPACITY & BUSY
    assert [code for code, remedy in {**REMEDIES, **PHRASES}.items() if not remedy.endswith(".")] == [
        code for code, remedy in REMEDIES.items() if remedy is RIGHTS
    ]
    assert {each.value for each in Kind} == {"refused", "no capacity", "unreached"}
