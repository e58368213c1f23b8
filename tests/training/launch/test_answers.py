"""With every kind of broken AWS response, the instance is terminated, or the command to do so is printed."""

import re
import time
from collections.abc import Callable
from threading import Timer

import pytest

from tests.training.launch.conftest import Launch
from tests.training.launch.line import CutError, Refusal, line_to
from tests.training.launch.test_interrupted import CHECKS, ENDING, UPLOADS, WATCHING, interrupt

pytestmark = pytest.mark.integration

HTML = "text/html"
BROKEN = {
    "a sign-in page": Refusal(200, b"<html><head><br></head>Sign in &nbsp; please", HTML),
    "a sign-in page that is XML": Refusal(200, b"<html><body>Sign in</body></html>", HTML),
    "nothing": Refusal(200, b""),
    "half an answer": Refusal(200, b"<?xml version='1.0'?><RunInstancesResponse><instancesSet><item><inst"),
    "a list in JSON": Refusal(200, b"[1]", "application/json"),
    "a refusal without an error": Refusal(403, b"<html><body>Forbidden</body></html>", HTML),
    "a refusal with no errors in it": Refusal(403, b"<Response><Errors/></Response>"),
    "a failing gateway": Refusal(502, b"<html>Bad gateway<br></html>", HTML),
}
EMPTY_LIST = Refusal(
    200, b"<DescribeInstancesResponse><requestId>1</requestId><reservationSet/></DescribeInstancesResponse>"
)
EVERYTHING = "everything"


def at_stage(stage: str, act: Callable[[str], Refusal | None]) -> Callable[[str], Refusal | None]:
    """Call `act` at requests of one stage, or at all requests after the start of an instance."""
    started: list[str] = []

    def at(found: str) -> Refusal | None:
        started.extend([found] if found.startswith("RunInstances?") else [])
        return act(found) if found.partition("?")[0] == stage or (stage == EVERYTHING and started) else None

    return at


def end_soon(launch: Launch) -> None:
    """Interrupt the launcher after it has watched briefly. The instance does not terminate by itself."""
    launch.machines.boots = False

    def at(stage: str) -> None:
        if stage == "PUT heartbeat" and launch.line.stages.count(stage) == 3:
            interrupt()

    launch.line.before = at  # type: ignore[assignment]


def is_told(launch: Launch, err: str) -> bool:
    """Return whether the output has the command that terminates the remaining instances."""
    job = launch.machines.instances()[0]["Tags"]
    name = next(tag["Value"] for tag in job if tag["Key"] == "ludwig-serverless:job")
    by_id = [
        f"aws ec2 terminate-instances --region eu-west-1 --instance-ids {each}" for each in launch.machines.alive()
    ]
    by_job = f"ludwig-serverless launch stop {name} --region eu-west-1"
    return all(each in err for each in by_id) or by_job in err


def in_turn(stages: list[str]) -> list[tuple[str, str]]:
    """Pair each stage with one kind of broken answer, and use all kinds in turn."""
    return [(stage, list(BROKEN)[number % len(BROKEN)]) for number, stage in enumerate(stages)]


