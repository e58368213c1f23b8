"""What a month costs on AWS: plain Lambda, SnapStart, provisioned concurrency, or Ludwig day and night.

From published prices and measured figures. The Lambda itself never imports this.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from handler.errors import SettingsError
from handler.prices import PRICES, Instance, Measured, PriceList, Prices, read_measured, read_prices

MONTH_DAYS = 365.25 / 12
MONTH_HOURS = MONTH_DAYS * 24
MONTH_SECONDS = MONTH_HOURS * 3600
MEGABYTES = 1024
"""In a gigabyte, as Lambda counts: 1769 MB are 1.728 GB."""
SMALLEST, LARGEST = 128, 10_240
"""Megabytes that a Lambda may have."""
DAYTIME = (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 8, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2)
"""How messages spread over the hours of a day, in parts: a bot whose users live in one time zone."""
PLATFORM_LOG_BYTES = 1000
"""What AWS logs of a message, rounded up: the function's start, end and report, and API Gateway's access line."""
INSTANCE_DISK_GB = 30
HEADROOM = 2.0
"""How many times Ludwig's peak an instance has in memory: there is a system too, and a second version at a rollout."""
MOST_MESSAGES = 1e12
CENT = 0.01
STEPS = 20
"""How finely each power of ten is searched for a break-even point."""


class Traffic(msgspec.Struct, frozen=True):
    """What is asked of a function in a month. idle_minutes: how long Lambda keeps a sandbox that nobody asks."""

    messages: float
    memory_megabytes: int = 1769
    idle_minutes: float = 10.0
    provisioned: int = 1

    @property
    def gigabytes(self) -> float:
        """The function's memory, as it is billed."""
        return self.memory_megabytes / MEGABYTES

    def cold_share(self) -> float:
        """Return which part of the messages finds no sandbox.

        Messages of an hour come at random; one is cold if none came in the idle minutes before it. That a message may
        meet a busy sandbox is left out: at a few milliseconds an answer it is rare.
        """
        shares = [hour / sum(DAYTIME) for hour in DAYTIME]
        a_minute = [self.messages / MONTH_DAYS * share / 60 for share in shares]
        return sum(share * math.exp(-rate * self.idle_minutes) for share, rate in zip(shares, a_minute, strict=True))

    def peak_per_second(self) -> float:
        """Return the messages a second in the busiest hour."""
        return self.messages / MONTH_DAYS * max(DAYTIME) / sum(DAYTIME) / 3600


class Bill(msgspec.Struct, frozen=True):
    """What a month costs. fixed: without a message. by_message: what grows with them."""

    name: str
    fixed: dict[str, float]
    by_message: dict[str, float]

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self.fixed.values()) + sum(self.by_message.values())


def add(commands: Any) -> None:
    """Add `cost` to the commands of a command line."""
    command: argparse.ArgumentParser = commands.add_parser(
        "cost",
        help="what a month costs on AWS, beside a server that runs Ludwig day and night",
        description=__doc__,
        epilog="examples:\n  python -m handler cost --messages-per-month 100000\n"
        "  python -m handler cost --messages-per-month 5e6 --memory 512 --idle-minutes 5\n\n"
        "handler/prices.json holds list prices, with their month and their sources: check them before you decide.\n"
        "handler/measured.json holds what `make bench` measured.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--messages-per-month", type=messages, required=True, help="that Hexabot sends", metavar="N")
    command.add_argument("--memory", type=megabytes, default=1769, metavar="MB", help="of the function (%(default)s)")
    command.add_argument("--region", default="us-east-1", help="one that the file of prices has (%(default)s)")
    command.add_argument(
        "--idle-minutes",
        type=messages,
        default=10.0,
        metavar="MINUTES",
        help="how long Lambda keeps a sandbox that nobody asks; AWS promises nothing (%(default)s)",
    )
    command.add_argument("--provisioned", type=instances, default=1, metavar="N", help="instances (%(default)s)")
    command.add_argument("--prices", type=Path, default=PRICES, help="another file of prices, of the same form")
    command.set_defaults(run=run)


def messages(text: str) -> float:
    """Read a number above zero."""
    number = float(text)
    if not 0 < number <= MOST_MESSAGES:
        raise argparse.ArgumentTypeError(f"must be above zero and at most {MOST_MESSAGES:.0e}, found {text}")
    return number


def megabytes(text: str) -> int:
    """Read the memory of a Lambda."""
    number = int(text)
    if not SMALLEST <= number <= LARGEST:
        raise argparse.ArgumentTypeError(f"a Lambda has {SMALLEST} to {LARGEST} MB, found {text}")
    return number


