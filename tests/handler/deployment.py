"""Run the handler as it is deployed: as a Lambda function behind API Gateway, or as a separate process."""

import base64
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.ask_emulator import free_port
from tests.hexabot_client import decode, http_api_event, multipart

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
"""How long a process may take to listen before a test gives up; no test measures it."""

Send = Callable[..., "Answer"]
"""`send(method, path, body, ...)`: http_api_event's arguments in, the function's answer out."""


@dataclass(frozen=True)
class LambdaContext:
    """The context that the Lambda runtime passes to the function with the event."""

    aws_request_id: str = "8f507cfc-1111-2222-3333-444455556666"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as axios parses it: a body that is not strict JSON stays a string."""
        return decode(self.body)


def lambda_handler(*places: Path, **environ: str) -> Callable[[Any, Any], Any]:
    """Import the entry point as Lambda does, with these bundles and without tokens unless `environ` sets them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(*places, **environ).items():
            patch.setenv(name, value)
        handler: Callable[[Any, Any], Any] = runpy.run_module("handler.entrypoint")["lambda_handler"]
        return handler


def environment(*places: Path, **environ: str) -> dict[str, str]:
    """Return the handler's environment variables, without tokens unless `environ` sets them."""
    return {"NLU_BUNDLES": ",".join(map(str, places)), "NLU_OPEN": "1", "NLU_TOKEN_DIGESTS": "", **environ}


def invoke(handler: Callable[[Any, Any], Any], event: Mapping[str, Any]) -> Answer:
    """Pass an event to a Lambda function and read the response as API Gateway does."""
    response = handler(dict(event), LambdaContext())
    body = response["body"]
    content = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
    return Answer(response["statusCode"], response["headers"], content)


def deploy(*places: Path, **environ: str) -> Send:
    """Deploy bundles as a Lambda function behind an HTTP API, and return a function that sends it requests."""
    handler = lambda_handler(*places, **environ)

    def send(method: str, path: str, body: bytes = b"", **event: Any) -> Answer:
        return invoke(handler, http_api_event(method, path, body, **event))

    return send


def predict(send: Send, fields: Mapping[str, str], path: str = "/predict") -> Answer:
    """Send a form as Hexabot does."""
    content_type, body = multipart(fields)
    return send("POST", path, body, headers={"content-type": content_type})


def run_python(*arguments: str, timeout_seconds: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a separate process, without this process's NLU_ variables."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=_clean_environ(environ),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_seconds,
        check=False,
    )


@contextmanager
def served(places: Sequence[Path], *options: str, stdout: Any = subprocess.DEVNULL, **environ: str) -> Iterator[int]:
    """Serve bundles with `python -m handler` on a free port, and yield the port."""
    port = free_port()
    command = [sys.executable, "-m", "handler", *map(str, places), "--port", str(port), *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=_clean_environ(environ), stdout=stdout, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_port(port, lambda: process.poll() is None)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def wait_for_port(port: int, is_alive: Callable[[], bool]) -> None:
    """Wait until a process listens on a port."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and is_alive():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nobody listens on port {port}")


def _clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NLU_")}
    return {**inherited, "PYTHONUTF8": "1", **environ}
