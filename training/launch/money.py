"""What an hour costs, and how long the caps in hours and in money let a job run."""

import math
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from training.errors import LaunchError
from training.launch.aws import Aws, explained

PRICES = Path(__file__).with_name("prices.toml")
HOURS_A_MONTH = 730
SPOT_HEADROOM = 1.25
"""A spot price moves: this much above the day's highest is the most that is paid, and what caps count with."""
MARGIN_MINUTES = 5
"""Kept back from the caps, for booting before the timers are set, and for shutting down."""
SMALLEST_MINUTES = 10
SPOT, ON_DEMAND = "spot", "on-demand"


@dataclass(frozen=True)
class Price:
    """What a machine costs at most in an hour, in US dollars. machine: without its disk and its address."""

    market: str
    machine: float
    extras: float
    source: str

    @property
    def hour(self) -> float:
        """All of it."""
        return self.machine + self.extras


@dataclass
class Budget:
    """The caps, and what instances that have ended have used of them."""

    max_hours: float
    max_dollars: float
    hours: float = 0.0
    dollars: float = 0.0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def minutes(self, price: Price) -> int:
        """Return how long an instance may train. Raises LaunchError if that is too short to be worth its start."""
        hours = min(self.max_hours - self.hours, (self.max_dollars - self.dollars) / price.hour)
        minutes = math.floor(hours * 60 + 1e-6) - MARGIN_MINUTES
        if minutes < SMALLEST_MINUTES:
            raise LaunchError(
                f"{max(hours, 0) * 60:.0f} minutes are left of --max-hours {self.max_hours:g} and --max-dollars "
                f"{self.max_dollars:g}, at ${price.hour:.2f} an hour ({price.market}): at least "
                f"{SMALLEST_MINUTES + MARGIN_MINUTES} are needed."
            )
        return minutes

    def worst(self, price: Price) -> float:
        """Return the dollars that an instance may cost, from its start to its end."""
        return (self.minutes(price) + MARGIN_MINUTES) / 60 * price.hour

    def spend(self, hours: float, price: Price) -> None:
        """Count an instance that has ended."""
        self.hours += hours
        self.dollars += hours * price.hour


def read_price(aws: Aws, instance_type: str, market: str, disk_gb: int, given: float | None) -> Price:
    """Return what an hour costs at most.

    Args:
        aws: the region.
        instance_type: such as g5.xlarge.
        market: `spot` or `on-demand`.
        disk_gb: of all disks together.
        given: the machine's price in dollars an hour, as the user says, or None to look it up.

    Raises:
        LaunchError: the price is not known, and a cap in money needs it.
    """
    extras = disk_gb * _list()["disk_gb_month"] / HOURS_A_MONTH + _list()["address_hour"]
    if given:
        return Price(market, given, extras, "--price-per-hour")
    listed = _list()["hour"].get(aws.region, {}).get(instance_type)
    found = _spot(aws, instance_type, listed) if market == SPOT else _on_demand(listed)
    if found is None:
        raise LaunchError(
            f"The price of {instance_type} in {aws.region} ({market}) is not known, and --max-dollars needs it: look "
            f"it up at {_list()['source']} and give --price-per-hour."
        )
    return Price(market, found[0], extras, found[1])


def _on_demand(listed: float | None) -> tuple[float, str] | None:
    return (listed, f"AWS's published list price of {_list()['as_of']}") if listed else None


def _spot(aws: Aws, instance_type: str, listed: float | None) -> tuple[float, str] | None:
    """Return the most that a spot instance may cost: more is never paid, since it is the request's MaxPrice."""
    with explained("Spot prices cannot be read"):
        history = aws.client("ec2").describe_spot_price_history(
            InstanceTypes=[instance_type],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC) - timedelta(days=1),
        )["SpotPriceHistory"]
        highest = SPOT_HEADROOM * max((float(each["SpotPrice"]) for each in history), default=0.0)
    if not highest:
        return None
    if listed and listed < highest:
        return listed, f"at most AWS's published list price of {_list()['as_of']} for on demand"
    return max(
        math.ceil(highest * 10_000) / 10_000, 0.0001
    ), f"the day's highest spot price and {SPOT_HEADROOM - 1:.0%}"


@cache
def _list() -> dict[str, Any]:
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))
