"""Simulate a day of messages whose topics change at noon, and show that the check for drift notices it.

Every part is the real one, except AWS: the handler answers each message and writes its metrics, moto's CloudWatch
stores what CloudWatch extracts from these lines, and `deploy/drift.py` runs after each hour. Lambda's API is imitated:
it calls the handler in this process.
"""

import argparse
import io
import json
import os
import random
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import boto3
import msgspec
import pandas as pd

from deploy import drift
from handler.bundle import MANIFEST, read_bundle
from handler.outputs import CategoryOutput
from handler.predictor import load_predictors
from handler.thresholds import Expected
from ludwig_serverless.cost.bill import DAYTIME
from scripts.ask_emulator import free_port, hexabot_event
from training.dataset import TEST, VALIDATION
from training.evaluation.expected import expected_of

ROOT = Path(__file__).resolve().parent.parent
LIVE = "arn:aws:lambda:eu-west-1:123456789012:function:nlu:live"
NAMESPACE, VERSION = "nlu", "7"
START = datetime(2026, 11, 2, tzinfo=UTC)
NOON = 12
NEW_SHARE = 0.4
"""The share of the messages of the new topic, from noon."""
NEW_TOPIC = (
    "is my suitcase insured against theft",
    "my suitcase was stolen at the station, who pays for it",
    "I want to report damage to the insurance",
    "how long does the insurance take to pay",
    "does the policy also cover skiing accidents",
    "which doctor does the travel insurance pay for",
    "send me the form for the insurance claim",
    "what is the deductible of your policy",
)

Handler = Callable[[Any, Any], Any]


class Hour(NamedTuple):
    """What happened until the end of an hour.

    Attributes:
        hour: The hour of the day.
        messages: The number of its messages.
        psi: The index of each series, by model and kind; absent while there are too few messages.
        drift: The value of the metric that the alarm watches, or None.
    """

    hour: int
    messages: int
    psi: Mapping[tuple[str, str], float]
    drift: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate the day, print a line for each hour, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.drift_day", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000, help="messages of the day (default: %(default)s)")
    parser.add_argument("--threshold", type=float, default=0.25, help="the alarm's threshold (default: %(default)s)")
    options = parser.parse_args(arguments)
    command = [sys.executable, str(ROOT / "scripts" / "environment.py"), "cloud"]
    interpreter = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder, running_moto(Path(interpreter)) as address:
        print("| hour | messages | labels | confidence | alarm |\n|--:|--:|--:|--:|---|")
        for hour in simulate(demo_bundle(Path(folder, "intent")), options.messages, address):
            shown = " | ".join(_shown(hour.psi.get(("intent", kind))) for kind in drift.DIMENSIONS)
            rings = "rings" if (hour.drift or 0) >= options.threshold else ""
            print(f"| {hour.hour} | {hour.messages} | {shown} | {rings} |", flush=True)
    return 0


def simulate(bundle: Path, messages: int, cloudwatch: str) -> Iterator[Hour]:
    """Answer a day's messages and check for drift after each hour.

    Args:
        bundle: A bundle with expected answers.
        messages: The number of messages of the day. There are fewer by night.
        cloudwatch: The address of moto's server.

    Yields:
        The hours of the day.
    """
    handler, log = deployed(bundle)
    draw = random.Random(5)
    usual = demo_rows(TEST)["text"].tolist()
    with running_function(handler) as address, patch.dict(os.environ, _environ(cloudwatch, address)):
        client = boto3.client("cloudwatch")
        for hour, weight in enumerate(DAYTIME):
            number = round(messages * weight / sum(DAYTIME))
            for _ in range(number):
                new = hour >= NOON and draw.random() < NEW_SHARE
                text = draw.choice(NEW_TOPIC if new else usual)
                if handler(hexabot_event(text, ""), None)["statusCode"] != 200:
                    raise RuntimeError(f"The handler did not answer a message: {log.getvalue()[-1000:]}")
            ingest(client, taken(log), START + timedelta(hours=hour))
            end = START + timedelta(hours=hour + 1)
            with redirect_stdout(io.StringIO()):
                drift.lambda_handler({"time": end.isoformat()}, None)
            yield Hour(hour, number, *published(client, end))


