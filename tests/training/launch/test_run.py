"""A launch from its command to its bundle."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import yaml

from tests.training.launch.conftest import BUCKET, CONFIG, TYPE, Launch
from tests.training.launch.test_interrupted import interrupt, status
from training.__main__ import main

pytestmark = pytest.mark.integration


def only(launch: Launch) -> dict[str, Any]:
    (instance,) = launch.machines.instances()
    return instance


def address(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[0]


def test_a_training_is_launched_watched_and_downloaded(
    launch: Launch, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.machines.tell(epochs=3)
    assert launch.run("--", "--epochs", "3", "--seed", "7") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"s3://{BUCKET}/ludwig-serverless/jobs/")
    assert [f"epoch {epoch}/3" in err for epoch in (1, 2, 3)] == [True] * 3
    assert "$0.0" in err
    assert (launch.output / "model" / "model_weights.safetensors").read_bytes() == b"weights" * 1000
    assert (launch.output / "evaluation" / "report.html").is_file()
    assert (launch.bundle / "manifest.json").is_file()
    (fit,) = [call for call in launch.machines.heard("python3") if "fit" in call]
    assert fit.endswith("runs/intent --epochs 3 --seed 7")
    key = out.strip().removeprefix(f"s3://{BUCKET}/")
    sent = s3.get_object(Bucket=BUCKET, Key=f"{key}/inputs/config.yaml")["Body"].read()
    assert yaml.safe_load(sent) == yaml.safe_load(CONFIG)


def test_the_instance_is_locked_down(launch: Launch) -> None:
    assert launch.run() == 0
    found, ec2 = only(launch), launch.machines.ec2
    assert found["InstanceLifecycle"] == "spot"
    assert found["InstanceType"] == TYPE
    metadata = found["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 2)
    assert "KeyName" not in found
    (group,) = ec2.describe_security_groups(GroupIds=[each["GroupId"] for each in found["SecurityGroups"]])[
        "SecurityGroups"
    ]
    assert group["IpPermissions"] == []
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["ludwig-serverless:place"].endswith(f"/jobs/{tags['ludwig-serverless:job']}")
    assert datetime.fromisoformat(tags["ludwig-serverless:until"]) > datetime.now(UTC)


def test_the_disk_is_encrypted_and_the_profile_is_attached(launch: Launch) -> None:
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []
    launch.machines.tell(epochs=100, seconds=1)
    ec2 = launch.machines.ec2

    def look() -> None:
        (volume,) = [each for each in ec2.describe_volumes()["Volumes"] if each["Attachments"] and each["Tags"]]
        (profile,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        seen.append((volume, profile))
        interrupt()

    launch.line.hook("PUT heartbeat", look, answered=True)
    assert launch.run() == 130
    ((volume, profile),) = seen
    assert volume["Encrypted"]
    assert volume["VolumeType"] == "gp3"
    assert "ludwig-serverless:job" in {tag["Key"] for tag in volume["Tags"]}
    assert profile["IamInstanceProfile"]["Arn"].endswith(":instance-profile/ludwig-serverless-launch")
    assert volume["VolumeId"] not in {each["VolumeId"] for each in ec2.describe_volumes()["Volumes"]}


def test_the_timers_are_set_before_anything_else(launch: Launch) -> None:
    assert launch.run(*launch.caps(hours="1")) == 0
    calls = sorted((launch.machines.folder / only(launch)["InstanceId"] / "called").iterdir())
    assert [call.read_text().strip() for call in calls[:4]] == [
        "daemon-reload",
        "enable --now ludwig-serverless-deadline.service",
        "-h +55",  # 60 minutes, less 5 to boot and to shut down
        "pull --quiet registry.test/ludwig-training:1",
    ]


@pytest.mark.parametrize(
    ("hours", "dollars", "minutes"), [("3", "100", 175), ("100", "2", 112)], ids=["hours", "dollars"]
)
def test_the_lower_limit_sets_the_timer(hours: str, dollars: str, minutes: int, launch: Launch) -> None:
    """At $1 an hour plus a few cents for disk and IP address, $2 last slightly less than two hours."""
    more = ["--on-demand", "--price-per-hour", "1", *launch.caps(hours, dollars)]
    assert launch.run(*more) == 0
    assert launch.machines.heard("shutdown")[0] == f"-h +{minutes}"
    assert "InstanceLifecycle" not in only(launch)


def test_a_private_image_needs_a_login(launch: Launch) -> None:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ludwig-training:1"
    assert launch.run("--image", image) == 0
    assert launch.machines.heard("aws") == ["ecr get-login-password --region eu-west-1"]
    assert launch.machines.heard("docker")[0].startswith("login --username AWS --password-stdin 123456789012.dkr.ecr.")


def test_a_reclaimed_spot_instance_is_replaced(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=12, seconds=0.3)
    starts: list[str] = []

    def at(stage: str) -> None:
        starts.extend([stage] if stage.startswith("RunInstances?") else [])
        launch.machines.notice = len(starts) == 1 and launch.machines.trained(2)

    launch.line.before = at  # type: ignore[assignment]
    assert launch.run() == 0
    err = capsys.readouterr().err
    assert "EC2 is reclaiming the spot instance" in err
    assert "Resuming from epoch" in err
    assert err.count("epoch 1/12") == 1
    assert len(launch.machines.instances()) == 2
    assert launch.machines.alive() == []
    assert (launch.bundle / "manifest.json").is_file()


def test_a_job_is_resumed_with_a_command(launch: Launch, s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=12, seconds=0.3)

    def at(stage: str) -> None:
        launch.machines.notice = launch.machines.trained(2)

    launch.line.before = at  # type: ignore[assignment]
    assert launch.run("--max-attempts", "1") == 1
    out, err = capsys.readouterr()
    assert f"launch resume {out.strip()} --region eu-west-1" in err
    assert status(s3) == "interrupted"
    launch.line.before = lambda stage: None
    launch.machines.notice = False
    targets = ["--output", str(launch.output), "--bundle", str(launch.bundle)]
    assert main(["launch", "resume", out.strip(), *launch.caps(), *targets]) == 0
    assert "Resuming from epoch" in capsys.readouterr().err
    assert (launch.output / "training.json").is_file()
    assert launch.machines.alive() == []
    assert main(["launch", "resume", out.strip(), *launch.caps(), "--output", "elsewhere", "--bundle", "other"]) == 1
    assert "The job is finished: download its outputs with `ludwig-serverless launch attach" in capsys.readouterr().err


def test_a_trained_model_is_not_trained_again_to_export_it(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(export_fails=True)
    assert launch.run() == 1
    place = address(capsys)
    launch.machines.tell()
    targets = ["--output", str(launch.folder / "again"), "--bundle", str(launch.bundle)]
    assert main(["launch", "resume", place, *launch.caps(), *targets]) == 0
    assert len([call for call in launch.machines.heard("python3") if "training fit" in call]) == 1


def test_a_detached_job_runs_alone_and_is_attached_later(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=5, seconds=0.4)
    assert launch.run("--detach", "--lost-minutes", "0.01") == 0
    place = address(capsys)
    (instance,) = launch.machines.alive()
    assert main(["launch", "list", "--region", "eu-west-1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{instance}  running  eu-west-1  {TYPE} spot")
    assert line.endswith(place)

    launch.line.hook("DescribeInstances", interrupt, answered=True)
    targets = ["--output", str(launch.output), "--bundle", str(launch.bundle), "--region", "eu-west-1"]
    assert main(["launch", "attach", place, *targets]) == 130
    assert launch.machines.alive() == [instance]
    assert main(["launch", "attach", place, *targets]) == 0
    assert "epoch 5/5" in capsys.readouterr().err
    assert (launch.bundle / "manifest.json").is_file()
    assert launch.machines.alive() == []
    assert main(["launch", "list", "--region", "eu-west-1"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("target", ["job", "all"])
def test_stop_terminates_one_job_or_all(target: str, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.machines.tell(epochs=100, seconds=1)
    assert launch.run("--detach") == 0
    place = address(capsys)
    assert launch.run("--detach") == 0
    capsys.readouterr()
    mine, other = (each["InstanceId"] for each in launch.machines.instances())
    if place.rpartition("/")[2] not in str(launch.machines.instances()[0]["Tags"]):
        mine, other = other, mine
    assert main(["launch", "stop", *([place] if target == "job" else ["--all"])]) == 0
    assert launch.machines.alive() == ([other] if target == "job" else [])
    assert mine in capsys.readouterr().out
    assert main(["launch", "stop", "--all"]) == 0
    assert launch.machines.alive() == []


def test_the_launcher_terminates_an_instance_beyond_its_limits(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second line of defense, in case the instance's own timer fails."""
    launch.machines.tell(epochs=100, seconds=1)
    assert launch.run("--detach") == 0
    place = address(capsys)
    _forget_detachment(launch, place)
    past = [{"Key": "ludwig-serverless:until", "Value": "2026-01-01T00:00:00Z"}]
    launch.machines.ec2.create_tags(Resources=[only(launch)["InstanceId"]], Tags=past)
    assert main(["launch", "attach", place, "--output", "x", "--bundle", "y"]) == 1
    assert "The limit in hours or dollars is reached" in capsys.readouterr().err
    assert launch.machines.alive() == []


