"""Launches that the launcher or AWS rejects before they cost anything, with messages that say what to do."""

from typing import Any

import boto3
import pytest

from tests.training.launch.conftest import BUCKET, Launch
from tests.training.launch.line import Refusal
from training.__main__ import main


def refused(launch: Launch, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Launch, expect a refusal that creates nothing, and return its message."""
    assert launch.run(*more) == 1
    assert launch.machines.instances() == []
    assert not [stage for stage in launch.line.stages if stage.startswith("PUT inputs")]
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--instance-type", "m5.xlarge"], "m5.xlarge has no NVIDIA GPU: use g4dn.xlarge"),
        (["--instance-type", "g99.huge"], "Check --instance-type"),
        (["--instance-type", "g5.48xlarge", "--on-demand"], "is unknown, and --max-dollars needs it"),
        (["--max-hours", "0.2"], "needs at least 15 minutes"),
        (["--max-dollars", "0.05", "--on-demand"], "3 minutes are left of --max-hours 2 and --max-dollars 0.05"),
        (["--ami", "ami-0123456789abcdef0"], "Check --ami: an image belongs to one region"),
        (["--subnet", "subnet-0123456789abcdef0"], "Check --subnet"),
        (["--bucket", "nobodys-bucket"], "Check the bucket name, or create"),
        (["--region", "eu-central-1"], "is in eu-west-1, and the instance would run in eu-central-1"),
        (["--image", "two words"], "is not the reference of an image"),
        (["--config", "no-such"], "Use a YAML file, or one of intent-bert"),
        (["--config", "slots-lstm"], "lacks the columns ['slots']"),
        (["--", "--epoch", "many"], "`ludwig-serverless fit` does not accept the arguments after --"),
        (["--", "--force"], "not allowed after --: --config, --dataset, --output"),
        (["--", "--output", "elsewhere"], "not allowed after --: --config, --dataset, --output"),
    ],
)
def test_mistakes_are_rejected_before_anything_is_created(
    more: list[str], said: str, launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(launch, capsys, *more)


def test_an_output_that_exists(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.bundle.mkdir(parents=True)
    assert "intent exists: choose another folder" in refused(launch, capsys)


def test_setup_is_missing(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "teardown"]) == 0
    try:
        assert "There is no security group ludwig-serverless-launch" in refused(launch, capsys)
    finally:
        assert main(["launch", "setup", "--bucket", BUCKET]) == 0
    assert launch.run() == 0


def test_no_keys(launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(launch.folder / "none"))
    assert "Set AWS_PROFILE, or run `aws configure`" in refused(launch, capsys)


def test_no_region(launch: Launch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(launch.folder / "none"))
    assert "Pass a region, such as --region eu-west-1" in refused(launch, capsys)


@pytest.mark.parametrize(
    ("stage", "code", "said"),
    [
        ("RunInstances, dry", "UnauthorizedOperation", "launch policy user --bucket BUCKET` prints the policy"),
        ("DescribeInstanceTypes", "ExpiredToken", "The session has expired: log in again"),
        ("DescribeSecurityGroups", "AuthFailure", "AWS does not recognize these credentials"),
        (
            "DescribeSpotPriceHistory",
            "UnauthorizedOperation",
            "launch policy user --bucket BUCKET` prints the policy",
        ),
    ],
)
def test_aws_refuses(stage: str, code: str, said: str, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.line.refuse(stage, code, 403)
    assert said in refused(launch, capsys)


def test_a_security_group_with_inbound_rules_is_rejected(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    ec2 = boto3.client("ec2")
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["ludwig-serverless-launch"]}])
    rule: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    group = found["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    try:
        assert "allows inbound traffic, which a training does not need" in refused(launch, capsys)
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InsufficientInstanceCapacity", "Try --spot-or-on-demand, another instance type"),
        ("MaxSpotInstanceCountExceeded", "All G and VT Spot Instance Requests"),
    ],
)
def test_no_capacity(code: str, said: str, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.line.refuse("RunInstances", code)
    assert launch.run() == 1
    assert said in capsys.readouterr().err
    tried = {stage for stage in launch.line.stages if stage.startswith("RunInstances?")}
    assert len(tried) == 3  # a subnet for each of the region's zones
    assert launch.machines.instances() == []


def test_another_zone_has_capacity(launch: Launch) -> None:
    launch.line.refuse("RunInstances", "InsufficientInstanceCapacity", 500)
    refuse, subnets = launch.line.before, set[str]()

    def at(stage: str) -> Refusal | None:
        subnets.update([stage] if stage.startswith("RunInstances?") else [])
        return refuse(stage) if len(subnets) < 2 else None

    launch.line.before = at
    assert launch.run() == 0
    assert len(subnets) == 2


def test_on_demand_if_there_is_no_spot_capacity(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    launch.line.refuse("RunInstances", "InsufficientInstanceCapacity", only="spot")
    assert launch.run("--spot-or-on-demand", *launch.caps(hours="100", dollars="2")) == 0
    assert "Starting g5.xlarge, on-demand: at most $1.1" in capsys.readouterr().err
    (instance,) = launch.machines.instances()
    assert "InstanceLifecycle" not in instance
    (timer,) = [call for call in launch.machines.heard("shutdown") if call != "-h now"]
    assert timer == "-h +99"  # $2 at $1.123 an hour, and at the disk's and the address's price


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-hours", "0"],
        ["--max-dollars", "nan"],
        ["--bucket", "s3://my-bucket"],
        ["--prefix", "a b"],
    ],
)
def test_invalid_arguments(arguments: list[str], launch: Launch) -> None:
    with pytest.raises(SystemExit):
        launch.run(*arguments)


def test_an_address_that_is_not_a_job(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    for given, said in (
        (f"s3://{BUCKET}/some/folder", "is not the address of a job"),
        (f"s3://{BUCKET}/ludwig-serverless/jobs/20260101-000000-abcdef", "is not a job: check the address"),
    ):
        assert main(["launch", "attach", given]) == 1
        assert said in capsys.readouterr().err


def described(launch: Launch, fields: str, mappings: str = "") -> None:
    """Make EC2 describe a machine image with these fields and disks."""
    content = (
        "<DescribeImagesResponse><requestId>1</requestId><imagesSet><item><imageId>ami-0123456789abcdef0</imageId>"
        f"<rootDeviceName>/dev/sda1</rootDeviceName>{fields}<blockDeviceMapping>"
        "<item><deviceName>/dev/sda1</deviceName><ebs><volumeSize>30</volumeSize></ebs></item>"
        f"{mappings}</blockDeviceMapping></item></imagesSet></DescribeImagesResponse>"
    )
    launch.line.before = lambda stage: Refusal(200, content.encode()) if stage == "DescribeImages" else None


def test_extra_disks_of_an_image_are_priced_and_listed(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    on_demand = ["--on-demand", "--dry-run"]
    assert launch.run(*on_demand) == 0
    before = capsys.readouterr().out
    disk = "<ebs><volumeSize>500</volumeSize><volumeType>io2</volumeType><iops>64000</iops></ebs>"
    described(
        launch,
        "",
        f"<item><deviceName>/dev/sdb</deviceName>{disk}</item>"
        "<item><deviceName>/dev/sdc</deviceName><virtualName>ephemeral0</virtualName></item>",
    )
    assert launch.run(*on_demand) == 0
    out = capsys.readouterr().out
    assert "disk        500 GB gp3, an extra disk of the image (/dev/sdb); also encrypted and deleted" in out
    assert "/dev/sdc" not in out

    def extras(text: str) -> float:
        return float(text.partition(" + $")[2].partition(" ")[0])

    sizes = {
        text: int(text.partition("disk        ")[2].partition(" GB")[0]) + (500 if text is out else 0)
        for text in (before, out)
    }
    assert extras(out) - extras(before) == pytest.approx((sizes[out] - sizes[before]) * 0.16 / 730, abs=0.0002)


@pytest.mark.parametrize(
    "fields",
    [
        "<platform>windows</platform>",
        "<productCodes><item><productCode>abc</productCode><type>marketplace</type></item></productCodes>",
    ],
    ids=["windows", "marketplace"],
)
def test_an_image_that_costs_extra(fields: str, launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    described(launch, fields)
    assert "costs extra" in refused(launch, capsys)
