"""Calculate a month's bill on AWS: plain Lambda, SnapStart, provisioned concurrency, or Ludwig on EC2."""

import math

import msgspec

from handler.errors import SettingsError
from ludwig_serverless.cost.measured import Measured
from ludwig_serverless.cost.metrics import metrics_items
from training.aws_prices import PricedInstance, RegionPrices

MONTH_DAYS = 365.25 / 12
MONTH_HOURS = MONTH_DAYS * 24
MONTH_SECONDS = MONTH_HOURS * 3600
MEGABYTES = 1024
"""MB per GB, as Lambda calculates: 1769 MB are 1.728 GB."""
DAYTIME = (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 8, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2)
"""Relative number of messages in each hour of the day, for a bot whose users live in one time zone."""
PLATFORM_LOG_BYTES = 1000
"""What AWS logs per message, rounded up: the function's START, END and REPORT lines, and API Gateway's access log."""
INSTANCE_DISK_GB = 30
HEADROOM = 2.0
"""Memory of an instance relative to Ludwig's peak: it also runs the system and, during a rollout, a second version."""
RESTORE_MILLISECONDS = 550
"""How long SnapStart takes to restore a snapshot, all of it billed: others measured 400 to 700 ms for Python."""
MOST_MESSAGES = 1e12
STEPS = 20
"""Number of steps per power of ten in the search for a break-even point."""


class Traffic(msgspec.Struct, frozen=True):
    """The load and the size of a function.

    Attributes:
        messages: Messages per month.
        memory_megabytes: The function's memory, in MB.
        idle_minutes: How long Lambda keeps an idle sandbox, in minutes.
        provisioned: Number of provisioned instances.
        metrics: The template's parameter `Metrics`: "off", "on" or "drift".
        intents: Number of intents, each of which has a metric if drift is measured.
    """

    messages: float
    memory_megabytes: int = 1769
    idle_minutes: float = 10.0
    provisioned: int = 1
    metrics: str = "off"
    intents: int = 20

    @property
    def gigabytes(self) -> float:
        """The billed memory, in GB of 1024 MB."""
        return self.memory_megabytes / MEGABYTES

    def hourly(self) -> list[float]:
        """Return the number of messages in each hour of an average day."""
        return [self.messages / MONTH_DAYS * hour / sum(DAYTIME) for hour in DAYTIME]

    def cold_share(self) -> float:
        """Return the share of messages that wait for a cold start.

        Within an hour, messages arrive as a Poisson process. A message is cold if no other arrived in the
        `idle_minutes` before it. Cold starts due to concurrent messages are ignored: they are rare, because an answer
        takes a few milliseconds.
        """
        shares = [hour / sum(DAYTIME) for hour in DAYTIME]
        per_minute = [self.messages / MONTH_DAYS * share / 60 for share in shares]
        return sum(share * math.exp(-rate * self.idle_minutes) for share, rate in zip(shares, per_minute, strict=True))

    def peak_per_second(self) -> float:
        """Return the messages per second in the busiest hour."""
        return self.messages / MONTH_DAYS * max(DAYTIME) / sum(DAYTIME) / 3600


class Bill(msgspec.Struct, frozen=True):
    """A month's bill, in dollars.

    Attributes:
        name: Name of the option.
        fixed: Costs that do not depend on the number of messages, by item.
        by_message: Costs that grow with the number of messages, by item.
    """

    name: str
    fixed: dict[str, float]
    by_message: dict[str, float]

    @property
    def total(self) -> float:
        """The sum of all items."""
        return sum(self.fixed.values()) + sum(self.by_message.values())


class Usage(msgspec.Struct, frozen=True):
    """What a month of messages uses of Lambda. AWS bills requests and durations, also that of the initialization.

    Attributes:
        messages: Messages that reach API Gateway and are billed.
        answer_seconds: Billed duration of all warm answers on demand.
        start_seconds: Billed duration of all cold starts with their first answers, where the latter are not in
            `answer_seconds`.
        provisioned_seconds: Billed duration of all answers of provisioned environments.
        provisioned: Number of provisioned environments, which exist all the month.
    """

    messages: float
    answer_seconds: float = 0.0
    start_seconds: float = 0.0
    provisioned_seconds: float = 0.0
    provisioned: int = 0