DECISIVE = ["RunInstances", "DescribeInstances", "TerminateInstances", EVERYTHING]


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        *((stage, kind) for stage in DECISIVE[1:] for kind in BROKEN),
        *in_turn(DECISIVE[:1]),  # the next test covers all kinds for it
        *in_turn([stage for stage in (*WATCHING[1:], *ENDING) if stage not in DECISIVE]),
    ],
)
def test_invalid_responses(
    stage: str, kind: str, launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    end_soon(launch)
    broken = at_stage(stage, lambda _: BROKEN[kind])
    if stage in {"TerminateInstances", EVERYTHING}:  # AWS was never asked
        wait = launch.line.before
        launch.line.before = lambda found: wait(found) or (None if found.startswith("RunInstances?") else broken(found))
    launch.line.after = broken
    assert launch.run("--lost-minutes", "0.003") in {1, 130}
    err = capsys.readouterr().err
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == [] or ("IT IS NOT CONFIRMED" in err and is_told(launch, err))
    if stage in {"TerminateInstances", EVERYTHING}:
        assert launch.machines.alive()
    else:
        assert launch.machines.alive() == []


@pytest.mark.parametrize(
    ("stage", "kind"),
    [*(("RunInstances", kind) for kind in BROKEN), *in_turn(["DescribeInstances", "TerminateInstances"])],
)
def test_one_invalid_response_is_retried(
    stage: str, kind: str, launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    end_soon(launch)
    broken = [BROKEN[kind]]
    launch.line.after = at_stage(stage, lambda _: broken.pop() if broken else None)
    assert launch.run() in {1, 130}
    assert broken == []
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == []
    assert "Terminated: i-" in capsys.readouterr().err
    assert launch.schedules.all() == []


@pytest.mark.parametrize(("stage", "kind"), in_turn([*CHECKS, *UPLOADS, "CreateSchedule"]))
def test_invalid_responses_before_the_start(
    stage: str, kind: str, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    end_soon(launch)
    launch.line.after = at_stage(stage, lambda _: BROKEN[kind])
    assert launch.run() in {1, 130}
    assert launch.machines.alive() == []


@pytest.mark.parametrize("is_listed", [True, False], ids=["listed", "not listed yet"])
def test_a_start_whose_response_is_lost(
    is_listed: bool, launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """EC2 has started an instance, but the response is lost. Repeating the request returns the id."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    lost: list[str] = []

    def at(stage: str) -> Refusal | None:
        if stage.startswith("RunInstances?") and not lost:
            lost.append(stage)
            raise CutError
        return EMPTY_LIST if stage == "DescribeInstances" and not is_listed else None

    launch.line.after = at
    assert launch.run() == 1
    (instance,) = launch.machines.instances()
    assert launch.machines.alive() == []
    err = capsys.readouterr().err
    assert "AWS cannot be reached" in err
    assert f"Terminated: {instance['InstanceId']}." in err
    assert len([stage for stage in launch.line.stages if stage.startswith("RunInstances?")]) == 2


def test_a_start_whose_response_is_always_lost(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    def at(stage: str) -> Refusal | None:
        if stage.startswith("RunInstances?"):
            raise CutError
        return EMPTY_LIST if stage == "DescribeInstances" else None

    launch.machines.boots = False
    launch.line.after = at
    assert launch.run() == 1
    assert len(launch.machines.alive()) == 1
    err = capsys.readouterr().err
    assert "IT IS NOT CONFIRMED" in err
    assert "No instance is running" not in err
    assert is_told(launch, err)
    assert launch.schedules.fire(launch.schedules.due()) == ["StartAutomationExecution"]
    assert launch.machines.alive() == []


def test_a_start_request_that_is_lost(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 never got the request, and has no capacity for the repeated one, so nothing is running."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    launch.line.refuse("RunInstances", "InsufficientInstanceCapacity", 500)
    refuse, lost = launch.line.before, list[str]()

    def at(stage: str) -> Refusal | None:
        if stage.startswith("RunInstances?") and not lost:
            lost.append(stage)
            raise CutError
        return refuse(stage)

    launch.line.before = at
    assert launch.run() == 1
    assert launch.machines.instances() == []
    assert launch.schedules.all() == []


def test_a_signal_during_the_start(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    """The request has arrived, but the launcher is interrupted before the response."""
    launch.machines.boots = False

    def at(stage: str) -> Refusal | None:
        if stage.startswith("RunInstances?") and len(launch.line.started) == 1:
            interrupt()
            time.sleep(0.5)
        return EMPTY_LIST if stage == "DescribeInstances" else None

    launch.line.after = at
    assert launch.run() == 130
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == []
    assert "Repeating it with the same client token" in capsys.readouterr().err


def test_a_port_that_is_closed_briefly(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a short outage, the launcher continues to watch. The training never stops."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    launch.machines.tell(epochs=8, seconds=0.4)
    happened: list[str] = []

    def at(stage: str) -> None:
        if stage == "PUT heartbeat" and launch.machines.trained(2) and not happened:
            happened.append(stage)
            launch.line.close()
            Timer(1.0, launch.line.open).start()

    launch.line.before = at  # type: ignore[assignment]
    assert launch.run("--lost-minutes", "1") == 0
    assert happened
    err = capsys.readouterr().err
    # A kept-alive connection may break first, before a new one is refused.
    assert re.search(r"AWS cannot be reached \((EndpointConnection|ConnectionClosed)Error", err)
    assert "Retrying. The training continues" in err
    assert "epoch 8/8" in err
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == []


@pytest.mark.parametrize(
    "stage",
    ["GET inputs/config.yaml", "PUT outputs/run/model/model_weights.safetensors", "PUT outputs/bundle/manifest.json"],
)
def test_an_outage_on_the_instance_loses_nothing(stage: str, launch: Launch) -> None:
    """The worker uploads its outputs when S3 is reachable again."""
    with line_to(launch.line.upstream) as line:
        launch.machines.worker_address = line.address
        launch.machines.worker_environ = {"AWS_MAX_ATTEMPTS": "1"}  # the worker must retry, not botocore

        def cut() -> None:
            line.dead = True
            Timer(1.0, setattr, (line, "dead", False)).start()

        line.hook(stage, cut, answered=False)
        assert launch.run("--lost-minutes", "1") == 0
        assert line.happened == [stage]
    assert (launch.output / "model" / "model_weights.safetensors").read_bytes() == b"weights" * 1000
    assert (launch.bundle / "manifest.json").is_file()
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == []


def test_an_outage_while_outputs_are_fetched(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    launch.line.hook("GET outputs/run/training.json", lambda: setattr(launch.line, "dead", True), answered=False)
    assert launch.run() == 1
    out, err = capsys.readouterr()
    assert f"download them later with `ludwig-serverless launch attach {out.strip()}`" in err
    assert launch.machines.alive() == []
