"""A month's bill on AWS: plain Lambda, SnapStart, provisioned concurrency, or Ludwig day and night."""

import math

import msgspec

from handler.errors import SettingsError
from ludwig_serverless.cost.measured import Measured
from training.aws_prices import PricedInstance, RegionPrices

MONTH_DAYS = 365.25 / 12
MONTH_HOURS = MONTH_DAYS * 24
MONTH_SECONDS = MONTH_HOURS * 3600
MEGABYTES = 1024
"""In a gigabyte, as Lambda counts: 1769 MB are 1.728 GB."""
DAYTIME = (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 8, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2)
"""How messages spread over the hours of a day, in parts: a bot whose users live in one time zone."""
PLATFORM_LOG_BYTES = 1000
"""What AWS logs of a message, rounded up: the function's start, end and report, and API Gateway's access line."""
INSTANCE_DISK_GB = 30
HEADROOM = 2.0
"""How many times Ludwig's peak an instance has in memory: there is a system too, and a second version at a rollout."""
MOST_MESSAGES = 1e12
STEPS = 20
"""How finely each power of ten is searched for a break-even point."""


class Traffic(msgspec.Struct, frozen=True):
    """What a function gets in a month.

    Attributes:
        messages: How many messages.
        memory_megabytes: The function's memory.
        idle_minutes: How long Lambda keeps an idle sandbox.
        provisioned: How many instances are provisioned.
    """

    messages: float
    memory_megabytes: int = 1769
    idle_minutes: float = 10.0
    provisioned: int = 1

    @property
    def gigabytes(self) -> float:
        """The memory that is billed, in GB of 1024 MB."""
        return self.memory_megabytes / MEGABYTES

    def cold_share(self) -> float:
        """Return the share of messages that wait for a cold start.

        Messages arrive at random within an hour; one is cold if no other came in the idle minutes before it. Busy
        sandboxes are left out: with answers of a few milliseconds they are rare.
        """
        shares = [hour / sum(DAYTIME) for hour in DAYTIME]
        a_minute = [self.messages / MONTH_DAYS * share / 60 for share in shares]
        return sum(share * math.exp(-rate * self.idle_minutes) for share, rate in zip(shares, a_minute, strict=True))

    def peak_per_second(self) -> float:
        """Return the messages a second in the busiest hour."""
        return self.messages / MONTH_DAYS * max(DAYTIME) / sum(DAYTIME) / 3600


class Bill(msgspec.Struct, frozen=True):
    """What a month costs, in dollars: what is paid without any message, and what grows with them."""

    name: str
    fixed: dict[str, float]
    by_message: dict[str, float]

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self.fixed.values()) + sum(self.by_message.values())


def compare(traffic: Traffic, prices: RegionPrices, measured: Measured) -> list[Bill]:
    """Return every way to answer the messages; Ludwig's is the last."""
    gigabytes = traffic.gigabytes
    cold = traffic.messages * traffic.cold_share()
    answer_gb_seconds = traffic.messages * math.ceil(measured.warm_answer_milliseconds.value) / 1000 * gigabytes
    start_gb_seconds = cold * measured.cold_start_milliseconds.value / 1000 * gigabytes
    answers = answer_gb_seconds * prices.lambda_gb_second
    logged = traffic.messages * (measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES) / 1e9
    data = {"data": traffic.messages * measured.answer_bytes_per_message.value / 1e9 * prices.data_out_gb}
    shared = {
        "API": traffic.messages / 1e6 * prices.http_api_million_requests,
        "requests": traffic.messages / 1e6 * prices.lambda_million_requests,
        "logs": logged * (prices.logs_gb + prices.logs_storage_gb_month),
        **data,
    }
    registry = {"registry": measured.image_megabytes.value / 1000 * prices.registry_gb_month}
    snapshot = prices.snapstart_cache_gb_second * gigabytes * MONTH_SECONDS
    restores = cold * gigabytes * prices.snapstart_restore_gb
    provisioned = prices.provisioned_gb_second * gigabytes * MONTH_SECONDS * traffic.provisioned
    warm_answers = answer_gb_seconds * prices.provisioned_duration_gb_second
    machine, count = ludwig_instances(traffic, prices, measured)
    ludwig = {
        "instances": count * machine.hour * MONTH_HOURS,
        "disk": count * INSTANCE_DISK_GB * prices.disk_gb_month,
        "address": count * prices.address_hour * MONTH_HOURS,
    }
    starts = start_gb_seconds * prices.lambda_gb_second
    return [
        Bill("Lambda", registry, {"answers": answers, "cold starts": starts, **shared}),
        Bill(
            "Lambda, SnapStart", registry | {"snapshot": snapshot}, {"answers": answers, "restores": restores, **shared}
        ),
        Bill(
            f"Lambda, {traffic.provisioned} provisioned",
            registry | {"provisioned": provisioned},
            {"answers": warm_answers, **shared},
        ),
        Bill(f"Ludwig, {count} x {machine.name}", ludwig, data),
    ]


def ludwig_instances(traffic: Traffic, prices: RegionPrices, measured: Measured) -> tuple[PricedInstance, int]:
    """Return the cheapest instance that has room for Ludwig, and how many answer the busiest hour.

    Raises SettingsError if none has room.
    """
    needed = HEADROOM * measured.ludwig_memory_megabytes.value / 1000
    fitting = [instance for instance in prices.instances if instance.gigabytes >= needed]
    if not fitting:
        raise SettingsError(f"No instance of the file of prices has the {needed:.1f} GB that Ludwig needs.")
    count = math.ceil(traffic.peak_per_second() / measured.ludwig_answers_per_second.value)
    return min(fitting, key=lambda instance: instance.hour), max(1, count)


def break_even(index: int, traffic: Traffic, prices: RegionPrices, measured: Measured) -> float | None:
    """Return the messages a month from which one way of `compare` costs more than Ludwig.

    Args:
        index: Of the way, in the list that `compare` returns.
        traffic: All but its number of messages counts.
        prices: List prices of the region.
        measured: What the benchmarks measured.

    Returns:
        The first such point, since Ludwig's instances are added one at a time and there may be several; None if the
        way never costs more.
    """

    def surplus(number: float) -> float:
        bills = compare(msgspec.structs.replace(traffic, messages=number), prices, measured)
        return bills[index].total - bills[-1].total

    if surplus(1.0) >= 0:
        return None
    steps = (10 ** (step / STEPS) for step in range(1, int(math.log10(MOST_MESSAGES)) * STEPS + 1))
    high = next((number for number in steps if surplus(number) > 0), None)
    if high is None:
        return None
    low = high / 10 ** (1 / STEPS)
    while high / low > 1.0005:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if surplus(middle) > 0 else (middle, high)
    return low
