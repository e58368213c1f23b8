"""Hourly prices, and how long a job may run under its limits in hours and dollars."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from training.aws_prices import PriceList, read_prices
from training.errors import LaunchError
from training.launch.aws import Aws, explained

HOURS_A_MONTH = 730
SPOT_HEADROOM = 1.25
"""The maximum spot price as a multiple of the highest price of the last 24 hours, since spot prices change."""
MARGIN_MINUTES = 5
"""Reserved within the limits for the boot before the timers are set, and for the shutdown."""
SMALLEST_MINUTES = 10
SPOT, ON_DEMAND = "spot", "on-demand"


@dataclass(frozen=True)
class Price:
    """The maximum price of an instance, in US dollars per hour.

    Attributes:
        market: `spot` or `on-demand`.
        machine: The instance without its disks and its IP address.
        extras: The disks and the IP address.
        source: Where `machine` comes from, for the user to read.
    """

    market: str
    machine: float
    extras: float
    source: str

    @property
    def hour(self) -> float:
        """The total, in dollars per hour."""
        return self.machine + self.extras


@dataclass
class Budget:
    """The limits of a job, and how much of them its ended instances have used.

    Attributes:
        max_hours: The limit in hours.
        max_dollars: The limit in US dollars.
        hours: Hours used so far.
        dollars: Dollars used so far, at most.
        began: When the job started, in UTC.
    """

    max_hours: float
    max_dollars: float
    hours: float = 0.0
    dollars: float = 0.0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def minutes(self, price: Price) -> int:
        """Return how many minutes an instance may train.

        Raises:
            LaunchError: The remaining time is too short to start an instance.
        """
        hours = min(self.max_hours - self.hours, (self.max_dollars - self.dollars) / price.hour)
        minutes = math.floor(hours * 60 + 1e-6) - MARGIN_MINUTES
        if minutes < SMALLEST_MINUTES:
            raise LaunchError(
                f"{max(hours, 0) * 60:.0f} minutes are left of --max-hours {self.max_hours:g} and --max-dollars "
                f"{self.max_dollars:g}, at ${price.hour:.2f} an hour ({price.market}). A job needs at least "
                f"{SMALLEST_MINUTES + MARGIN_MINUTES} minutes: raise the limits."
            )
        return minutes

    def worst(self, price: Price) -> float:
        """Return the maximum cost of an instance from start to end, in dollars."""
        return (self.minutes(price) + MARGIN_MINUTES) / 60 * price.hour

    def spend(self, hours: float, price: Price) -> None:
        """Record an instance that has ended."""
        self.hours += hours
        self.dollars += hours * price.hour


def read_price(aws: Aws, instance_type: str, market: str, disk_gb: int, given: float | None) -> Price:
    """Return the maximum price of an instance.

    Args:
        aws: The region.
        instance_type: The instance type, such as `g5.xlarge`.
        market: `spot` or `on-demand`.
        disk_gb: The total size of all disks, in gigabytes.
        given: The price of the instance from --price-per-hour, or None to look it up.

    Raises:
        LaunchError: The price is unknown, so the limit in dollars cannot be kept.
    """
    training = _list().training
    extras = disk_gb * training.disk_gb_month / HOURS_A_MONTH + training.address_hour
    if given:
        return Price(market, given, extras, "--price-per-hour")
    listed = training.gpu_hour.get(aws.region, {}).get(instance_type)
    found = _spot(aws, instance_type, listed) if market == SPOT else _on_demand(listed)
    if found is None:
        raise LaunchError(
            f"The price of {instance_type} in {aws.region} ({market}) is unknown, and --max-dollars needs it: look "
            f"it up at {_list().ec2_source} and pass it with --price-per-hour."
        )
    return Price(market, found[0], extras, found[1])


def _on_demand(listed: float | None) -> tuple[float, str] | None:
    return (listed, f"AWS's published list price of {_list().as_of}") if listed else None


def _spot(aws: Aws, instance_type: str, listed: float | None) -> tuple[float, str] | None:
    """Return the maximum spot price and its source. The request sets it as MaxPrice, so AWS never charges more."""
    with explained("Cannot read spot prices"):
        history = aws.client("ec2").describe_spot_price_history(
            InstanceTypes=[instance_type],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC) - timedelta(days=1),
        )["SpotPriceHistory"]
        highest = SPOT_HEADROOM * max((float(each["SpotPrice"]) for each in history), default=0.0)
    if not highest:
        return None
    if listed and listed < highest:
        return listed, f"at most AWS's published on-demand list price of {_list().as_of}"
    rounded_up = max(math.ceil(highest * 10_000) / 10_000, 0.0001)
    return rounded_up, f"the highest spot price of the last 24 hours plus {SPOT_HEADROOM - 1:.0%}"


@cache
def _list() -> PriceList:
    return read_prices()