def instances(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, found {text}")
    return number


def run(options: argparse.Namespace) -> None:
    """Print the bills, the break-even points and what they assume. Raises SettingsError."""
    listed, prices = read_prices(options.prices, options.region)
    traffic = Traffic(options.messages_per_month, options.memory, options.idle_minutes, options.provisioned)
    print("\n".join(report(traffic, options.region, listed, prices, read_measured())))


def report(traffic: Traffic, region: str, listed: PriceList, prices: Prices, measured: Measured) -> Iterator[str]:
    """Give the lines of the answer, as Markdown."""
    bills = compare(traffic, prices, measured)
    yield f"{traffic.messages:,.0f} messages a month, {traffic.memory_megabytes} MB, {region}, {listed.currency}:\n"
    yield "| a month | together | fixed | made of |"
    yield "|---|--:|--:|---|"
    for bill in bills:
        parts = [f"{name} {price:.2f}" for name, price in (bill.fixed | bill.by_message).items() if price >= CENT / 2]
        yield f"| {bill.name} | {bill.total:.2f} | {sum(bill.fixed.values()):.2f} | {', '.join(parts)} |"
    yield ""
    for index, _ in enumerate(bills[:-1]):
        yield f"- {break_even_sentence(index, traffic, prices, measured)}"
    yield "\nAssumed:\n"
    yield from assumptions(traffic, listed, measured)


def compare(traffic: Traffic, prices: Prices, measured: Measured) -> list[Bill]:
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


def ludwig_instances(traffic: Traffic, prices: Prices, measured: Measured) -> tuple[Instance, int]:
    """Return the cheapest instance that has room for Ludwig, and how many answer the busiest hour.

    Raises SettingsError if none has room.
    """
    needed = HEADROOM * measured.ludwig_memory_megabytes.value / 1000
    fitting = [instance for instance in prices.instances if instance.gigabytes >= needed]
    if not fitting:
        raise SettingsError(f"No instance of the file of prices has the {needed:.1f} GB that Ludwig needs.")
    count = math.ceil(traffic.peak_per_second() / measured.ludwig_answers_per_second.value)
    return min(fitting, key=lambda instance: instance.hour), max(1, count)


def break_even(index: int, traffic: Traffic, prices: Prices, measured: Measured) -> float | None:
    """Return from how many messages a month on one way of `compare` is dearer than Ludwig; None if it never becomes so.

    The first such point: since Ludwig's instances are bought one at a time, there may be more.
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


def break_even_sentence(index: int, traffic: Traffic, prices: Prices, measured: Measured) -> str:
    """Say where one way of `compare` becomes dearer than Ludwig, and than one instance that answered everything."""
    tireless = msgspec.structs.replace(measured.ludwig_answers_per_second, value=math.inf)
    single = msgspec.structs.replace(measured, ludwig_answers_per_second=tireless)
    one = compare(msgspec.structs.replace(traffic, messages=1.0), prices, measured)
    if one[index].total > one[-1].total:
        return f"{one[index].name}: dearer than Ludwig from the first message on."
    with_all, with_one = (break_even(index, traffic, prices, figures) for figures in (measured, single))
    return (
        f"{one[index].name}: cheaper than Ludwig {_up_to(with_all)}; "
        f"than a single instance, did it answer all of them, {_up_to(with_one)}."
    )


def _up_to(number: float | None) -> str:
    return (
        "at any number of messages" if number is None else f"up to about {float(f'{number:.2g}'):,.0f} messages a month"
    )


def assumptions(traffic: Traffic, listed: PriceList, measured: Measured) -> Iterator[str]:
    """Give what the bills rest on, a line each."""
    log_bytes = measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES
    answer_bytes = measured.answer_bytes_per_message.value
    ludwig_megabytes, rate = measured.ludwig_memory_megabytes.value, measured.ludwig_answers_per_second.value
    figures = [getattr(measured, name) for name in Measured.__struct_fields__]
    days = " and ".join(sorted({figure.measured_at for figure in figures}))
    machines = " and ".join(sorted({figure.machine for figure in figures}))
    yield f"- list prices of {listed.as_of}, without free tier, discounts and tax: check them at"
    yield f"  {', '.join(listed.sources)};"
    yield f"- more messages by day than by night; a sandbox that nobody asks stays {traffic.idle_minutes:g} minutes, so"
    yield f"  {traffic.cold_share():.2%} of the messages wait for a start;"
    yield f"- an answer is billed {math.ceil(measured.warm_answer_milliseconds.value)} ms, a start"
    yield f"  {measured.cold_start_milliseconds.value:.0f} ms more: measured at 1769 MB, and taken for any memory;"
    yield f"- {log_bytes:.0f} bytes of logs, kept for a month, and {answer_bytes:.0f} bytes of answer for each message;"
    yield "- in the registry what the image adds to AWS's base, once;"
    yield "- one version with SnapStart, whose restores take no billed time; provisioned instances meet every message;"
    yield f"- Ludwig in {HEADROOM:g} times its {ludwig_megabytes:.0f} MB, with {INSTANCE_DISK_GB} GB of disk, as many"
    yield f"  instances as the busiest hour needs at {rate:.1f} answers a second each, no load balancer, no spare, and"
    yield "  nobody's time to look after them;"
    yield f"- figures that `make bench` measured on {days}, on {machines}."
