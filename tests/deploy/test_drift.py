"""The hourly check for drift: a simulated day, with moto's CloudWatch over HTTP, and what stops the check."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.drift import HOURS, MOST_QUERIES, WEEK_HOURS, DriftCheckError, check, lambda_handler
from handler.drift import FEWEST
from scripts.drift_day import LIVE, NAMESPACE, NOON, demo_bundle, queue_of, simulate
from scripts.local_aws import running_function
from tests.bundles import INTENT, give_expected, write_bundle
from tests.deploy.cloud import running_cloud
from tests.deploy.template import Evaluator, load
from tests.handler.deployment import lambda_handler as import_handler
from tests.processes import aws_environ, reset_aws

NOW = datetime(2026, 11, 2, 15, 20, tzinfo=UTC)
SETTINGS = {"LIVE_VERSION": LIVE, "NAMESPACE": "nlu", "REFERENCE": "training"}
Version = Callable[[str, Any], tuple[Any, str]]


@pytest.fixture
def cloudwatch(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    reset_aws(aws_address)
    for name, value in {**aws_environ(aws_address), "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    return boto3.client("cloudwatch")


def test_a_drift_at_noon_raises_the_alarm_in_the_evening_and_its_messages_wait_for_review(
    aws_address: str, tmp_path: Path
) -> None:
    reset_aws(aws_address)
    template = load()
    alarm = Evaluator(template).value(template["Resources"]["Drift"]["Properties"])
    watched = (alarm["MetricName"], alarm["Statistic"], alarm["Period"], alarm["ComparisonOperator"])
    assert watched == ("Drift", "Maximum", 3600, "GreaterThanOrEqualToThreshold")
    assert "Dimensions" not in alarm
    threshold = float(alarm["Threshold"])
    captures, sent = tmp_path / "captured", Counter[bool]()
    hours = list(simulate(demo_bundle(tmp_path / "intent"), 2000, aws_address, captures, sent))
    measured = [hour for hour in hours if hour.drift is not None]
    before = [hour.drift for hour in measured if hour.hour < NOON]
    after = [hour.drift for hour in measured if hour.hour >= NOON]
    assert len(before) >= 5
    assert len(after) == 24 - NOON
    assert max(value for value in before if value is not None) < 0.15
    ringing = [value is not None and value >= threshold for value in after]
    assert not ringing[0]
    assert all(ringing[-5:])
    assert all(hour.psi["intent", "labels"] > hour.psi["intent", "confidence"] for hour in measured[-5:])
    assert all(hour.drift == max(hour.psi.values()) for hour in measured)
    assert all(hour.drift is None for hour in hours if sum(each.messages for each in hours[: hour.hour + 1]) < FEWEST)
    queue = queue_of(captures, sent)
    assert queue.of_new > 300
    assert queue.new >= 0.8 * queue.of_new
    assert queue.other <= 0.2 * queue.of_other


def series(groups: int, psi: float | None = None, kind: str = "labels") -> dict[str, Any]:
    return {"model": "intent", "kind": kind, "groups": [f"g{n}" for n in range(groups)], "messages": 1, "psi": psi}


def run(monkeypatch: pytest.MonkeyPatch, version: Version, reference: str = "training") -> tuple[list[Any], list[Any]]:
    """Run the check with an imitation of Lambda; return the answer and what the function was sent."""
    with running_cloud(version) as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", cloud.url)
        return check(LIVE, NAMESPACE, NOW, reference), cloud.invoked


def put(client: Any, group: str, when: datetime, value: float, version: str = "7") -> None:
    names = {"Version": version, "Model": "intent", "Label": group}
    dimensions = [{"Name": name, "Value": found} for name, found in names.items()]
    datum = {"MetricName": "Answers", "Dimensions": dimensions, "Timestamp": when, "Value": value}
    client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])


def test_the_counts_of_the_last_day_and_of_the_live_version_are_compared(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = NOW.replace(minute=0)
    for when, value in ((end - timedelta(minutes=1), 1), (end - timedelta(hours=HOURS), 2)):
        put(cloudwatch, "g0", when, value)
    put(cloudwatch, "g0", end - timedelta(hours=HOURS, minutes=1), 4)
    put(cloudwatch, "g0", end + timedelta(minutes=1), 8)
    put(cloudwatch, "g0", end - timedelta(hours=1), 16, version="6")
    answer = {"version": "7", "series": [series(2, psi=0.4), series(1, None, "confidence")]}
    compared, invoked = run(monkeypatch, lambda name, event: (answer, ""))
    (first, asked), (second, sent) = invoked
    assert (first, asked) == (LIVE, {"check": "drift"})
    assert second == f"{LIVE.removesuffix('live')}7"
    assert sent["counts"][0].get("g0") == 3
    assert compared[0]["psi"] == 0.4
    found = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE, MetricName="Drift", StartTime=end, EndTime=NOW + timedelta(hours=1), Period=3600,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]  # fmt: skip
    assert [(point["Maximum"], point["SampleCount"]) for point in found] == [(0.4, 1.0)]
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName="PSI")["Metrics"]
    assert [sorted(each["Value"] for each in metric["Dimensions"]) for metric in listed] == [["intent", "labels"]]


def test_the_reference_can_be_the_week_before(cloudwatch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle expects equal shares, which the bot never had: nothing changed since last week, until today."""
    shares = dict.fromkeys(["book_flight", "book_hotel", "greeting"], 100)
    bundle = give_expected(write_bundle(tmp_path / "intent", INTENT), shares, [0.9], [100, 200])
    handler = import_handler(bundle, AWS_LAMBDA_FUNCTION_VERSION="7")
    begin = NOW.replace(minute=0) - timedelta(hours=HOURS)
    for when, number in ((begin - timedelta(hours=WEEK_HOURS), 1500), (begin, 300)):
        put(cloudwatch, "book_flight", when, number)
        put(cloudwatch, "greeting", when, number / 10)
    put(cloudwatch, "book_hotel", begin - timedelta(hours=WEEK_HOURS, minutes=1), 9999)
    with running_function(handler) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", address)
        training, week = ((check(LIVE, NAMESPACE, NOW, reference))[0] for reference in ("training", "week"))
        put(cloudwatch, "book_hotel", begin + timedelta(hours=3), 300)
        changed = check(LIVE, NAMESPACE, NOW, "week")[0]
    assert training["psi"] > 0.25
    assert week["psi"] < 0.05
    assert changed["psi"] > 0.25


