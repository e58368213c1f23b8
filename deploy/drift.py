"""The hourly check for drift: it reads the counts of the last day from CloudWatch, and publishes how far they drifted.

EventBridge calls it if the template's parameter `Metrics` is `drift`. It runs on AWS's Python runtime, which includes
boto3. The live version of the function names what to count and calculates the population stability index, because its
bundles contain the reference (see `handler/drift.py`). Only counts of that version are read, so a new version with new
models starts with an empty window.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

HOURS = 24
"""The window: a whole day, so that the night does not count as drift."""
WEEK_HOURS = 7 * 24
"""The hours before the window, whose messages are the reference `week`."""
HOUR_SECONDS = 3600
MOST_QUERIES = 500
"""The most queries in one call of GetMetricData."""
DIMENSIONS = {"labels": "Label", "confidence": "Bin"}
"""The dimension of the metric `Answers` that counts the groups of each kind."""

NOTHING_TO_COMPARE = (
    "No bundle has the answers to compare with: train and export the models again, with this version of the package."
)
CLIENT_LIMITS = Config(connect_timeout=5, read_timeout=45, retries={"mode": "standard", "total_max_attempts": 3})

Series = dict[str, Any]


class DriftCheckError(Exception):
    """Raised when drift cannot be measured; the message says why, and what to do."""


def lambda_handler(event: dict[str, Any], context: object) -> None:
    """Measure the drift of the day before the event.

    Args:
        event: EventBridge's scheduled event. Its `time` is the end of the window.
        context: Lambda's context, which is not used.
    """
    now = datetime.fromisoformat(event["time"]).astimezone(UTC)
    for series in check(os.environ["LIVE_VERSION"], os.environ["NAMESPACE"], now, os.environ["REFERENCE"]):
        shown = {name: series[name] for name in ("model", "kind", "messages", "psi")}
        print(json.dumps({"level": "INFO", "message": "drift", **shown}))


def check(live: str, namespace: str, now: datetime, reference: str = "training") -> list[Series]:
    """Measure the drift of the live version and publish it.

    The metric `PSI`, by `Model` and `Kind`, has one value for each index. The alarm watches the metric `Drift`, without
    dimensions, which has the largest of them.

    Args:
        live: The ARN of the alias that takes traffic.
        namespace: The namespace of the metrics.
        now: The end of the window.
        reference: What to compare with: "training" for the answers that the bundles store, or "week" for those of the
            seven days before the window.

    Returns:
        What the handler answered about each series: its `model`, `kind`, `groups` and number of `messages`, and its
        `psi`, or None if there are too few messages.

    Raises:
        DriftCheckError: The function failed, or its image is too old for this check.
        botocore.exceptions.ClientError: AWS rejected a call.
    """
    functions, metrics = (boto3.client(service, config=CLIENT_LIMITS) for service in ("lambda", "cloudwatch"))
    asked = _invoke(functions, live, {})
    if not asked["series"]:
        print(json.dumps({"level": "WARNING", "message": "drift", "reason": NOTHING_TO_COMPARE}))
        return []
    end = now.replace(minute=0, second=0, microsecond=0)
    begin = end - timedelta(hours=HOURS)
    counts = {"counts": _counts(metrics, namespace, asked, begin, end)}
    if reference == "week":
        counts["before"] = _counts(metrics, namespace, asked, begin - timedelta(hours=WEEK_HOURS), begin)
    # The same version again: during a deployment, the alias could answer with another one.
    compared: list[Series] = _invoke(functions, f"{live.rpartition(':')[0]}:{asked['version']}", counts)["series"]
    measured = [series for series in compared if series["psi"] is not None]
    if measured:
        metrics.put_metric_data(Namespace=namespace, MetricData=list(_data(measured, now)))
    return compared


def _counts(
    client: Any, namespace: str, asked: dict[str, Any], begin: datetime, end: datetime
) -> list[dict[str, float]]:
    """Return the number of messages in each group of each series of a version, from whole hour to whole hour."""
    series: list[Series] = asked["series"]
    keys = [(number, group) for number, each in enumerate(series) for group in each["groups"]]
    counts: list[dict[str, float]] = [{} for _ in series]
    for first in range(0, len(keys), MOST_QUERIES):
        queries = [
            {
                "Id": f"q{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": namespace,
                        "MetricName": "Answers",
                        "Dimensions": [
                            {"Name": "Version", "Value": asked["version"]},
                            {"Name": "Model", "Value": series[number]["model"]},
                            {"Name": DIMENSIONS[series[number]["kind"]], "Value": group},
                        ],
                    },
                    "Period": HOUR_SECONDS,
                    "Stat": "Sum",
                },
            }
            for index, (number, group) in enumerate(keys[first : first + MOST_QUERIES], first)
        ]
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=begin, EndTime=end
        )
        for result in (result for page in pages for result in page["MetricDataResults"]):
            number, group = keys[int(result["Id"][1:])]
            counts[number][group] = counts[number].get(group, 0) + sum(result["Values"])
    return counts


def _data(measured: list[Series], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the data points: each index, and the largest."""
    for series in measured:
        dimensions = [{"Name": "Model", "Value": series["model"]}, {"Name": "Kind", "Value": series["kind"]}]
        yield {"MetricName": "PSI", "Dimensions": dimensions, "Timestamp": now, "Value": series["psi"]}
    yield {"MetricName": "Drift", "Timestamp": now, "Value": max(series["psi"] for series in measured)}


def _invoke(client: Any, function: str, counts: dict[str, Any]) -> dict[str, Any]:
    event = {"check": "drift", **counts}
    response = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        # Omit the message, which may quote an utterance; the function's log has it.
        kind = answer.get("errorType", "no type") if isinstance(answer, dict) else "no type"
        raise DriftCheckError(f"The function failed ({response['FunctionError']}: {kind}): check its log.")
    if not isinstance(answer, dict) or not isinstance(answer.get("series"), list) or not answer.get("version"):
        raise DriftCheckError(
            "The live version does not support the drift check: deploy an image with this project's handler."
        )
    return answer
