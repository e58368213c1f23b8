"""Simulate a day with a new topic from noon, and show that the alarm goes off and that the new messages are captured.

Every part is the real one, except AWS: the handler answers each message, writes its metrics and captures unsure
messages in a folder, moto's CloudWatch stores what CloudWatch extracts from these lines, and `deploy/drift.py` runs
after each hour. Lambda's API is imitated: it calls the handler in this process.
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import boto3
import msgspec
import pandas as pd

from deploy import drift
from handler.bundle import MANIFEST, read_bundle
from handler.deferred import Deferred
from handler.outputs import CategoryOutput
from handler.predictor import load_predictors
from handler.thresholds import Expected, Thresholds
from ludwig_serverless.cost.bill import DAYTIME
from scripts.ask_emulator import hexabot_event
from scripts.local_aws import Handler, ingest, running_function, running_moto
from training.dataset import TEST, VALIDATION
from training.evaluation.expected import expected_of
from training.review.captures import read_captures

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


class Queue(NamedTuple):
    """What waits for review after the day.

    Attributes:
        new: The number of captured messages of the new topic.
        of_new: The number of all messages of the new topic.
        other: The number of other captured messages.
        of_other: The number of all other messages.
    """

    new: int
    of_new: int
    other: int
    of_other: int


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
        captures = Path(folder, "captured")
        sent: Counter[bool] = Counter()
        for hour in simulate(demo_bundle(Path(folder, "intent")), options.messages, address, captures, sent):
            shown = " | ".join(_shown(hour.psi.get(("intent", kind))) for kind in drift.DIMENSIONS)
            rings = "rings" if (hour.drift or 0) >= options.threshold else ""
            print(f"| {hour.hour} | {hour.messages} | {shown} | {rings} |", flush=True)
        queue = queue_of(captures, sent)
    print(
        f"\nCaptured for review: {queue.new} of the {queue.of_new} messages of the new topic, and {queue.other} of the "
        f"{queue.of_other} others."
    )
    return 0


def simulate(bundle: Path, messages: int, cloudwatch: str, captures: Path, sent: "Counter[bool]") -> Iterator[Hour]:
    """Answer a day's messages and check for drift after each hour.

    Args:
        bundle: A bundle with expected answers.
        messages: The number of messages of the day. There are fewer by night.
        cloudwatch: The address of moto's server.
        captures: The folder for captured messages.
        sent: Counts the messages, by whether they are of the new topic.

    Yields:
        The hours of the day.
    """
    handler, log, deferred = deployed(bundle, captures)
    draw = random.Random(5)
    usual = demo_rows(TEST)["text"].tolist()
    with running_function(handler) as address, patch.dict(os.environ, _environ(cloudwatch, address)):
        client = boto3.client("cloudwatch")
        for hour, weight in enumerate(DAYTIME):
            number = round(messages * weight / sum(DAYTIME))
            for _ in range(number):
                new = hour >= NOON and draw.random() < NEW_SHARE
                sent[new] += 1
                text = draw.choice(NEW_TOPIC if new else usual)
                if handler(hexabot_event(text, ""), None)["statusCode"] != 200:
                    raise RuntimeError(f"The handler did not answer a message: {log.getvalue()[-1000:]}")
            ingest(client, taken(log), START + timedelta(hours=hour))
            end = START + timedelta(hours=hour + 1)
            with redirect_stdout(io.StringIO()):
                drift.lambda_handler({"time": end.isoformat()}, None)
            yield Hour(hour, number, *published(client, end))
    deferred.stop()


def queue_of(captures: Path, sent: "Counter[bool]") -> Queue:
    """Return what was captured for review.

    Args:
        captures: The folder of captured messages.
        sent: The number of messages, by whether they are of the new topic.

    Returns:
        The counts of captured and of all messages.
    """
    found = Counter(message.text in NEW_TOPIC for message in read_captures(str(captures)).messages)
    return Queue(found[True], sent[True], found[False], sent[False])


def deployed(bundle: Path, captures: Path) -> tuple[Handler, io.StringIO, Deferred]:
    """Import the function as Lambda does, with metrics and capture; return it, its log and its deferred work."""
    log = io.StringIO()
    environ = {
        "NLU_BUNDLES": str(bundle),
        "NLU_OPEN": "1",
        "NLU_TOKEN_DIGESTS": "",
        "NLU_METRICS": "drift",
        "NLU_METRICS_NAMESPACE": NAMESPACE,
        "NLU_LOG_LEVEL": "WARNING",
        "NLU_CAPTURE": str(captures),
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
    }
    with patch.dict(os.environ, environ), redirect_stdout(log):
        module = runpy.run_module("handler.entrypoint")
    return module["lambda_handler"], log, module["observing"].deferred


def taken(log: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines with metrics that were written to a log since the last call."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    log.seek(0)
    log.truncate()
    return [line for line in lines if "_aws" in line]


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
    """Copy the demo's bundle of intents, and store in it what `fit --out-of-scope out_of_scope` stores.

    That is what it answers to the validation rows, and that the label of messages out of scope is never answered.
    """
    shutil.copytree(ROOT / "examples" / "bundles" / "intent", folder)
    (predictor,) = load_predictors([folder]).values()
    records = predictor.predict([{"text": text} for text in demo_rows(VALIDATION)["text"]])
    expected = msgspec.convert(expected_of("intent", records), Expected)
    thresholds = Thresholds(default=0.0, rejected=["out_of_scope"])
    manifest = read_bundle(folder)
    outputs = [
        msgspec.structs.replace(output, expected=expected, thresholds=thresholds)
        if isinstance(output, CategoryOutput)
        else output
        for output in manifest.outputs
    ]
    (folder / MANIFEST).write_bytes(msgspec.structs.replace(manifest, outputs=outputs).to_json())
    return folder


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
