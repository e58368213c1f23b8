"""Measure what capture adds to an answer, and its first upload to S3, compared with boto3.

In process, a service without capture, one that captures nothing, and one that captures every message take turns; the
deferred work runs between the blocks, as Lambda runs it after a response. Uploads go to a local HTTP server, each kind
in its own process, because imports are most of their time.
"""

import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.report import parser, publish, ratios, say, spread, table
from handler.capture_batches import Batches
from handler.capture_stores import FolderStore
from handler.capturing import Capture
from handler.deferred import Deferred
from handler.hexabot import load_service
from handler.logs import configure
from handler.messages import Request
from handler.observing import Observation
from handler.routes import Routes
from handler.settings import Settings
from scripts.ask_emulator import TEXTS

PART = "capture"
BLOCK = 100
KINDS = {"no message captured": 0.0, "every message captured": 1.0}
UPLOAD = """
import json, sys, time
import handler.light_imports
from handler.extension import NAME
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) * 1024 / 1e6
address, kind = sys.argv[1:]
before, started = resident(), time.process_time()
if kind == "boto3":
    import boto3
    client = boto3.client("s3", endpoint_url=address, region_name="eu-west-1", aws_access_key_id="x",
                          aws_secret_access_key="x")
    client.put_object(Bucket="bucket-1", Key="name", Body=b"x" * 500)
else:
    import ssl
    ssl.create_default_context()
    from handler.s3_upload import S3Store
    environ = {"AWS_ENDPOINT_URL_S3": address, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x",
               "AWS_SECRET_ACCESS_KEY": "x"}
    S3Store("bucket-1", "", environ).put("name", b"x" * 500)
print(json.dumps([(time.process_time() - started) * 1000, resident() - before]))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    made = parser(PART, __doc__, rounds=(20, "rounds of each kind"), uploads=(5, "first uploads of each kind"))
    made.add_argument("bundles", nargs="?", default="examples/bundles", help="bundles to serve (default: %(default)s)")
    options = made.parse_args(arguments)
    configure("ERROR")
    say("Answers ...")
    rows, observed = answers(options.bundles, options.rounds)
    say("Uploads ...")
    publish(
        options,
        PART,
        [
            "Milliseconds for one answer to `/predict` (median of a block), and its ratio to one without capture:",
            "",
            *table(["", "answer", "ratio: minimum", "median", "maximum", "in the observer", "99 %"], rows),
            "",
            f"After the response, a captured message takes {observed:.2f} ms in the median, without the upload.",
            "",
            "The first upload in a process:",
            "",
            *table(["", "milliseconds of CPU time", "MB of memory"], uploads(options.uploads)),
        ],
    )
    return 0


def answers(bundles: str, rounds: int) -> tuple[list[list[str]], float]:
    """Measure answers in process.

    Args:
        bundles: The folder of bundles.
        rounds: Number of rounds.

    Returns:
        A table row for each kind, and the median time of the deferred work for a message in milliseconds.
    """
    settings = Settings(bundles=(bundles,), open=True)
    service = load_service(settings)
    plain = Routes(service, settings)
    base: list[float] = []
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    observed: dict[str, list[float]] = {kind: [] for kind in KINDS}
    later: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = {}
        for kind, share in KINDS.items():
            deferred = Timed(later)
            chosen = Settings(bundles=(bundles,), open=True, capture_sample=share, capture_margin=share)
            capture = Capture(service, chosen, deferred, Batches(FolderStore(folder)))
            kinds[kind] = (Routes(service, chosen, [timed(capture, observed[kind])]), deferred)
        for _ in range(rounds + 1):
            base.append(block(plain))
            for kind, (routes, deferred) in kinds.items():
                taken[kind].append(block(routes))
                deferred.run()
    rows = [["no capture", spread(base[1:], 3), *["", "", "", "", ""]]]
    for kind in KINDS:
        found = observed[kind][BLOCK:]
        shown = [f"{np.percentile(found, share):.3f}" for share in (50, 99)]
        rows.append([kind, spread(taken[kind][1:], 3), *ratios(taken[kind][1:], base[1:]), *shown])
    return rows, float(np.median(later[BLOCK:]))


class Timed(Deferred):
    """Deferred work that runs when the measurement says so, with the time of each task in milliseconds."""

    def __init__(self, taken: list[float]) -> None:
        super().__init__()
        self._taken = taken
        self._waiting: list[Callable[[], None]] = []

    def later(self, task: Callable[[], None]) -> bool:
        """Keep a task."""
        self._waiting.append(task)
        return True

    def run(self) -> None:
        """Run the tasks that were kept."""
        for task in self._waiting:
            started = time.perf_counter()
            task()
            self._taken.append((time.perf_counter() - started) * 1000)
        self._waiting = []


def timed(capture: Capture, taken: list[float]) -> Callable[[Observation], None]:
    """Return an observer that also notes the time of each call in milliseconds."""

    def observe(observation: Observation) -> None:
        started = time.perf_counter()
        capture(observation)
        taken.append((time.perf_counter() - started) * 1000)

    return observe


def block(routes: Routes) -> float:
    """Return the median time of a block of answers in milliseconds."""
    taken = []
    for index in range(BLOCK):
        body = json.dumps({"text": TEXTS[index % len(TEXTS)]}).encode()
        request = Request(str(index), "POST", "/predict", [], {"content-type": "application/json"}, body)
        started = time.perf_counter()
        routes.answer(request)
        taken.append((time.perf_counter() - started) * 1000)
    return float(np.median(taken))


def uploads(count: int) -> list[list[str]]:
    """Measure first uploads, each in a new process. Return a table row for each kind."""
    with running_server() as address:
        found: dict[str, list[Any]] = {"this package": [], "boto3": []}
        for _ in range(count):
            for kind, taken in found.items():
                command = [sys.executable, "-c", UPLOAD, address, kind]
                taken.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    return [[kind, *(spread(column, 0) for column in zip(*taken, strict=True))] for kind, taken in found.items()]


@contextmanager
def running_server() -> Iterator[str]:
    """Run an HTTP server that accepts every upload, and yield its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            if self.headers.get("expect") == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
