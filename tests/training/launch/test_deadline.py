"""The deadlines that terminate an instance if the launcher cannot: AWS's schedule and the instance's own service."""

from datetime import timedelta
from typing import Any

import pytest

from tests.training.launch.conftest import Launch
from tests.training.launch.test_interrupted import started, status, wait_until
from tests.training.launch.test_run import address, only
from training.__main__ import main

pytestmark = pytest.mark.integration


def leave_alone(launch: Launch, stage: str) -> None:
    """Start a job, and kill its launcher after AWS has answered a request."""
    programs: list[Any] = []
    launch.line.hook(stage, lambda: programs[0].kill(), answered=True)
    programs.append(started(launch))
    programs[0].communicate(timeout=60)


@pytest.mark.parametrize(
    ("stage", "called"),
    [("RunInstances", "StartAutomationExecution"), ("PUT heartbeat", "TerminateInstances")],
    ids=["before its id is known", "while it is watched"],
)
def test_an_instance_that_runs_nothing_is_terminated_by_aws(stage: str, called: str, launch: Launch) -> None:
    """Neither the launcher nor the user data terminates it: the launcher is killed, and the user data never runs."""
    launch.machines.boots = False
    leave_alone(launch, stage)
    due = launch.schedules.due()
    assert launch.schedules.fire(due - timedelta(minutes=2)) == []
    assert launch.machines.alive() == [only(launch)["InstanceId"]]
    assert launch.schedules.fire(due) == [called]
    assert launch.machines.alive() == []
    assert launch.schedules.all() == []


def test_the_schedule_fires_at_the_limits(launch: Launch) -> None:
    assert launch.run("--detach", *launch.caps(hours="1")) == 0
    tags = {tag["Key"]: tag["Value"] for tag in only(launch)["Tags"]}
    (schedule,) = launch.schedules.all()
    assert schedule["ScheduleExpression"] == f"at({tags['ludwig-serverless:until'][:-1]})"
    assert schedule["Target"]["Input"] == f'{{"InstanceIds": ["{only(launch)["InstanceId"]}"]}}'
    assert main(["launch", "stop", "--all", "--region", "eu-west-1"]) == 0
    assert launch.machines.alive() == []
    assert launch.schedules.all() == []


def test_nothing_starts_without_a_schedule(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    said = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    launch.line.refuse_json("CreateSchedule", "ValidationException", said)
    assert launch.run() == 1
    assert launch.machines.instances() == []
    err = capsys.readouterr().err
    assert "Cannot set the deadline of " in err
    assert "Run `ludwig-serverless launch setup` again" in err


def test_a_schedule_that_cannot_name_the_instance_finds_it_by_its_tag(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.line.refuse_json("UpdateSchedule", "AccessDeniedException", "Said by the test.", 403)
    assert launch.run("--detach") == 0
    assert "The deadline stays set for every instance with the job's tag" in capsys.readouterr().err
    assert launch.schedules.fire(launch.schedules.due()) == ["StartAutomationExecution"]
    assert launch.machines.alive() == []


def test_a_leftover_schedule_is_replaced(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its deletion failed, and the next instance of the job needs a later deadline."""
    launch.machines.tell(fit_fails=True)
    launch.line.refuse_json("DeleteSchedule", "AccessDeniedException", "Said by the test.", 403)
    assert launch.run() == 1
    place = address(capsys)
    assert len(launch.schedules.all()) == 1
    launch.line.before = lambda stage: None
    launch.machines.tell()
    targets = ["--output", str(launch.output.parent / "again"), "--bundle", str(launch.bundle)]
    assert main(["launch", "resume", place, *launch.caps(), *targets]) == 0
    assert launch.schedules.all() == []


def test_a_reboot_terminates_the_instance(launch: Launch, s3: Any) -> None:
    """No training survives a reboot, and user data runs only once."""
    launch.machines.tell(epochs=100, seconds=0.2)
    leave_alone_when_training(launch, s3)
    (instance,) = launch.machines.alive()
    launch.machines.reboot(instance)
    wait_until(lambda: not launch.machines.alive())
    assert launch.machines.heard("systemctl")[-1] == "poweroff --force --force"


def test_the_instance_powers_off_at_its_deadline(launch: Launch, s3: Any) -> None:
    launch.machines.tell(epochs=100, seconds=0.2)
    leave_alone_when_training(launch, s3)
    launch.machines.advance(117 * 60)  # of 120 minutes, less 2
    with pytest.raises(AssertionError):
        wait_until(lambda: not launch.machines.alive(), seconds=2)
    launch.machines.advance(119 * 60)
    wait_until(lambda: not launch.machines.alive())
    assert launch.machines.heard("systemctl")[-1] == "poweroff --force --force"


def leave_alone_when_training(launch: Launch, s3: Any) -> None:
    program = started(launch)
    wait_until(lambda: status(s3) == "training")
    program.kill()
    program.communicate()
