"""Format a month's bills as Markdown, with break-even points and assumptions."""

import math
from collections.abc import Iterator

import msgspec

from ludwig_serverless.cost.bill import (
    HEADROOM,
    INSTANCE_DISK_GB,
    PLATFORM_LOG_BYTES,
    RESTORE_MILLISECONDS,
    Traffic,
    break_even,
    compare,
)
from ludwig_serverless.cost.measured import Measured
from ludwig_serverless.cost.metrics import LOG_BYTES, number_of_metrics
from training.aws_prices import PriceList, RegionPrices

CENT = 0.01


def report(traffic: Traffic, region: str, listed: PriceList, prices: RegionPrices, measured: Measured) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        traffic: The load and the size of the function.
        region: Name of the region.
        listed: The price list, for its date, currency and sources.
        prices: List prices of the region.
        measured: Benchmark results.
    """
    bills = compare(traffic, prices, measured)
    yield f"{traffic.messages:,.0f} messages per month, {traffic.memory_megabytes} MB, {region}, {listed.currency}:\n"
    yield "| option | total per month | of which fixed | items |"
    yield "|---|--:|--:|---|"
    for bill in bills:
        parts = [f"{name} {price:.2f}" for name, price in (bill.fixed | bill.by_message).items() if price >= CENT / 2]
        yield f"| {bill.name} | {bill.total:.2f} | {sum(bill.fixed.values()):.2f} | {', '.join(parts)} |"
    yield ""
    for index, _ in enumerate(bills[:-1]):
        yield f"- {break_even_sentence(index, traffic, prices, measured)}"
    yield "\nAssumptions:\n"
    yield from assumptions(traffic, listed, measured)


def break_even_sentence(index: int, traffic: Traffic, prices: RegionPrices, measured: Measured) -> str:
    """Return a sentence that compares an option with Ludwig, and with a single instance of unlimited throughput.

    Args:
        index: Index of the option in the result of `compare`.
        traffic: The size of the function.
        prices: List prices of the region.
        measured: Benchmark results.
    """
    unlimited = msgspec.structs.replace(measured.ludwig_answers_per_second, value=math.inf)
    single = msgspec.structs.replace(measured, ludwig_answers_per_second=unlimited)
    one = compare(msgspec.structs.replace(traffic, messages=1.0), prices, measured)
    if one[index].total > one[-1].total:
        return f"{one[index].name}: more expensive than Ludwig from the first message."
    with_all, with_one = (break_even(index, traffic, prices, figures) for figures in (measured, single))
    return (
        f"{one[index].name}: cheaper than Ludwig {_up_to(with_all)}, and cheaper than a single instance with unlimited "
        f"throughput {_up_to(with_one)}."
    )


def _up_to(number: float | None) -> str:
    return (
        "for any number of messages"
        if number is None
        else f"up to about {float(f'{number:.2g}'):,.0f} messages per month"
    )


def _compared(start_milliseconds: float) -> str:
    """Return whether a restore is slower than the start that it replaces."""
    if start_milliseconds <= RESTORE_MILLISECONDS:
        return f"slower than the start of {start_milliseconds:.0f} ms that it replaces, so SnapStart does not pay here"
    return f"faster than the start of {start_milliseconds:.0f} ms that it replaces"


def assumptions(traffic: Traffic, listed: PriceList, measured: Measured) -> Iterator[str]:
    """Yield the lines that list the assumptions of the bills.

    Args:
        traffic: The load and the size of the function.
        listed: The price list, for its date and sources.
        measured: Benchmark results.
    """
    log_bytes = measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES
    answer_bytes = measured.answer_bytes_per_message.value
    ludwig_megabytes, rate = measured.ludwig_memory_megabytes.value, measured.ludwig_answers_per_second.value
    figures = [getattr(measured, name) for name in Measured.__struct_fields__]
    days = " and ".join(sorted({figure.measured_at for figure in figures}))
    machines = " and ".join(sorted({figure.machine for figure in figures}))
    yield f"- list prices of {listed.as_of}, without free tier, discounts and taxes: check them at"
    yield f"  {', '.join(listed.sources)};"
    yield f"- more messages by day than by night; Lambda keeps an idle sandbox for {traffic.idle_minutes:g} minutes, so"
    yield f"  {traffic.cold_share():.2%} of the messages wait for a cold start;"
    yield f"- {math.ceil(measured.warm_answer_milliseconds.value)} ms billed per answer, and"
    yield f"  {measured.cold_start_milliseconds.value:.0f} ms more per cold start: measured at 1769 MB, and assumed for"
    yield "  all memory sizes;"
    yield f"- {log_bytes:.0f} bytes of logs, kept for a month, and {answer_bytes:.0f} bytes of response per message;"
    if traffic.metrics != "off":
        yield f"- {number_of_metrics(traffic)} metrics of three models with {traffic.intents} intents, billed for the"
        yield f"  hours in which they get data, and {LOG_BYTES[traffic.metrics]} more bytes of logs per message;"
    yield "- in the registry, only the size that the image adds to AWS's base, once;"
    yield f"- with SnapStart, one version and {RESTORE_MILLISECONDS} ms billed per restore: others measured 400 to 700,"
    yield f"  and it is {_compared(measured.cold_start_milliseconds.value)};"
    yield "- with provisioned concurrency, enough instances for all messages;"
    yield f"- for Ludwig, {HEADROOM:g} times its {ludwig_megabytes:.0f} MB of memory, {INSTANCE_DISK_GB} GB of disk, as"
    yield f"  many instances as the busiest hour needs at {rate:.1f} answers per second each, no load balancer, no"
    yield "  spare instance, and no cost of operations;"
    yield f"- figures measured by `make bench` on {days}, on {machines}."
