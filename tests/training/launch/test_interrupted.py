"""A launch is interrupted at every stage, in every way, and no instance survives."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT
from tests.training.launch.conftest import BUCKET, Launch
from tests.training.launch.line import CutError, Refusal
from training.__main__ import main

pytestmark = pytest.mark.integration

CHECKS = [
    "HEAD bucket",
    "GetCallerIdentity",
    "DescribeInstanceTypes",
    "GetParameter",
    "DescribeImages",
    "DescribeInstanceTypeOfferings",
    "DescribeSubnets",
    "DescribeSpotPriceHistory",
    "DescribeSecurityGroups",
    "RunInstances, dry",
]
UPLOADS = ["PUT inputs/config.yaml", "PUT inputs/dataset.csv", "PUT job.json", "PUT status.json", "GET log.txt"]
WATCHING = ["CreateSchedule", "RunInstances", "UpdateSchedule", "PUT heartbeat", "GET status.json", "DescribeInstances"]
ENDING = ["TerminateInstances", "DescribeSpotInstanceRequests", "DeleteSchedule"]
FETCHING = [
    "GET outputs.json",
    *(
        f"{method} outputs/{name}"
        for name in (
            "run/evaluation/report.html",
            "run/model/model_weights.safetensors",
            "run/training.json",
            "bundle/manifest.json",
        )
        for method in ("HEAD", "GET")
    ),
]
STAGES = [*CHECKS, *UPLOADS, *WATCHING, *ENDING, *FETCHING]
FETCHES = [FETCHING[0], "GET outputs/run/training.json", "HEAD outputs/bundle/manifest.json"]
"""Where a download is interrupted: at its first request, in the middle of the run, and between run and bundle."""
END_SECONDS = 120


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def status(s3: Any) -> str:
    """Return the state of the only job in the bucket."""
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
    key = next((each for each in keys if each.endswith("status.json")), None)
    return str(json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())["state"]) if key else ""


def during(launch: Launch, s3: Any, state: str, act: Callable[[], None]) -> list[str]:
    """Call `act` once when the job is in a state. Returns a list that then holds the state."""
    happened: list[str] = []

    def at(stage: str) -> None:
        if stage == "PUT heartbeat" and not happened and status(s3) == state:
            happened.append(state)
            act()

    launch.line.before = at  # type: ignore[assignment]
    return happened


def wait_until(is_so: Callable[[], bool], seconds: float = END_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started(launch: Launch, *more: str) -> "subprocess.Popen[str]":
    """Start the command as a separate process."""
    command = [sys.executable, "-m", "training", *launch.arguments(*more)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_stages_is_complete(launch: Launch) -> None:
    assert launch.run() == 0
    assert {stage.partition("?")[0] for stage in launch.line.stages} == set(STAGES)
    assert launch.machines.alive() == []


@pytest.mark.parametrize(
    ("stage", "answered"),
    [
        *((stage, answered) for stage in (*UPLOADS, *WATCHING, *ENDING) for answered in (False, True)),
        # Read-only requests: an interruption before or after the answer takes the same path.
        *((stage, number % 2 == 1) for number, stage in enumerate([*CHECKS, *FETCHES])),
    ],
    ids=lambda given: given if isinstance(given, str) else {False: "before", True: "after"}[given],
)
def test_ctrl_c_at_every_stage(stage: str, answered: bool, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=1)
    launch.line.hook(stage, interrupt, answered=answered)
    assert launch.run() == 130
    assert launch.line.happened
    assert launch.machines.alive() == []
    assert launch.schedules.all() == []
    out, err = capsys.readouterr()
    assert ("launch resume s3://" in err) == (stage in (*UPLOADS[3:], *WATCHING, *ENDING))
    if stage in FETCHES:
        address = out.strip()
        targets = ["--output", str(launch.output), "--bundle", str(launch.bundle)]
        assert main(["launch", "attach", address, *targets]) == 0
        assert (launch.output / "training.json").is_file()


@pytest.mark.parametrize("state", ["training", "exporting"])
def test_ctrl_c_while_the_instance_works(state: str, launch: Launch, s3: Any) -> None:
    launch.machines.tell(epochs=2, seconds=0.5, export_seconds=3)
    happened = during(launch, s3, state, interrupt)
    assert launch.run() == 130
    assert happened
    assert launch.machines.alive() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("stage", ["RunInstances", "PUT heartbeat"])
def test_a_signal_stops_the_program_and_terminates_the_instance(stage: str, number: int, launch: Launch) -> None:
    launch.machines.tell(epochs=100, seconds=1)
    programs: list[subprocess.Popen[str]] = []
    launch.line.hook(stage, lambda: programs[0].send_signal(number), answered=True)
    programs.append(started(launch))
    programs[0].communicate(timeout=60)
    assert programs[0].returncode == 130
    assert len(launch.machines.instances()) == 1
    assert launch.machines.alive() == []


def test_a_second_ctrl_c_does_not_stop_the_cleanup(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=100, seconds=1)

    def at(stage: str) -> None:
        if stage == "TerminateInstances" or (stage == "PUT heartbeat" and launch.line.stages.count(stage) == 1):
            interrupt()

    launch.line.before = at  # type: ignore[assignment]
    assert launch.run() == 130
    assert "Still terminating the instance" in capsys.readouterr().err
    assert launch.machines.alive() == []


def test_the_instance_of_a_killed_launcher_terminates_itself(launch: Launch, s3: Any) -> None:
    launch.machines.tell(epochs=100, seconds=0.2)
    program = started(launch, "--lost-minutes", "0.05")
    wait_until(lambda: status(s3) == "training")
    program.kill()
    program.communicate()
    assert launch.machines.alive()
    wait_until(lambda: not launch.machines.alive())
    assert status(s3) == "abandoned"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert [key for key in keys if "/workspace/checkpoint-" in key]


def test_a_connection_that_stays_lost(launch: Launch, monkeypatch: pytest.MonkeyPatch, s3: Any, capsys: Any) -> None:
    """The launcher cannot terminate the instance and says how to. The instance terminates itself."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    launch.machines.tell(epochs=100, seconds=0.2)
    during(launch, s3, "training", lambda: setattr(launch.line, "dead", True))
    assert launch.run("--lost-minutes", "0.03") == 1
    err = capsys.readouterr().err
    (instance,) = [each["InstanceId"] for each in launch.machines.instances()]
    assert f"aws ec2 terminate-instances --region eu-west-1 --instance-ids {instance}" in err
    wait_until(lambda: not launch.machines.alive())


