"""The plan of a launch: what it creates and costs, checked before anything is created."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from training.launch.aws import Aws
from training.launch.discovery import Image, check_type, find_group, find_image, find_subnets
from training.launch.instances import POWER_OFF_MINUTES, Instances, Machine, user_data
from training.launch.job import Job, JobLocation
from training.launch.money import MARGIN_MINUTES, ON_DEMAND, SPOT, Budget, Price, read_price

MARKETS = {"spot": (SPOT,), "on-demand": (ON_DEMAND,), "spot-or-on-demand": (SPOT, ON_DEMAND)}


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """The options for the instance.

    Attributes:
        instance_type: The instance type.
        market: `spot`, `on-demand` or `spot-or-on-demand`.
        image: The reference of the training image.
        profile: Name of the instance profile.
        ami: Id of the machine image; None uses the default.
        subnet: Id of the subnet; None uses default subnets.
        free_disk_gb: Disk space in addition to the size of the machine image, in GB.
        price_per_hour: Price of the instance in dollars per hour; None looks it up.
        max_attempts: Maximum number of instances, one after another.
    """

    instance_type: str
    market: str
    image: str
    profile: str
    ami: str | None
    subnet: str | None
    free_disk_gb: int
    price_per_hour: float | None
    max_attempts: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A job and the machines to try, in order.

    Attributes:
        aws: The AWS clients of the region.
        options: The options for the instance.
        location: The job's folder in S3.
        job: The job.
        type_words: A description of the instance type.
        ami: The machine image.
        disk_gb: The size of the root disk, in gigabytes.
        subnets: The subnets to try, in order.
        group: The id of the security group.
        prices: The price in each market to try, in order.
        budget: The limits in hours and dollars.
        inputs: The files or contents to upload, by name in the job's folder.
    """

    aws: Aws
    options: LaunchOptions
    location: JobLocation
    job: Job
    type_words: str
    ami: Image
    disk_gb: int
    subnets: tuple[str, ...]
    group: str
    prices: tuple[Price, ...]
    budget: Budget
    inputs: dict[str, Path | bytes] = field(default_factory=dict)

    def machine(self, price: Price) -> Machine:
        """Return the machine to request, with as much time as the limits leave."""
        minutes = self.budget.minutes(price)
        until = datetime.now(UTC) + timedelta(minutes=minutes + MARGIN_MINUTES)
        return Machine(
            location=self.location,
            instance_type=self.options.instance_type,
            image=self.ami,
            disk_gb=self.disk_gb,
            subnets=self.subnets,
            group=self.group,
            profile=self.options.profile,
            price=price,
            user_data=user_data(self.location, self.options.image, self.aws.region, minutes, until),
            until=until,
        )

    def lines(self) -> Iterator[str]:
        """Yield lines that describe what the launch creates, and its maximum cost."""
        options = self.options
        yield f"Job           {self.location.job}, in {self.location}/"
        for name, content in self.inputs.items():
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            yield f"  upload      {name}, {size} bytes"
        yield f"Instance      1 x {options.instance_type} in {self.aws.region}: {self.type_words}"
        yield f"  image       {self.ami.id} {self.ami.name}"
        yield f"  disk        {self.disk_gb} GB gp3, encrypted, deleted with the instance"
        for device, size_gb in self.ami.extra_disks:
            yield f"  disk        {size_gb} GB gp3, an extra disk of the image ({device}); also encrypted and deleted"
        yield f"  network     {', '.join(self.subnets)}; security group {self.group} without inbound rules"
        yield f"  permissions instance profile {options.profile}; IMDSv2 only, 2 hops; no key pair"
        yield f"  container   {options.image}"
        yield "  shutdown    terminates it; it cannot be stopped and restarted"
        for price in self.prices:
            minutes = self.budget.minutes(price)
            yield (
                f"Price         {price.market}: ${price.machine:.4f} an hour at most ({price.source}) + "
                f"${price.extras:.4f} for disks and IP address"
            )
            off, ended = minutes + MARGIN_MINUTES - POWER_OFF_MINUTES, minutes + MARGIN_MINUTES
            yield f"  timers      shuts down after {minutes} minutes, and powers off {off} minutes after its start"
            yield f"  deadline    AWS terminates it {ended} minutes after its start (EventBridge Scheduler)"
            yield f"  at most     ${self.budget.worst(price):.2f} in total, without S3 and taxes"
        if len(self.prices) > 1:
            yield "  in order    on demand only if EC2 has no spot capacity"
        if SPOT in {price.market for price in self.prices}:
            yield f"  interrupted up to {options.max_attempts} instances one after another, all within the same limits"


def make_plan(
    aws: Aws, options: LaunchOptions, location: JobLocation, job: Job, budget: Budget, inputs: dict[str, Path | bytes]
) -> Plan:
    """Find and check everything that a launch needs, before anything is created.

    Args:
        aws: The AWS clients of the region.
        options: The options for the instance.
        location: The job's folder in S3.
        job: The job.
        budget: The limits in hours and dollars.
        inputs: The files or contents to upload, by name in the job's folder.

    Raises:
        LaunchError: Something is missing, not allowed, or over the limits.
    """
    aws.identity()  # the deadline needs it: fail before anything is created
    type_words = check_type(aws, options.instance_type)
    ami = find_image(aws, options.ami)
    disk_gb = ami.disk_gb + options.free_disk_gb
    all_gb = disk_gb + ami.extra_gb
    subnets = find_subnets(aws, options.instance_type, options.subnet)
    markets = MARKETS[options.market]
    prices = tuple(read_price(aws, options.instance_type, each, all_gb, options.price_per_hour) for each in markets)
    plan = Plan(
        aws=aws,
        options=options,
        location=location,
        job=job,
        type_words=type_words,
        ami=ami,
        disk_gb=disk_gb,
        subnets=tuple(each["SubnetId"] for each in subnets),
        group=find_group(aws, subnets[0]["VpcId"]),
        prices=prices,
        budget=budget,
        inputs=inputs,
    )
    for price in prices:
        Instances(aws).check(plan.machine(price))
    return plan
