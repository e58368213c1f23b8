"""Instances: started with all that makes them end, found by their tag, ended for certain."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from training.errors import CapacityError, LaunchError, UnreachedError
from training.launch.aws import Aws, explained
from training.launch.discovery import Image
from training.launch.job import Place
from training.launch.money import SPOT, Price
from training.launch.signals import tell

TAG = "ludwig-serverless:"
JOB, PLACE, HOUR, UNTIL = TAG + "job", TAG + "place", TAG + "dollars-an-hour", TAG + "until"
ALIVE = ["pending", "running", "stopping", "stopped"]
GONE = {"shutting-down", "terminated"}
USER_DATA = Path(__file__).with_name("userdata.sh")
ENDING_ATTEMPTS = 10
QUIET_LOOKS = 4
"""After a start whose outcome is not known: so often nothing must be found, since EC2 shows new instances late."""
SPOT_ENDINGS = {"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What is asked of EC2."""

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
        """Return RunInstances' parameters."""
        tags = [
            {"Key": "Name", "Value": f"ludwig-serverless {self.place.job}"},
            {"Key": JOB, "Value": self.place.job},
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
        disk = {"VolumeSize": self.disk_gb, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
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
            "BlockDeviceMappings": [{"DeviceName": self.image.root_device, "Ebs": disk}],
            "UserData": self.user_data,
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in kinds],
            **market,
        }


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


def user_data(place: Place, image: str, region: str, minutes: int) -> str:
    """Return what a machine does when it has booted. minutes: after which it switches itself off."""
    values = {
        "@MINUTES@": str(minutes),
        "@LATER_MINUTES@": str(minutes + 2),
        "@IMAGE@": quote(image),
        "@PLACE@": quote(str(place)),
        "@REGION@": quote(region),
    }
    text = USER_DATA.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text


class Instances:
    """The instances of one region."""

    def __init__(self, aws: Aws, pause_seconds: float = 5.0) -> None:
        self.region = aws.region
        self._client = aws.client("ec2")
        self._pause = pause_seconds

    def check(self, machine: Machine) -> None:
        """Ask EC2 whether this machine may be started, without starting it. Raises LaunchError."""
        try:
            with explained("No instance can be started"):
                self._client.run_instances(**machine.request(machine.subnets[0]), DryRun=True)
        except LaunchError as error:
            if error.code != "DryRunOperation":
                raise

    def start(self, machine: Machine, token: str) -> str:
        """Start an instance in the first subnet that has room, and return its id.

        token: of this start, so that a repeated request starts nothing more. Raises CapacityError if there is no room;
        UnreachedError if it is not known whether there is an instance now.
        """
        failures = []
        for number, subnet in enumerate(machine.subnets):
            try:
                with explained(f"No {machine.price.market} {machine.instance_type} can be started in {subnet}"):
                    answer = self._client.run_instances(**machine.request(subnet), ClientToken=f"{token}-{number}")
                return str(answer["Instances"][0]["InstanceId"])
            except CapacityError as error:
                failures.append(error)
        raise failures[-1]

    def find(self, job: str | None = None, states: Iterable[str] = ALIVE) -> list[Instance]:
        """Return the instances of a job, or of all, that are in one of the states."""
        filters = [
            {"Name": f"tag:{JOB}", "Values": [job]} if job else {"Name": "tag-key", "Values": [JOB]},
            {"Name": "instance-state-name", "Values": list(states)},
        ]
        with explained(f"Instances in {self.region} cannot be listed"):
            pages = self._client.get_paginator("describe_instances").paginate(Filters=filters)
            found = [each for page in pages for group in page["Reservations"] for each in group["Instances"]]
        return [self._described(each) for each in found]

    def see(self, instance: str) -> Instance | None:
        """Return an instance as it is, or None if EC2 does not know it (yet, or any more)."""
        try:
            with explained(f"{instance} cannot be looked at"):
                answer = self._client.describe_instances(InstanceIds=[instance])
        except LaunchError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise
            return None
        return next((self._described(each) for group in answer["Reservations"] for each in group["Instances"]), None)

    def console(self, instance: str) -> str:
        """Return the end of what an instance has written to its console, if EC2 still has it."""
        try:
            with explained("The console cannot be read"):
                return str(self._client.get_console_output(InstanceId=instance).get("Output", ""))[-2000:]
        except LaunchError:
            return ""

    def end(self, job: str, known: Iterable[str] = (), *, certain: bool = True) -> list[str]:
        """End every instance of a job, and return their ids when EC2 has confirmed each.

        known: ids that EC2 may not list yet. certain: whether the outcome of every start is known. Raises LaunchError,
        with the command that does it by hand, if it is not confirmed after all attempts.
        """
        waiting, ended, quiet, last = set(known), set[str](), 0, ""
        for attempt in range(ENDING_ATTEMPTS):
            if attempt:
                time.sleep(self._pause * min(attempt, 4))
            try:
                waiting |= {each.id for each in self.find(job)} - ended
                quiet = 0 if waiting else quiet + 1
                for each in sorted(waiting):
                    self._terminate(each)
                    waiting.discard(each)
                    ended.add(each)
                if quiet >= (1 if certain else QUIET_LOOKS) or (certain and ended and not self.find(job)):
                    self._cancel_requests(job)
                    return sorted(ended)
            except LaunchError as error:
                last = str(error)
                tell(f"Not ended yet: {last} Trying again ...")
        raise LaunchError(self._by_hand(job, waiting or ended, last))

    def _terminate(self, instance: str) -> None:
        with explained(f"{instance} is not ended"):
            (answer,) = self._client.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
        if answer["CurrentState"]["Name"] not in GONE:
            raise UnreachedError(f"{instance} is {answer['CurrentState']['Name']} after it was told to end.")

    def _cancel_requests(self, job: str) -> None:
        """Cancel requests for spot instances that wait, of which there should be none."""
        filters = [{"Name": f"tag:{JOB}", "Values": [job]}, {"Name": "state", "Values": ["open"]}]
        with explained("Spot requests cannot be cancelled"):
            found = self._client.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]
            if ids := [each["SpotInstanceRequestId"] for each in found]:
                self._client.cancel_spot_instance_requests(SpotInstanceRequestIds=ids)

    def _by_hand(self, job: str, ids: set[str], last: str) -> str:
        command = f"ludwig-serverless launch stop {job} --region {self.region}"
        if ids:
            command = f"aws ec2 terminate-instances --region {self.region} --instance-ids {' '.join(sorted(ids))}"
        return (
            f"IT IS NOT CONFIRMED THAT EVERY INSTANCE OF {job} HAS ENDED, and one that lives costs money until its own "
            f"timer ends it. {last} Run this, and look at EC2's console: {command}"
        )

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
