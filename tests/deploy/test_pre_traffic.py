"""The pre-traffic check, with boto3 over HTTP and an imitation of Lambda and CodeDeploy."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.pre_traffic import GOLDEN_CHECK, HEALTH_REQUEST, SHADOW_CHECK, lambda_handler
from scripts.ask_emulator import free_port
from tests.deploy.cloud import Cloud, running_cloud
from tests.handler.deployment import LambdaContext
from tests.handler.deployment import lambda_handler as import_handler

VERSION = "arn:aws:lambda:eu-west-1:123456789012:function:nlu:7"
LIVE = "arn:aws:lambda:eu-west-1:123456789012:function:nlu:live"
INTENT, LANGUAGE, DEMO = "a" * 64, "b" * 64, "d" * 64
MODELS = {"intent": INTENT, "language": LANGUAGE}
HOOK_EVENT = {"DeploymentId": "d-1234", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0"}
HEALTHY = {"statusCode": 200, "body": "{}"}
CHANGED = {"model": "intent", "row": "row 3", "column": "intent_predictions", "expected": "greet", "found": "deny"}
NO_SHADOWS: Any = {"models": {}, "problems": []}

Version = Callable[[str, Any], tuple[Any, str]]


def golden(models: Any = MODELS, checked: int = 40, changed: Any = (), unproven: Any = ()) -> dict[str, Any]:
    """Return a version's response to the golden check."""
    return {"checked": checked, "changed": list(changed), "unproven": list(unproven), "models": models}


def version(
    answer: Any, health: Any = HEALTHY, error: str = "", live: Any = None, shadows: Any = NO_SHADOWS
) -> Version:
    """Return a version that answers each check as told; live: what the former version answers."""

    def invoked(name: str, event: Any) -> tuple[Any, str]:
        if name == LIVE:
            return golden() if live is None else live, ""
        if event == SHADOW_CHECK:
            return shadows, "" if "models" in shadows else "Unhandled"
        return (answer, error) if event == GOLDEN_CHECK else (health, "")

    return invoked


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "NEW_VERSION": VERSION,
        "LIVE_VERSION": LIVE,
        "EXPECTED_MODELS": "",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


def run_check(monkeypatch: pytest.MonkeyPatch, answer: Version) -> Cloud:
    with running_cloud(answer) as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        lambda_handler(HOOK_EVENT, LambdaContext())
    return cloud


def test_a_version_with_ludwigs_answers_takes_traffic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = run_check(monkeypatch, version(golden()))
    assert cloud.statuses == [
        {"deploymentId": "d-1234", "lifecycleEventHookExecutionId": "eyJlbmNyeXB0", "status": "Succeeded"}
    ]
    assert [name for name, _ in cloud.invoked] == [VERSION, VERSION, LIVE, VERSION]
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["status"], line["checked"]) == ("INFO", "Succeeded", 40)


def test_bundles_without_golden_rows_pass_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = run_check(monkeypatch, version(golden(checked=0)))
    assert cloud.statuses[0]["status"] == "Succeeded"
    line = json.loads(capsys.readouterr().out)
    assert line["level"] == "WARNING"
    assert "export them again" in line["reason"]


@pytest.mark.parametrize(
    ("shadows", "level", "listed", "reason"),
    [
        ({"models": {"intent": "e" * 64}, "problems": []}, "INFO", ["intent@eeeeeeeeeeee"], None),
        (
            {"models": {}, "problems": ["bundles/shadow/slots is no bundle."]},
            "WARNING",
            [],
            "bundles/shadow/slots is no",
        ),
        ({"errorType": "Sandbox.Timedout"}, "WARNING", [], "The version failed on the check of its shadows (Unhandled"),
        ({"models": None, "no": "answer"}, "WARNING", [], "The shadow bundles could not be checked (AttributeError)"),
    ],
    ids=["usable", "unusable", "too slow", "other answer"],
)
def test_shadow_bundles_are_listed_and_stop_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shadows: Any,
    level: str,
    listed: list[str],
    reason: str | None,
) -> None:
    cloud = run_check(monkeypatch, version(golden(), shadows=shadows))
    assert [report["status"] for report in cloud.statuses] == ["Succeeded"]
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["shadows"]) == (level, listed)
    assert line["reason"] is None if reason is None else reason in line["reason"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (version(golden(changed=[CHANGED])), "1 labels differ from Ludwig's, the first are intent row 3"),
        (version(golden(unproven=["intent"])), "The proof of intent failed when the bundle"),
        (version({"errorType": "Sandbox.Timedout"}, error="Unhandled"), "golden check (Unhandled: Sandbox.Timedout)"),
        (version(golden(), health={"statusCode": 503}), "GET / returned 503 instead of 200"),
        (version({"statusCode": 500}), "does not support the golden check"),
        (version(["no", "object"]), "is not a JSON object"),
    ],
    ids=["changed label", "failed proof", "function error", "unhealthy", "other handler", "other answer"],
)
def test_a_version_with_different_answers_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Version, reason: str
) -> None:
    cloud = run_check(monkeypatch, answer)
    assert [report["status"] for report in cloud.statuses] == ["Failed"]
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["version"]) == ("ERROR", VERSION)
    assert reason in line["reason"]


