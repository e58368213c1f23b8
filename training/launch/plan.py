"""Everything that a launch would make and cost, resolved and checked before any of it is made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from training.launch.aws import Aws
from training.launch.discovery import Image, check_type, find_group, find_image, find_subnets
from training.launch.instances import POWER_OFF_MINUTES, Instances, Machine, user_data
from training.launch.job import Job, Place
from training.launch.money import MARGIN_MINUTES, ON_DEMAND, SPOT, Budget, Price, read_price

MARKETS = {"spot": (SPOT,), "on-demand": (ON_DEMAND,), "spot-or-on-demand": (SPOT, ON_DEMAND)}


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """The machine that the user wants. free_disk_gb: beyond what the machine image's own files take."""

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
    """A job and the machines that it may run on, in the order in which they are tried.

    Attributes:
        disk_gb: of the root disk.
        prices: one for each market to try.
        inputs: what to upload: a file or content, by its name in the job's folder.
    """

    aws: Aws
    options: LaunchOptions
    place: Place
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
        """Return what EC2 is asked for, with as much time as the caps leave."""
        minutes = self.budget.minutes(price)
        until = datetime.now(UTC) + timedelta(minutes=minutes + MARGIN_MINUTES)
        return Machine(
            place=self.place,
            instance_type=self.options.instance_type,
            image=self.ami,
            disk_gb=self.disk_gb,
            subnets=self.subnets,
            group=self.group,
            profile=self.options.profile,
            price=price,
            user_data=user_data(self.place, self.options.image, self.aws.region, minutes, until),
            until=until,
        )

    def lines(self) -> Iterator[str]:
        """Yield what would be made, and what it would cost at most."""
        options = self.options
        yield f"Job           {self.place.job}, in {self.place}/"
        for name, content in self.inputs.items():
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            yield f"  upload      {name}, {size} bytes"
        yield f"Instance      1 x {options.instance_type} in {self.aws.region}: {self.type_words}"
        yield f"  image       {self.ami.id} {self.ami.name}"
        yield f"  disk        {self.disk_gb} GB gp3, encrypted, deleted with the instance"
        for device, size_gb in self.ami.extra_disks:
            yield f"  disk        {size_gb} GB gp3 more, which the image brings along as {device}; treated the same"
        yield f"  network     {', '.join(self.subnets)}; security group {self.group}, which lets nothing in"
        yield f"  permissions instance profile {options.profile}; IMDSv2 only, 2 hops; no key pair"
        yield f"  container   {options.image}"
        yield "  ends        terminated when it shuts down; it cannot be stopped and started again"
        for price in self.prices:
            minutes = self.budget.minutes(price)
            yield (
                f"Price         {price.market}: ${price.machine:.4f} an hour at most ({price.source}) + "
                f"${price.extras:.4f} for disks and address"
            )
            off, ended = minutes + MARGIN_MINUTES - POWER_OFF_MINUTES, minutes + MARGIN_MINUTES
            yield f"  timers      shuts down after {minutes} minutes, and powers off {off} minutes after its start"
            yield f"  deadline    AWS terminates it {ended} minutes after its start (EventBridge Scheduler)"
            yield f"  at most     ${self.budget.worst(price):.2f} in all, S3 and taxes aside"
        if len(self.prices) > 1:
            yield "  in order    the second kind is tried only where EC2 has no machine of the first"
        if SPOT in {price.market for price in self.prices}:
            yield f"  interrupted up to {options.max_attempts} instances one after another, all within the same caps"


def make_plan(
    aws: Aws, options: LaunchOptions, place: Place, job: Job, budget: Budget, inputs: dict[str, Path | bytes]
) -> Plan:
    """Find and check everything. Raises LaunchError if something is missing, not allowed, or over the caps."""
    aws.identity()  # the deadline needs it; fail before anything is made
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
        place=place,
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
