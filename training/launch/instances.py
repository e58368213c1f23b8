"""EC2 instances: requests for them, and their state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any

from training.errors import LaunchError
from training.launch.aws import Aws, explained
from training.launch.deadline import JOB_TAG
from training.launch.discovery import Image
from training.launch.job import JobLocation
from training.launch.money import SPOT, Price

TAG = "ludwig-serverless:"
LOCATION, HOUR, UNTIL = TAG + "place", TAG + "dollars-an-hour", TAG + "until"
ALIVE = ["pending", "running", "stopping", "stopped"]
GONE = {"shutting-down", "terminated"}
USER_DATA = Path(__file__).with_name("userdata.sh")
POWER_OFF_MINUTES = 2
"""How long before AWS's deadline an instance powers itself off."""
SPOT_ENDINGS = {"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine to request from EC2.

    Attributes:
        location: The job's folder in S3.
        instance_type: The instance type.
        image: The machine image.
        disk_gb: Size of the root disk, in GB.
        subnets: Ids of the subnets to try, in order.
        group: Id of the security group.
        profile: Name of the instance profile.
        price: Its market and maximum price.
        user_data: The script that it runs after it boots.
        until: When AWS terminates it, in UTC.
    """

    location: JobLocation
    instance_type: str
    image: Image
    disk_gb: int
    subnets: tuple[str, ...]
    group: str
    profile: str
    price: Price
    user_data: str
    until: datetime

    def request(self, subnet: str) -> dict[str, Any]:
        """Return the parameters of RunInstances. They never change, as a repeated request requires."""
        tags = [
            {"Key": "Name", "Value": f"ludwig-serverless {self.location.job}"},
            {"Key": JOB_TAG, "Value": self.location.job},
            {"Key": LOCATION, "Value": str(self.location)},
            {"Key": HOUR, "Value": f"{self.price.hour:.4f}"},
            {"Key": UNTIL, "Value": f"{self.until:%Y-%m-%dT%H:%M:%SZ}"},
        ]
        kinds = ["instance", "volume", "network-interface"]
        market: dict[str, Any] = {}
        if self.price.market == SPOT:
            kinds.append("spot-instances-request")
            options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
            options["MaxPrice"] = f"{self.price.machine:.4f}"
            market = {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}
        return {
            "ImageId": self.image.id,
            "InstanceType": self.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": subnet,
            "SecurityGroupIds": [self.group],
            "IamInstanceProfile": {"Name": self.profile},
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled"},
            "BlockDeviceMappings": [
                _disk(self.image.root_device, self.disk_gb),
                *(_disk(device, size_gb) for device, size_gb in self.image.extra_disks),
            ],
            "UserData": self.user_data,
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in kinds],
            **market,
        }


def _disk(device: str, size_gb: int) -> dict[str, Any]:
    """Return a disk at the listed price: gp3 without the extra IOPS or throughput that an image may ask for."""
    kind = {"VolumeType": "gp3", "Iops": 3000, "Throughput": 125}
    return {
        "DeviceName": device,
        "Ebs": {**kind, "VolumeSize": size_gb, "Encrypted": True, "DeleteOnTermination": True},
    }


@dataclass(frozen=True)
class Start:
    """A request for an instance.

    Attributes:
        machine: The machine.
        subnet: Id of the subnet.
        token: The client token. EC2 answers all requests with the same token with the same instance.
    """

    machine: Machine
    subnet: str
    token: str


@dataclass(frozen=True)
class Instance:
    """An instance, as EC2 describes it.

    Attributes:
        id: The instance id.
        region: Its region.
        state: EC2's state, such as `running`.
        kind: The instance type.
        launched: When it was launched, in UTC.
        tags: Its tags.
        reason: EC2's reason for its last state change.
    """

    id: str
    region: str
    state: str
    kind: str
    launched: datetime
    tags: dict[str, str]
    reason: str = ""

    @property
    def hours(self) -> float:
        """Hours since its launch."""
        return (datetime.now(UTC) - self.launched).total_seconds() / 3600

    @property
    def hour(self) -> float:
        """Its maximum price, in dollars per hour."""
        return float(self.tags.get(HOUR, 0))

    @property
    def dollars(self) -> float:
        """The maximum cost so far, in dollars."""
        return self.hours * self.hour


def user_data(location: JobLocation, image: str, region: str, minutes: int, until: datetime) -> str:
    """Return the script that an instance runs after it boots.

    Args:
        location: The job's folder in S3.
        image: The training image, as a reference for `docker pull`.
        region: The AWS region for the container.
        minutes: Minutes until the instance shuts down, which lets the training upload its last checkpoint.
        until: When AWS terminates the instance. The instance powers itself off 2 minutes earlier.
    """
    values = {
        "@MINUTES@": str(minutes),
        "@DEADLINE@": str(int((until - timedelta(minutes=POWER_OFF_MINUTES)).timestamp())),
        "@IMAGE@": quote(image),
        "@LOCATION@": quote(str(location)),
        "@REGION@": quote(region),
    }
    text = USER_DATA.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text


class Instances:
    """The instances of one region. Every method may raise LaunchError."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.region = aws, aws.region
        self._client = aws.client("ec2")

    def check(self, machine: Machine) -> None:
        """Check with a dry run of RunInstances whether EC2 accepts the request."""
        try:
            with explained("Cannot start an instance"):
                self._client.run_instances(**machine.request(machine.subnets[0]), DryRun=True)
        except LaunchError as error:
            if error.code != "DryRunOperation":
                raise

    def start(self, start: Start) -> str:
        """Start an instance and return its id. A repeated call does not start a second instance.

        Raises:
            CapacityError: EC2 has no capacity.
            UnreachedError: It is unknown whether an instance has started.
            LaunchError: EC2 refused the request.
        """
        machine = start.machine
        with explained(f"Cannot start a {machine.price.market} {machine.instance_type} in {start.subnet}"):
            answer = self._client.run_instances(**machine.request(start.subnet), ClientToken=start.token)
            return str(answer["Instances"][0]["InstanceId"])

    def find(self, job: str | None = None, states: Iterable[str] = ALIVE) -> list[Instance]:
        """Return the instances of a job, or of all jobs, in the given states."""
        filters = [
            {"Name": f"tag:{JOB_TAG}", "Values": [job]} if job else {"Name": "tag-key", "Values": [JOB_TAG]},
            {"Name": "instance-state-name", "Values": list(states)},
        ]
        with explained(f"Cannot list the instances in {self.region}"):
            pages = self._client.get_paginator("describe_instances").paginate(Filters=filters)
            return [
                self._described(each) for page in pages for group in page["Reservations"] for each in group["Instances"]
            ]

    def see(self, instance: str) -> Instance | None:
        """Return the current state of an instance, or None if EC2 does not know it yet or anymore."""
        try:
            with explained(f"Cannot read the state of {instance}"):
                groups = self._client.describe_instances(InstanceIds=[instance])["Reservations"]
                return next((self._described(each) for group in groups for each in group["Instances"]), None)
        except LaunchError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise
            return None

    def console(self, instance: str) -> str:
        """Return the end of an instance's console output, or "" if EC2 does not have it."""
        try:
            with explained("Cannot read the console output"):
                return str(self._client.get_console_output(InstanceId=instance).get("Output", ""))[-2000:]
        except LaunchError:
            return ""

    def terminate(self, instance: str) -> str:
        """Terminate an instance and return its new state."""
        with explained(f"Cannot terminate {instance}"):
            (answer,) = self._client.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
            return str(answer["CurrentState"]["Name"])

    def cancel_requests(self, job: str) -> None:
        """Cancel open spot requests. There should not be any."""
        filters = [{"Name": f"tag:{JOB_TAG}", "Values": [job]}, {"Name": "state", "Values": ["open"]}]
        with explained("Cannot cancel spot requests"):
            found = self._client.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]
            if ids := [each["SpotInstanceRequestId"] for each in found]:
                self._client.cancel_spot_instance_requests(SpotInstanceRequestIds=ids)

    def _described(self, found: dict[str, Any]) -> Instance:
        return Instance(
            id=found["InstanceId"],
            region=self.region,
            state=found["State"]["Name"],
            kind=f"{found['InstanceType']} {found.get('InstanceLifecycle', 'on-demand')}",
            launched=found["LaunchTime"],
            tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
            reason=found.get("StateReason", {}).get("Code", ""),
        )
