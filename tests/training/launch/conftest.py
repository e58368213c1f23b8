"""A local AWS (moto) that is set up for launches, machines for its instances, and a connection that may break."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.processes import aws_environ, reset_aws, use_empty_aws
from tests.training.launch.line import STORED_AMI, Line, line_to
from tests.training.launch.machines import Machines, running_machines
from tests.training.launch.schedules import Schedules
from training.__main__ import main
from training.launch import cleanup

BUCKET = "trainings"
TYPE = "g5.xlarge"
MOST_INSTANCES = 12
CONFIG = """
input_features: [{name: text, type: text, encoder: {type: embed}}]
output_features: [{name: intent, type: category}]
trainer: {epochs: 2}
"""


@dataclass(frozen=True)
class Launch:
    """A folder with a dataset and a configuration, and the local AWS to launch them to."""

    folder: Path
    line: Line
    machines: Machines
    schedules: Schedules

    @property
    def output(self) -> Path:
        return self.folder / "runs" / "intent"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundles" / "intent"

    def arguments(self, *more: str) -> list[str]:
        files = ["--config", str(self.folder / "config.yaml"), "--dataset", str(self.folder / "data.csv")]
        targets = ["--output", str(self.output), "--bundle", str(self.bundle), "--bucket", BUCKET]
        return ["launch", "run", *files, *targets, "--image", "registry.test/ludwig-training:1", *self.caps(), *more]

    def caps(self, hours: str = "2", dollars: str = "5") -> list[str]:
        return ["--max-hours", hours, "--max-dollars", dollars, "--poll-seconds", "0.1"]

    def run(self, *more: str) -> int:
        return main(self.arguments(*more))


@pytest.fixture
def empty_aws(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Yield the address of an empty local AWS, which the clients of this process also use."""
    use_empty_aws(aws_address, monkeypatch)
    return aws_address


@pytest.fixture(scope="session")
def schedules(aws_address: str) -> Schedules:
    return Schedules(aws_address)


@pytest.fixture
def launch(aws_address: str, schedules: Schedules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    """Yield everything that a launch needs. The instances of earlier tests have ended."""
    for name, value in aws_environ(aws_address).items():
        monkeypatch.setenv(name, value)
    _prepare(aws_address)
    (tmp_path / "config.yaml").write_text(CONFIG)
    rows = [f"{text},{label}" for text, label in [("hello there", "greet"), ("good bye", "leave")] * 30]
    (tmp_path / "data.csv").write_text("\n".join(["text,intent", *rows]))
    (tmp_path / "machines").mkdir()
    monkeypatch.setattr(cleanup, "PAUSE_SECONDS", 0.005)
    schedules.clear()
    with line_to(aws_address) as line, running_machines(tmp_path / "machines", aws_address) as machines:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        yield Launch(tmp_path, line, machines, schedules)


def _prepare(address: str) -> None:
    """Empty the bucket, or set up an empty account if another test has used the local AWS.

    moto keeps terminated instances and renders all of them in each response, so it is reset from time to time.
    """
    s3 = boto3.client("s3")
    is_set_up = [each["Name"] for each in s3.list_buckets()["Buckets"]] == [BUCKET]
    if not is_set_up or len(boto3.client("ec2").describe_instances()["Reservations"]) > MOST_INSTANCES:
        reset_aws(address)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        boto3.client("ssm").put_parameter(Name=STORED_AMI, Value=_linux(address), Type="String")
        assert main(["launch", "setup", "--bucket", BUCKET]) == 0
    for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=found["Key"])


@cache
def _linux(address: str) -> str:
    """Return one of moto's own machine images."""
    images = boto3.client("ec2", endpoint_url=address).describe_images()["Images"]
    return str(next(each["ImageId"] for each in images if each.get("Platform") != "windows"))


@pytest.fixture
def s3(launch: Launch) -> Any:
    """Return an S3 client that does not use the breakable connection."""
    return boto3.client("s3", endpoint_url=launch.line.upstream)
