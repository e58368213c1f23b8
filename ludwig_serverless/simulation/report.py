"""Format simulated loads as Markdown, with the assumptions behind them."""

from collections.abc import Iterator, Sequence

from ludwig_serverless.cost.bill import MONTH_DAYS
from ludwig_serverless.cost.containers import TASK_CORES, TASK_GIGABYTES, UTILIZATION, cheaper_from
from ludwig_serverless.cost.measured import Figure, Measured
from ludwig_serverless.cost.report import CENT
from ludwig_serverless.simulation.durations import FULL_CORE_MEGABYTES, slowdown
from ludwig_serverless.simulation.fleet import COLD
from ludwig_serverless.simulation.outcome import BY_API, CAUSES
from ludwig_serverless.simulation.rows import Plan, Row, peak_per_second
from ludwig_serverless.simulation.settings import DAY, HOUR, MINUTE
from training.aws_prices import PriceList, RegionPrices

PER_SECOND_FROM = 50 * DAY
"""From so many messages per day, the table shows messages per second."""


def report(
    made: Sequence[Row], plan: Plan, region: str, listed: PriceList, prices: RegionPrices, measured: Measured
) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        made: The simulated loads.
        plan: What they have in common.
        region: Name of the region.
        listed: The price list, for its date and currency.
        prices: List prices of the region.
        measured: Benchmark results, from `durations.fitted`.
    """
    yield f"{_arrivals(plan)}, {plan.traffic.memory_megabytes} MB, {region}, {listed.currency}:\n"
    yield (
        "| messages, mean | busiest second | wait p50, p90, p99, max (ms) | cold starts | 429 by API Gateway | "
        "throttled by Lambda | concurrency | Lambda per month | per million | containers per month |"
    )
    yield "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|"
    for row in made:
        yield f"| {' | '.join(_cells(row))} |"
    yield "\nThe limit that breaks first, and what to change:\n"
    for row in made:
        yield f"- {rate(row.messages_per_day)}: {row.limits[0].sentence()}"
        yield from (f"    - then {limit.sentence()}" for limit in row.limits[1:] if limit.used > 1)
    yield from _per_million(made[-1], plan, prices, measured)
    yield "\nAssumptions:\n"
    yield from assumptions(made, plan, listed, measured)


def _per_million(row: Row, plan: Plan, prices: RegionPrices, measured: Measured) -> Iterator[str]:
    """Yield what a million messages cost by item, and from how many messages on containers cost less."""
    yield f"\nWhat a million messages cost at {rate(row.messages_per_day)}:\n"
    messages = row.messages_per_day * MONTH_DAYS
    for bill in (row.bill, row.containers):
        items = ((name, price / messages * 1e6) for name, price in (bill.fixed | bill.by_message).items())
        yield f"- {bill.name}: {', '.join(f'{name} {price:.2f}' for name, price in items if price >= CENT / 2)}"
    fixed, each = sum(row.bill.fixed.values()), sum(row.bill.by_message.values()) / messages
    peak_share = plan.profile.peak * (plan.burst.factor if plan.burst else 1)
    found = cheaper_from(fixed, each, peak_share, prices, measured)
    if found:
        per_day = float(f"{found / MONTH_DAYS:.2g}")
        yield f"- containers cost less from about {per_day:,.0f} messages a day on ({per_day / DAY:.2g} a second)"


def rate(messages_per_day: float) -> str:
    """Return a number of messages per day, or per second if there are many."""
    if messages_per_day < PER_SECOND_FROM:
        return f"{messages_per_day:,.0f} a day"
    per_second = messages_per_day / DAY
    return f"{per_second:,.0f} a second" if per_second >= 10 else f"{per_second:.2g} a second"


def _arrivals(plan: Plan) -> str:
    name = plan.profile.name[0].upper() + plan.profile.name[1:]
    if plan.burst is None:
        return name
    return f"{name}, and {plan.burst.factor:g} times the peak rate for {plan.burst.seconds:g} seconds"


def _cells(row: Row) -> Iterator[str]:
    outcome = row.outcome
    waits = ", ".join(f"{value:,.1f}" for value in outcome.percentiles(50, 90, 99, 100))
    yield rate(row.messages_per_day)
    yield f"{peak_per_second(row):,.0f}"
    yield waits if "nan" not in waits else "no answers"
    yield share(outcome.count(COLD), outcome.total)
    yield share(outcome.count(*BY_API), outcome.total)
    yield share(outcome.count(*(kind for kind in CAUSES if kind not in BY_API)), outcome.total)
    yield f"{outcome.peak:,}"
    yield f"{row.bill.total:,.2f}"
    yield f"{row.bill.total / (row.messages_per_day * MONTH_DAYS) * 1e6:,.2f}"
    yield f"{row.containers.total:,.2f} ({row.containers.name})"


def share(number: int, total: int) -> str:
    """Return a share as a percentage, with more digits for small ones; 0 % means none at all."""
    if not number:
        return "0"
    percent = 100 * number / max(total, 1)
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def assumptions(made: Sequence[Row], plan: Plan, listed: PriceList, measured: Measured) -> Iterator[str]:
    """Yield the lines that say what is known, measured, and assumed."""
    settings, slower = plan.settings, slowdown(plan.traffic.memory_megabytes)
    yield "- waits end with the function's answer: network, TLS and API Gateway come on top, and are not measured;"
    yield f"- warm answers: {distribution(measured.warm_answer_milliseconds)};"
    yield f"- cold starts with the first answer: {distribution(measured.cold_start_milliseconds)};"
    if slower > 1:
        yield f"- measured with {FULL_CORE_MEGABYTES} MB, which come with a processor core, and scaled by {slower:.2f}"
        yield f"  for the share of {plan.traffic.memory_megabytes} MB, an upper bound for short answers, unless"
        yield "  --answer-milliseconds and --start-milliseconds give the medians;"
    if plan.start_overhead:
        yield f"- {plan.start_overhead * 1000:g} ms more per cold start for what AWS does before it (--start-overhead);"
    else:
        yield "- nothing for what AWS does before a cold start (placing the environment, fetching the image), which"
        yield "  cannot be measured here: --start-overhead adds your own figure;"
    yield "- an environment serves one request at a time; a request takes an idle one, or starts one and waits for it;"
    yield "  Lambda never queues (documented), and takes the most recently used one (assumed);"
    yield f"- Lambda starts at most {settings.scaling_environments:,.0f} environments of a function in"
    yield f"  {settings.scaling_seconds:g} s, and accepts {settings.requests_per_environment:g} requests per second for"
    yield "  each unit of the concurrency limit (documented);"
    yield f"- an idle environment ends after {settings.idle_seconds / MINUTE:g} minutes, and each is replaced after"
    yield f"  {settings.lifetime_seconds / HOUR:g} hours, give or take {settings.spread:.0%} (assumed: AWS documents no"
    yield "  times);"
    yield "- callers do not retry; no other function uses the account's concurrency;"
    if any(not row.load.days for row in made):
        yield f"- of a day with more than {plan.budget:,} messages, only the busiest part was simulated: its waits"
        yield "  and shares are worse than those of the whole day;"
    yield "- the bill is that of all messages answered, as if the limits were raised, and with the share of cold starts"
    yield "  of the simulated time in the whole month;"
    yield f"- containers: `serve` with these models on Fargate behind a load balancer, in tasks of {TASK_CORES}"
    yield f"  cores and {TASK_GIGABYTES} GB around the clock, so many that each gives {UTILIZATION:.0%} of its"
    yield f"  {measured.serve_answers_per_second.value:,.0f} answers per second in the busiest hour and a burst, and"
    yield "  without the cost of operations;"
    yield f"- list prices of {listed.as_of}, without volume discounts, free tier and taxes; seed {plan.seed}."


def distribution(figure: Figure) -> str:
    """Return a sentence about a measured distribution."""
    where = f"`{figure.by}` on {figure.measured_at}, on {figure.machine}"
    if not figure.quantiles:
        return f"always the median of {figure.value:.4g} ms ({where}, which stored no distribution)"
    return (
        f"{figure.quantiles[0][1]:.4g} to {figure.quantiles[-1][1]:.4g} ms, median {figure.value:.4g}, distributed as "
        f"{figure.observations:,} measurements ({where})"
    )