def test_a_connection_that_is_lost_briefly(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, s3: Any, capsys: Any
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    launch.machines.tell(epochs=3, seconds=0.3)
    broken: list[str] = []

    def at(stage: str) -> None:
        if "RunInstances" in "".join(launch.line.stages) and stage == "GET status.json" and len(broken) < 3:
            broken.append(stage)
            raise CutError

    launch.line.before = at  # type: ignore[assignment]
    assert launch.run() == 0
    assert "Retrying. The training continues" in capsys.readouterr().err
    assert launch.machines.alive() == []


@pytest.mark.parametrize(("code", "http"), [("RequestLimitExceeded", 503), ("InternalError", 500)])
def test_a_refused_termination_is_retried(code: str, http: int, launch: Launch) -> None:
    refused: list[str] = []
    launch.line.refuse("TerminateInstances", code, http)
    refuse = launch.line.before

    def at(stage: str) -> Refusal | None:
        found = refuse(stage) if len(refused) < 5 else None
        refused.extend([stage] if found else [])
        return found

    launch.line.before = at
    assert launch.run() == 0
    assert len(refused) == 5
    assert launch.machines.alive() == []


def test_a_termination_that_is_always_refused_is_reported(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=100, seconds=1)
    launch.line.refuse("TerminateInstances", "UnauthorizedOperation", 403)
    refuse = launch.line.before

    def at(stage: str) -> Refusal | None:
        if stage == "PUT heartbeat" and launch.line.stages.count(stage) == 3:
            interrupt()
        return refuse(stage)

    launch.line.before = at
    assert launch.run() == 1
    (instance,) = launch.machines.alive()
    err = capsys.readouterr().err
    assert "IT IS NOT CONFIRMED" in err
    assert f"aws ec2 terminate-instances --region eu-west-1 --instance-ids {instance}" in err
    launch.line.before = lambda stage: None
    assert main(["launch", "stop", "--all", "--region", "eu-west-1"]) == 0
    assert launch.machines.alive() == []


def test_a_closed_output_pipe_terminates_the_instance(launch: Launch) -> None:
    """As in `launch run ... 2>&1 | head -1`."""
    launch.machines.tell(epochs=100, seconds=0.1)
    command = [sys.executable, "-m", "training", *launch.arguments()]
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert program.stdout is not None
    program.stdout.readline()
    program.stdout.close()
    assert program.wait(60) != 0
    assert launch.machines.alive() == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("pull_fails", "ended without a final status"),
        ("fit_fails", "The training failed"),
        ("export_fails", "could not be exported"),
    ],
)
def test_a_job_that_fails(fault: str, said: str, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(**{fault: True})
    assert launch.run() == 1
    assert said in (err := capsys.readouterr().err)
    assert "launch resume s3://" in err
    assert (launch.output / "training.json").is_file() == (fault == "export_fails")
    assert not launch.bundle.exists()
    assert launch.machines.alive() == []


def test_a_full_local_disk(launch: Launch, tmp_path: Path) -> None:
    """The outputs stay in S3."""
    launch.line.hook("GET outputs.json", lambda: (tmp_path / "runs").write_text("no folder"), answered=True)
    with pytest.raises(OSError, match="runs"):
        launch.run()
    assert launch.machines.alive() == []
