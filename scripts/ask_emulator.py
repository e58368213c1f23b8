"""Send Hexabot's requests to the Lambda handler, running in AWS's Runtime Interface Emulator."""

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from handler.auth import new_token
from handler.local_commands import answer_table

TEXTS = (
    "good morning!",
    "book me a flight to New York next friday morning",
    "أريد إلغاء الحجز",
    "merci beaucoup !",
)
START_SECONDS = 30
BOUNDARY = "----ludwig-serverless"


def main(arguments: Sequence[str]) -> int:
    """Send each text, print the answers, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "emulator", type=Path, help="the emulator: `python3 scripts/environment.py emulator` installs it"
    )
    parser.add_argument("bundles", type=Path, help="a folder of bundles")
    parser.add_argument("texts", nargs="*", default=TEXTS, metavar="TEXT", help="messages to send")
    options = parser.parse_args(arguments)
    token, digest = new_token()
    with running_lambda(options.emulator, {"NLU_BUNDLES": str(options.bundles), "NLU_TOKEN_DIGESTS": digest}) as url:
        for text in options.texts:
            response = invoke(url, hexabot_event(text, token))
            if response.get("statusCode") != 200:
                print(f"error: expected status 200 from the Lambda handler, got {response}", file=sys.stderr)
                return 1
            print(answer_table(text, json.loads(response["body"])))
    return 0


@contextmanager
def running_lambda(
    emulator: Path,
    environ: dict[str, str],
    handler: str = "handler.entrypoint.lambda_handler",
    log_path: Path | None = None,
) -> Iterator[str]:
    """Run a Lambda handler in the emulator, on two free local ports.

    Args:
        emulator: Path of the emulator.
        environ: Environment variables to add.
        handler: The handler's `module.function`.
        log_path: The file to write the log to; None for a temporary one, which is printed if the emulator fails.

    Yields:
        The URL that invokes the handler.
    """
    invoke_port, runtime_port = free_port(), free_port()
    command = [
        str(emulator),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{invoke_port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
        *(sys.executable, "-m", "awslambdaric", handler),
    ]
    with tempfile.TemporaryFile() if log_path is None else log_path.open("w+b") as log:
        process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for_port(invoke_port, process, "The emulator did not start; its log is above.")
            yield f"http://127.0.0.1:{invoke_port}/2015-03-31/functions/function/invocations"
        except (HTTPException, OSError):
            log.seek(0)
            print(log.read().decode(errors="replace"), file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def invoke(url: str, event: dict[str, Any]) -> dict[str, Any]:
    """Send an event to the handler and return its response."""
    request = urllib.request.Request(url, json.dumps(event).encode())
    with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def hexabot_event(text: str, token: str) -> dict[str, Any]:
    """Return Hexabot's request as an event of API Gateway's HTTP API: a multipart body, in base64."""
    body = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n'.encode()
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/predict",
        "rawQueryString": f"token={token}",
        "headers": {
            "content-type": f"multipart/form-data; boundary={BOUNDARY}",
            "content-length": str(len(body)),
            "host": "127.0.0.1",
        },
        "requestContext": {
            "http": {"method": "POST", "path": "/predict", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "stage": "$default",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def free_port() -> int:
    """Return a free local TCP port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", problem: str) -> None:
    """Wait until a process listens on a port.

    Args:
        port: The port, on this machine.
        process: The process.
        problem: What to say if it does not.

    Raises:
        HTTPException: It ends, or does not listen in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise HTTPException(problem)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