def lambda_bill(name: str, usage: Usage, traffic: Traffic, prices: RegionPrices, measured: Measured) -> Bill:
    """Calculate the bill of a function behind an HTTP API.

    Args:
        name: Name of the option.
        usage: What the messages use.
        traffic: The size of the function, and its metrics.
        prices: List prices of a region.
        measured: Benchmark results, for the bytes of logs and answers.
    """
    gigabytes = traffic.gigabytes
    logged = usage.messages * (measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES) / 1e9
    registry = {"registry": measured.image_megabytes.value / 1000 * prices.registry_gb_month}
    kept = prices.provisioned_gb_second * gigabytes * MONTH_SECONDS * usage.provisioned
    on_demand = usage.answer_seconds * gigabytes * prices.lambda_gb_second
    from_provisioned = usage.provisioned_seconds * gigabytes * prices.provisioned_duration_gb_second
    return Bill(
        name,
        registry | ({"provisioned": kept} if usage.provisioned else {}),
        {
            "answers": on_demand + from_provisioned,
            "cold starts": usage.start_seconds * gigabytes * prices.lambda_gb_second,
            "API": usage.messages / 1e6 * prices.http_api_million_requests,
            "requests": usage.messages / 1e6 * prices.lambda_million_requests,
            "logs": logged * (prices.logs_gb + prices.logs_storage_gb_month),
            **metrics_items(traffic, prices),
            "data": usage.messages * measured.answer_bytes_per_message.value / 1e9 * prices.data_out_gb,
        },
    )


def compare(traffic: Traffic, prices: RegionPrices, measured: Measured) -> list[Bill]:
    """Calculate the bills of all options.

    Args:
        traffic: The load and the size of the function.
        prices: List prices of a region.
        measured: Benchmark results.

    Returns:
        One bill per option; Ludwig's is the last.
    """
    gigabytes, number = traffic.gigabytes, traffic.provisioned
    cold = traffic.messages * traffic.cold_share()
    seconds = traffic.messages * math.ceil(measured.warm_answer_milliseconds.value) / 1000
    starts = cold * measured.cold_start_milliseconds.value / 1000
    plain = lambda_bill("Lambda", Usage(traffic.messages, seconds, starts), traffic, prices, measured)
    warm = Usage(traffic.messages, provisioned_seconds=seconds, provisioned=number)
    provisioned = lambda_bill(f"Lambda, {number} provisioned", warm, traffic, prices, measured)
    snapshot = prices.snapstart_cache_gb_second * gigabytes * MONTH_SECONDS
    restored = prices.snapstart_restore_gb + RESTORE_MILLISECONDS / 1000 * prices.lambda_gb_second
    machine, count = ludwig_instances(traffic, prices, measured)
    ludwig = {
        "instances": count * machine.hour * MONTH_HOURS,
        "disk": count * INSTANCE_DISK_GB * prices.disk_gb_month,
        "address": count * prices.address_hour * MONTH_HOURS,
    }
    return [
        plain,
        Bill(
            "Lambda, SnapStart",
            plain.fixed | {"snapshot": snapshot},
            _renamed(plain.by_message, "cold starts", "restores", cold * gigabytes * restored),
        ),
        Bill(provisioned.name, provisioned.fixed, _without(provisioned.by_message, "cold starts")),
        Bill(f"Ludwig, {count} x {machine.name}", ludwig, {"data": plain.by_message["data"]}),
    ]


def _renamed(items: dict[str, float], old: str, new: str, price: float) -> dict[str, float]:
    """Return the items with another one in the place of an old one."""
    return {(new if name == old else name): (price if name == old else value) for name, value in items.items()}


def _without(items: dict[str, float], left_out: str) -> dict[str, float]:
    return {name: value for name, value in items.items() if name != left_out}


def ludwig_instances(traffic: Traffic, prices: RegionPrices, measured: Measured) -> tuple[PricedInstance, int]:
    """Return the cheapest instance type with enough memory for Ludwig, and the number needed in the busiest hour.

    Args:
        traffic: The load.
        prices: List prices of a region, with its instance types.
        measured: Benchmark results.

    Raises:
        SettingsError: No instance type has enough memory.
    """
    needed = HEADROOM * measured.ludwig_memory_megabytes.value / 1000
    fitting = [instance for instance in prices.instances if instance.gigabytes >= needed]
    if not fitting:
        raise SettingsError(f"No instance in the price file has the {needed:.1f} GB of memory that Ludwig needs.")
    count = math.ceil(traffic.peak_per_second() / measured.ludwig_answers_per_second.value)
    return min(fitting, key=lambda instance: instance.hour), max(1, count)


def break_even(index: int, traffic: Traffic, prices: RegionPrices, measured: Measured) -> float | None:
    """Return the number of messages per month above which an option costs more than Ludwig.

    Args:
        index: Index of the option in the result of `compare`.
        traffic: The size of the function; its number of messages is ignored.
        prices: List prices of the region.
        measured: Benchmark results.

    Returns:
        The first break-even point (there may be several, because Ludwig's instances are added one at a time); None if
        there is none.
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