def deployed(bundle: Path) -> tuple[Handler, io.StringIO]:
    """Import the function as Lambda does, with metrics, and return it and its log."""
    log = io.StringIO()
    environ = {
        "NLU_BUNDLES": str(bundle),
        "NLU_OPEN": "1",
        "NLU_TOKEN_DIGESTS": "",
        "NLU_METRICS": "drift",
        "NLU_METRICS_NAMESPACE": NAMESPACE,
        "NLU_LOG_LEVEL": "WARNING",
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
    }
    with patch.dict(os.environ, environ), redirect_stdout(log):
        return runpy.run_module("handler.entrypoint")["lambda_handler"], log


def taken(log: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines with metrics that were written to a log since the last call."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    log.seek(0)
    log.truncate()
    return [line for line in lines if "_aws" in line]


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


def published(client: Any, end: datetime) -> tuple[dict[tuple[str, str], float], float | None]:
    """Return the indices that the check published for an hour, by model and kind, and the metric `Drift`."""
    psi = {}
    for metric in client.list_metrics(Namespace=NAMESPACE, MetricName="PSI")["Metrics"]:
        found = _maximum(client, "PSI", metric["Dimensions"], end)
        names = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        if found is not None:
            psi[names["Model"], names["Kind"]] = found
    return psi, _maximum(client, "Drift", [], end)


def _maximum(client: Any, name: str, dimensions: Sequence[Mapping[str, str]], end: datetime) -> float | None:
    """Return the maximum of the period of an hour that begins with a time, as an alarm reads it."""
    found = client.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=dimensions,
        StartTime=end,
        EndTime=end + timedelta(hours=1),
        Period=3600,
        Statistics=["Maximum"],
    )["Datapoints"]
    return found[0]["Maximum"] if found else None


def demo_rows(part: int) -> pd.DataFrame:
    """Return the rows of the demo dataset that belong to a part of its split."""
    rows = pd.read_csv(ROOT / "examples" / "demo" / "dataset.csv")
    return rows[rows["split"] == part].reset_index(drop=True)


def demo_bundle(folder: Path) -> Path:
    """Copy the demo's bundle of intents, and store in it what it answers to the validation rows, as `fit` does."""
    shutil.copytree(ROOT / "examples" / "bundles" / "intent", folder)
    (predictor,) = load_predictors([folder]).values()
    records = predictor.predict([{"text": text} for text in demo_rows(VALIDATION)["text"]])
    expected = msgspec.convert(expected_of("intent", records), Expected)
    manifest = read_bundle(folder)
    outputs = [
        msgspec.structs.replace(output, expected=expected) if isinstance(output, CategoryOutput) else output
        for output in manifest.outputs
    ]
    (folder / MANIFEST).write_bytes(msgspec.structs.replace(manifest, outputs=outputs).to_json())
    return folder


@contextmanager
def running_function(handler: Handler) -> Iterator[str]:
    """Serve Lambda's Invoke for one function, which runs in this process, and yield the address."""

    class Invoke(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["content-length"])))
            content = json.dumps(handler(event, None)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
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


@contextmanager
def running_moto(interpreter: Path, seconds: float = 30) -> Iterator[str]:
    """Run moto's imitation of AWS on a free port, and yield its address."""
    port = free_port()
    with subprocess.Popen([interpreter.with_name("moto_server"), "-p", str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/").close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _environ(cloudwatch: str, function: str) -> dict[str, str]:
    """Return the environment variables of `deploy/drift.py`, with local addresses of AWS."""
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
    addresses = {"AWS_ENDPOINT_URL_CLOUDWATCH": cloudwatch, "AWS_ENDPOINT_URL_LAMBDA": function}
    return {
        **keys,
        **addresses,
        "NO_PROXY": "127.0.0.1",
        "LIVE_VERSION": LIVE,
        "NAMESPACE": NAMESPACE,
        "REFERENCE": "training",
    }


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
