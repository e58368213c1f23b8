"""What stops a deployment: the pre-traffic check, and alarms on the real handler's log lines."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from handler import logs
from handler.auth import new_token
from handler.deferred import Deferred
from handler.hexabot import Service
from handler.messages import Request
from handler.predictor import load_predictors
from handler.routes import Routes
from handler.settings import Settings
from handler.shadow import ShadowObserver
from tests.bundles import CRASH, INTENT, LANGUAGE, Head, write_bundle
from tests.deploy.template import load
from tests.handler.deployment import deploy
from tests.hexabot_client import multipart

TEMPLATE: Any = load()
RESOURCES = TEMPLATE["Resources"]
TERM = re.compile(r'\$\.(\w+)(\[0\])? (=|>) ("[^"]*"|\d+)')
TOKEN, DIGEST = new_token()


def matches(pattern: str, line: dict[str, Any]) -> bool:
    """Return whether a log line matches a CloudWatch filter pattern (only the forms that the template uses)."""
    choices = pattern.removeprefix("{ ").removesuffix(" }").split(" || ")
    return any(all(_holds(term, line) for term in choice.split(" && ")) for choice in choices)


def _holds(term: str, line: dict[str, Any]) -> bool:
    name, first, comparison, wanted = TERM.fullmatch(term).groups()  # type: ignore[union-attr]
    found, expected = line.get(name), json.loads(wanted)
    if first:
        found = found[0] if found else None
    if found is None:
        return False
    return bool(found > expected) if comparison == ">" else expected in (found, "*")


def counted(lines: list[dict[str, Any]], name: str) -> list[dict[str, str]]:
    """Return the dimensions of each data point that a metric filter extracts from a log."""
    (metric,) = RESOURCES[name]["Properties"]["MetricTransformations"]
    dimensions = metric.get("Dimensions", [])
    return [
        {each["Key"]: line[each["Value"].removeprefix("$.")] for each in dimensions}
        for line in lines
        if matches(RESOURCES[name]["Properties"]["FilterPattern"], line)
    ]


FILTERS = ("FailedRequestsFilter", "UnauthorizedFilter", "VersionFailedModelsFilter", "FailedModelsFilter")
V7 = {"Version": "7"}


@pytest.mark.parametrize("level", TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"])
@pytest.mark.parametrize(
    ("text", "token", "broken", "status", "points"),
    [
        ("fly", TOKEN, False, 200, [[], [], [], []]),
        ("fly", "wrong", False, 401, [[], [V7], [], []]),
        (f"fly {CRASH}", TOKEN, False, 200, [[], [], [V7], [{}]]),
        ("fly", TOKEN, True, 500, [[V7], [], [], []]),
    ],
    ids=["right", "wrong token", "failed model", "failed request"],
)
def test_the_filters_count_what_the_handler_logs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    level: str,
    text: str,
    token: str,
    broken: bool,
    status: int,
    points: list[list[dict[str, str]]],
) -> None:
    for head in (LANGUAGE, INTENT):
        write_bundle(tmp_path / head.name, head, breaking=head is INTENT)
    environ = {"NLU_TOKEN_DIGESTS": DIGEST, "NLU_LOG_LEVEL": level, "AWS_LAMBDA_FUNCTION_VERSION": "7"}
    send = deploy(tmp_path, NLU_OPEN="", **environ)
    if broken:
        monkeypatch.delattr(Service, "predict")
    content_type, body = multipart({"text": text})
    answer = send("POST", "/predict", body, query=f"token={token}", headers={"content-type": content_type})
    assert answer.status == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [counted(lines, name) for name in FILTERS] == points


def test_the_filters_count_what_shadows_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("WARNING")
    other = Head(name="intent", kind="category", words={"fly": "book_flight", "hotel": "book_flight"})
    live = load_predictors([write_bundle(tmp_path / "live", INTENT)])
    write_bundle(tmp_path / "shadow", other, breaking=True)
    settings = Settings(bundles=(), open=True, shadow_sample=1.0, shadows=(str(tmp_path / "shadow"), "/nowhere"))
    deferred = Deferred()
    routes = Routes(Service(live, settings), settings, [ShadowObserver(live, settings, deferred)])
    for text in ("fly", "hotel", f"fly {CRASH}"):
        body = json.dumps({"text": text}).encode()
        routes.answer(Request("id", "POST", "/predict", [], {"content-type": "application/json"}, body))
    deferred.answered()
    deferred.run_after_invocation()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for name in ("ShadowAgreements", "ShadowDisagreements"):
        assert counted(lines, f"{name}Filter") == [{"Model": "intent"}]
        (metric,) = RESOURCES[f"{name}Filter"]["Properties"]["MetricTransformations"]
        assert metric["MetricValue"] == f"$.{name.removeprefix('Shadow').lower()}"
    assert counted(lines, "ShadowFailuresFilter") == [{}, {}]  # the location without bundles, and the crash


def metrics(alarm: Any) -> list[Any]:
    """Return the metrics that an alarm reads: its own, or those of its expression."""
    if "Metrics" not in alarm:
        return [alarm]
    return [metric["MetricStat"]["Metric"] for metric in alarm["Metrics"] if "MetricStat" in metric]


def test_a_deployment_is_checked_and_watched() -> None:
    preference = RESOURCES["Function"]["Properties"]["DeploymentPreference"]
    assert preference["Hooks"] == {"PreTraffic": {"Ref": "PreTrafficCheck"}}
    watched = [alarm["Ref"] for alarm in preference["Alarms"]]
    assert watched == [name for name in RESOURCES if name.startswith("NewVersion")]
    for alarm in watched:
        for metric in metrics(RESOURCES[alarm]["Properties"]):
            assert {"Fn::GetAtt": "Function.Version.Version"} in [each["Value"] for each in metric["Dimensions"]]
    hook = RESOURCES["PreTrafficCheck"]["Properties"]
    assert hook["FunctionName"]["Fn::Sub"].startswith("CodeDeployHook_")
    assert hook["DeploymentPreference"] == {"Enabled": False}


def test_every_metric_of_a_log_is_read_by_an_alarm_that_exists_only_with_its_dimensions() -> None:
    made = {}
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            (metric,) = resource["Properties"]["MetricTransformations"]
            assert metric["MetricNamespace"] == {"Ref": "AWS::StackName"}
            made[metric["MetricName"]] = {each["Key"] for each in metric.get("Dimensions", [])}
    alarms = [item["Properties"] for item in RESOURCES.values() if item["Type"] == "AWS::CloudWatch::Alarm"]
    read = {
        metric["MetricName"]: {each["Name"] for each in metric.get("Dimensions", [])}
        for alarm in alarms
        for metric in metrics(alarm)
        if metric["Namespace"] == {"Ref": "AWS::StackName"}
    }
    on_the_dashboard = {"ColdStart", "ShadowAgreements", "ShadowDisagreements"}
    published = {"Drift": set()}  # by deploy/drift.py
    assert read == {name: keys for name, keys in made.items() if name not in on_the_dashboard} | published


@pytest.mark.parametrize(
    ("alarm", "bad", "everything", "rings"),
    [
        ("NewVersionUnauthorized", 10, 10, True),
        ("NewVersionUnauthorized", 1, 1, True),
        ("NewVersionUnauthorized", 4, 10, False),
        ("NewVersionFailedModels", 10, 10, True),
        ("NewVersionFailedModels", 1, 10, True),
        ("NewVersionFailedModels", 1, 100, False),
        ("ApiClientErrors", 60, 100, True),
        ("ApiClientErrors", 3, 100, False),
    ],
)
def test_thresholds_of_the_alarms(alarm: str, bad: int, everything: int, rings: bool) -> None:
    properties = RESOURCES[alarm]["Properties"]
    (expression,) = (metric["Expression"] for metric in properties["Metrics"] if "Expression" in metric)
    one, other = re.fullmatch(r"100 \* (\w+) / (\w+)", expression).groups()  # type: ignore[union-attr]
    found = {one: bad, other: everything}
    ids = [metric["Id"] for metric in properties["Metrics"] if "MetricStat" in metric]
    assert sorted(found) == sorted(ids) == ["all", "bad"]
    assert (100 * found["bad"] / found["all"] >= properties["Threshold"]) is rings
    assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_an_alarm_watches_4xx() -> None:
    alarm = RESOURCES["ApiClientErrors"]["Properties"]
    assert [metric["MetricName"] for metric in metrics(alarm)] == ["4xx", "Count"]
    assert {"Fn::If": ["SendsMail", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]} in alarm["AlarmActions"]