def test_more_groups_than_one_call_accepts_are_read_in_several(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = MOST_QUERIES + 1
    put(cloudwatch, f"g{last}", NOW - timedelta(hours=2), 5)
    answer = {"version": "7", "series": [series(last + 1)]}
    _, invoked = run(monkeypatch, lambda name, event: (answer, ""))
    assert {group: count for group, count in invoked[1][1]["counts"][0].items() if count} == {f"g{last}": 5}


def test_too_few_messages_publish_nothing(cloudwatch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, lambda name, event: ({"version": "7", "series": [series(2)]}, ""))
    assert cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"] == []


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ({"errorType": "ValueError", "errorMessage": "cannot read 'my name is Ada'"}, "Unhandled", "ValueError"),
        ({"statusCode": 400}, "", "does not support the drift check"),
        (["no", "object"], "", "does not support the drift check"),
    ],
    ids=["function error", "other handler", "other answer"],
)
def test_a_function_that_cannot_answer_fails_the_check_without_quoting(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch, answer: Any, error: str, message: str
) -> None:
    with pytest.raises(DriftCheckError, match=message) as raised:
        run(monkeypatch, lambda name, event: (answer, error))
    assert "Ada" not in str(raised.value)


def test_bundles_without_expected_answers_are_named_in_the_log(
    cloudwatch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = import_handler(write_bundle(tmp_path / "intent", INTENT), AWS_LAMBDA_FUNCTION_VERSION="7")
    with running_function(handler) as address:
        for name, value in {"AWS_ENDPOINT_URL_LAMBDA": address, **SETTINGS}.items():
            monkeypatch.setenv(name, value)
        lambda_handler({"time": "2026-11-02T15:20:00Z"}, None)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["level"], line["message"]) == ("WARNING", "drift")
    assert "train and export the models again" in line["reason"]
