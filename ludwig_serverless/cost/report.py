"""A month's bills as Markdown, with the break-even points and everything that is assumed."""

import math
from collections.abc import Iterator

import msgspec

from ludwig_serverless.cost.bill import HEADROOM, INSTANCE_DISK_GB, PLATFORM_LOG_BYTES, Traffic, break_even, compare
from ludwig_serverless.cost.measured import Measured
from training.aws_prices import PriceList, RegionPrices

CENT = 0.01


def report(traffic: Traffic, region: str, listed: PriceList, prices: RegionPrices, measured: Measured) -> Iterator[str]:
    """Yield the lines of the answer, as Markdown."""
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


def break_even_sentence(index: int, traffic: Traffic, prices: RegionPrices, measured: Measured) -> str:
    """Say when one way of `compare` costs more than Ludwig, and than a single instance that answers everything."""
    tireless = msgspec.structs.replace(measured.ludwig_answers_per_second, value=math.inf)
    single = msgspec.structs.replace(measured, ludwig_answers_per_second=tireless)
    one = compare(msgspec.structs.replace(traffic, messages=1.0), prices, measured)
    if one[index].total > one[-1].total:
        return f"{one[index].name}: more expensive than Ludwig from the first message."
    with_all, with_one = (break_even(index, traffic, prices, figures) for figures in (measured, single))
    return (
        f"{one[index].name}: cheaper than Ludwig {_up_to(with_all)}; "
        f"than a single instance, if it could answer all of them, {_up_to(with_one)}."
    )


def _up_to(number: float | None) -> str:
    return (
        "at any number of messages" if number is None else f"up to about {float(f'{number:.2g}'):,.0f} messages a month"
    )


def assumptions(traffic: Traffic, listed: PriceList, measured: Measured) -> Iterator[str]:
    """Yield what the bills assume, a line each."""
    log_bytes = measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES
    answer_bytes = measured.answer_bytes_per_message.value
    ludwig_megabytes, rate = measured.ludwig_memory_megabytes.value, measured.ludwig_answers_per_second.value
    figures = [getattr(measured, name) for name in Measured.__struct_fields__]
    days = " and ".join(sorted({figure.measured_at for figure in figures}))
    machines = " and ".join(sorted({figure.machine for figure in figures}))
    yield f"- list prices of {listed.as_of}, without free tier, discounts and tax: check them at"
    yield f"  {', '.join(listed.sources)};"
    yield f"- more messages by day than by night; an idle sandbox stays {traffic.idle_minutes:g} minutes, so"
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