def test_the_log_does_not_quote_the_functions_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"errorType": "ValueError", "errorMessage": "cannot read 'my name is Ada'"}
    run_check(monkeypatch, version(failure, error="Unhandled"))
    assert "Ada" not in capsys.readouterr().out


def test_a_version_that_cannot_be_reached_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{free_port()}")
    cloud = run_check(monkeypatch, version({}))
    assert [report["status"] for report in cloud.statuses] == ["Failed"]
    assert "EndpointConnectionError" in json.loads(capsys.readouterr().out)["reason"]


@pytest.mark.parametrize(
    ("found", "live", "expected", "reason"),
    [
        (
            {"intent": DEMO, "language": LANGUAGE},
            golden(),
            "",
            "has a different intent (dddddddddddd, not aaaaaaaaaaaa)",
        ),
        (
            {"intent": INTENT},
            golden(),
            "",
            "Compared with the version that takes traffic now, the new version lacks l",
        ),
        ({**MODELS, "slots": DEMO}, golden(), "", "the new version adds slots. If you changed the models on purpose"),
        (MODELS, golden(), f"intent@{DEMO[:12]},language", "Compared with the models that ExpectedModels names"),
        (MODELS, golden(), "intent", "the new version adds language"),
        (
            MODELS,
            {"checked": 3, "changed": []},
            "",
            "The version that takes traffic now does not report its models. If",
        ),
        (
            MODELS,
            ["no", "object"],
            "",
            "Cannot read the models of the version that takes traffic now: The version",
        ),
    ],
    ids=["swapped", "dropped", "added", "another than expected", "more than expected", "older handler", "broken"],
)
def test_unexpected_models_are_stopped(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: dict[str, str],
    live: Any,
    expected: str,
    reason: str,
) -> None:
    monkeypatch.setenv("EXPECTED_MODELS", expected)
    cloud = run_check(monkeypatch, version(golden(found), live=live))
    assert [report["status"] for report in cloud.statuses] == ["Failed"]
    told = json.loads(capsys.readouterr().out)["reason"]
    assert reason in told
    # What the message advises is what lets the release pass.
    advised = re.findall(r"--parameter-overrides ExpectedModels=([^`]+)`", told)
    assert advised == [",".join(f"{name}@{seal[:12]}" for name, seal in sorted(found.items()))]
    monkeypatch.setenv("EXPECTED_MODELS", advised[0])
    cloud = run_check(monkeypatch, version(golden(found), live=live))
    assert [report["status"] for report in cloud.statuses] == ["Succeeded"]


@pytest.mark.parametrize(
    "expected", [f"intent@{INTENT},language@{LANGUAGE[:12]}", "intent,language", "language, intent"]
)
def test_expected_models_pass_regardless_of_the_live_version(monkeypatch: pytest.MonkeyPatch, expected: str) -> None:
    monkeypatch.setenv("EXPECTED_MODELS", expected)
    cloud = run_check(monkeypatch, version(golden(), live=["broken"]))
    assert [report["status"] for report in cloud.statuses] == ["Succeeded"]
    assert LIVE not in {name for name, _ in cloud.invoked}


def test_the_real_handler_answers_what_the_check_asks(monkeypatch: pytest.MonkeyPatch, bundles: Path) -> None:
    handler = import_handler(bundles)
    checks = (GOLDEN_CHECK, HEALTH_REQUEST, SHADOW_CHECK)
    answer, health, shadows = (handler(event, LambdaContext()) for event in checks)
    assert sorted(answer["models"]) == ["intent", "language", "slots"]
    cloud = run_check(monkeypatch, version(answer, health, live=answer, shadows=shadows))
    assert [report["status"] for report in cloud.statuses] == ["Succeeded"]
    assert len(cloud.invoked) == 4
