"""Instances: what is asked of EC2, and what it says of them."""

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
from training.launch.job import Place
from training.launch.money import SPOT, Price

TAG = "ludwig-serverless:"
PLACE, HOUR, UNTIL = TAG + "place", TAG + "dollars-an-hour", TAG + "until"
ALIVE = ["pending", "running", "stopping", "stopped"]
GONE = {"shutting-down", "terminated"}
USER_DATA = Path(__file__).with_name("userdata.sh")
POWER_OFF_MINUTES = 2
"""Before the time at which AWS terminates an instance, it powers itself off."""
SPOT_ENDINGS = {"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What is asked of EC2. until: when it must be off, in UTC."""

    place: Place
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
        """Return the parameters of RunInstances. They are the same each time, as a repeated request must be."""
        tags = [
            {"Key": "Name", "Value": f"ludwig-serverless {self.place.job}"},
            {"Key": JOB_TAG, "Value": self.place.job},
            {"Key": PLACE, "Value": str(self.place)},
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
    """Return a disk at the listed price: gp3 without extra IOPS or throughput, which an image may ask for."""
    kind = {"VolumeType": "gp3", "Iops": 3000, "Throughput": 125}
    return {
        "DeviceName": device,
        "Ebs": {**kind, "VolumeSize": size_gb, "Encrypted": True, "DeleteOnTermination": True},
    }


@dataclass(frozen=True)
class Start:
    """A request for an instance. token: EC2 answers every request that has it with one and the same instance."""

    machine: Machine
    subnet: str
    token: str


@dataclass(frozen=True)
class Instance:
    """An instance, as EC2 describes it."""

    id: str
    region: str
    state: str
    kind: str
    launched: datetime
    tags: dict[str, str]
    reason: str = ""

    @property
    def hours(self) -> float:
        """How long it has lived."""
        return (datetime.now(UTC) - self.launched).total_seconds() / 3600

    @property
    def hour(self) -> float:
        """What it costs at most in an hour, in dollars."""
        return float(self.tags.get(HOUR, 0))

    @property
    def dollars(self) -> float:
        """What it has cost at most."""
        return self.hours * self.hour


def user_data(place: Place, image: str, region: str, minutes: int, until: datetime) -> str:
    """Return the script that a machine runs when it has booted.

    Args:
        place: the job's folder in S3.
        image: the training image, as docker pulls it.
        region: the one that the container uses.
        minutes: after which the machine shuts down, so that the training can send its last checkpoint.
        until: when AWS terminates it. It powers off by itself 2 minutes before that.
    """
    values = {
        "@MINUTES@": str(minutes),
        "@DEADLINE@": str(int((until - timedelta(minutes=POWER_OFF_MINUTES)).timestamp())),
        "@IMAGE@": quote(image),
        "@PLACE@": quote(str(place)),
        "@REGION@": quote(region),
    }
    text = USER_DATA.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text


class Instances:
    """The instances of one region. Every method raises LaunchError."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.region = aws, aws.region
        self._client = aws.client("ec2")

    def check(self, machine: Machine) -> None:
        """Ask EC2 whether this machine may be started, without starting it."""
        try:
            with explained("No instance can be started"):
                self._client.run_instances(**machine.request(machine.subnets[0]), DryRun=True)
        except LaunchError as error:
            if error.code != "DryRunOperation":
                raise

    def start(self, start: Start) -> str:
        """Start an instance, and return its id. A start that is repeated starts nothing more.

        Raises:
            CapacityError: EC2 has no room for it.
            UnreachedError: it is not known whether there is an instance now.
            LaunchError: EC2 refuses.
        """
        machine = start.machine
        with explained(f"No {machine.price.market} {machine.instance_type} can be started in {start.subnet}"):
            answer = self._client.run_instances(**machine.request(start.subnet), ClientToken=start.token)
            return str(answer["Instances"][0]["InstanceId"])

    def find(self, job: str | None = None, states: Iterable[str] = ALIVE) -> list[Instance]:
        """Return the instances of a job, or of all jobs, that are in one of the states."""
        filters = [
            {"Name": f"tag:{JOB_TAG}", "Values": [job]} if job else {"Name": "tag-key", "Values": [JOB_TAG]},
            {"Name": "instance-state-name", "Values": list(states)},
        ]
        with explained(f"Instances in {self.region} cannot be listed"):
            pages = self._client.get_paginator("describe_instances").paginate(Filters=filters)
            return [
                self._described(each) for page in pages for group in page["Reservations"] for each in group["Instances"]
            ]

    def see(self, instance: str) -> Instance | None:
        """Return an instance as it is, or None if EC2 does not know it (yet, or any more)."""
        try:
            with explained(f"The state of {instance} cannot be read"):
                groups = self._client.describe_instances(InstanceIds=[instance])["Reservations"]
                return next((self._described(each) for group in groups for each in group["Instances"]), None)
        except LaunchError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise
            return None

    def console(self, instance: str) -> str:
        """Return the end of an instance's console, or nothing where EC2 does not have it."""
        try:
            with explained("The console cannot be read"):
                return str(self._client.get_console_output(InstanceId=instance).get("Output", ""))[-2000:]
        except LaunchError:
            return ""

    def terminate(self, instance: str) -> str:
        """Tell an instance to end, and return the state that it is in then."""
        with explained(f"{instance} was not told to end"):
            (answer,) = self._client.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
            return str(answer["CurrentState"]["Name"])

    def cancel_requests(self, job: str) -> None:
        """Cancel requests for spot instances that wait, of which there should be none."""
        filters = [{"Name": f"tag:{JOB_TAG}", "Values": [job]}, {"Name": "state", "Values": ["open"]}]
        with explained("Spot requests cannot be canceled"):
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
