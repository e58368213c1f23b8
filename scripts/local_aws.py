"""Stand-ins of AWS for tests and simulations: moto's server, Lambda's Invoke for a function, CloudWatch's metrics."""

import json
import os
import subprocess
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripts.ask_emulator import free_port, wait_for_port

Handler = Callable[[Any, Any], Any]


class ThrottledError(Exception):
    """Raised by a function that Lambda throttles."""


@contextmanager
def running_moto(interpreter: Path, **environ: str) -> Iterator[str]:
    """Run moto's imitation of AWS on a free port, with additional environment variables, and yield its address."""
    port = free_port()
    command = [str(interpreter.with_name("moto_server")), "-p", str(port)]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for_port(port, server, "moto_server did not start.")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@contextmanager
def running_function(handler: Handler) -> Iterator[str]:
    """Serve Lambda's Invoke for one function, which runs in this process, and yield the address.

    Args:
        handler: The function. It may raise ThrottledError. An answer with `errorType` is that of a failed function.
    """

    class Invoke(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                answer = handler(event, None)
            except ThrottledError as error:
                throttled = {"Type": "User", "message": str(error)}
                self._send(429, throttled, {"x-amzn-ErrorType": "TooManyRequestsException"})
                return
            failed = isinstance(answer, dict) and "errorType" in answer
            self._send(200, answer, {"x-amz-function-error": "Unhandled"} if failed else {})

        def _send(self, status: int, answer: Any, headers: Mapping[str, str]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            identity = {"x-amzn-requestid": str(uuid.uuid4()), "content-length": str(len(content))}
            for name, value in {**headers, **identity}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Invoke) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def ingest(client: Any, lines: Sequence[Mapping[str, Any]], when: datetime) -> None:
    """Store the metrics of log lines as CloudWatch does: one data point for each metric and each set of dimensions.

    Args:
        client: A client of CloudWatch.
        lines: The lines. Their timestamps are those of the simulation's own clock, and are replaced.
        when: The time of the simulated day.
    """
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = defaultdict(list)
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = tuple((name, line[name]) for name in names)
                for metric in directive["Metrics"]:
                    found = line[metric["Name"]]
                    key = (directive["Namespace"], metric["Name"], dimensions)
                    values[key].extend(found if isinstance(found, list) else [found])
    for (namespace, name, dimensions), found in values.items():
        datum = {
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
            "Timestamp": when,
            "StatisticValues": {
                "SampleCount": len(found),
                "Sum": sum(found),
                "Minimum": min(found),
                "Maximum": max(found),
            },
        }
        client.put_metric_data(Namespace=namespace, MetricData=[datum])