def _forget_detachment(launch: Launch, place: str) -> None:
    """Make a job look as if its launcher was killed."""
    s3 = boto3.client("s3", endpoint_url=launch.line.upstream)
    key = place.removeprefix(f"s3://{BUCKET}/") + "/job.json"
    job = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({**job, "detached": False}))


def test_ctrl_c_in_attach_terminates_a_job_that_is_not_detached(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    launch.machines.tell(epochs=100, seconds=1)
    assert launch.run("--detach") == 0
    place = address(capsys)
    _forget_detachment(launch, place)
    launch.line.hook("PUT heartbeat", interrupt, answered=True)
    assert main(["launch", "attach", place, "--output", "x", "--bundle", "y"]) == 130
    assert launch.machines.alive() == []


def test_a_dry_run_shows_everything_and_creates_nothing(
    launch: Launch, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--spot-or-on-demand", *launch.caps(hours="2", dollars="100"), "--dry-run"]
    assert launch.run(*more) == 0
    out, err = capsys.readouterr()
    for shown in (
        "1 x g5.xlarge in eu-west-1: 1 x NVIDIA A10G, 4 vCPUs, 16 GB of memory",
        "GB gp3, encrypted",
        "without inbound rules",
        "instance profile ludwig-serverless-launch; IMDSv2 only, 2 hops",
        "on-demand: $1.1230 an hour at most (AWS's published list price of 2026-11)",
        "shuts down after 115 minutes, and powers off 118 minutes after its start",
        "AWS terminates it 120 minutes after its start (EventBridge Scheduler)",
        "shutdown -h +115",
        "upload      inputs/dataset.csv, 1001 bytes",
    ):
        assert shown in out
    assert "Nothing was created. EC2 confirms that these credentials may start the instance." in err
    assert launch.machines.instances() == []
    assert s3.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    assert not [stage for stage in launch.line.stages if stage.startswith(("RunInstances?", "PUT"))]
