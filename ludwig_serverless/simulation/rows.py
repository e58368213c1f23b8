"""Simulate one or several loads: what their users wait, which limit breaks first, and the bill."""

import math
from typing import NamedTuple

import msgspec
import numpy as np

from ludwig_serverless.cost.bill import MONTH_DAYS, Bill, Traffic, Usage, lambda_bill
from ludwig_serverless.cost.containers import container_bill
from ludwig_serverless.cost.measured import Measured
from ludwig_serverless.simulation.arrivals import Burst, Load, Profile, arrivals
from ludwig_serverless.simulation.bottleneck import Limit, limits
from ludwig_serverless.simulation.durations import draw
from ludwig_serverless.simulation.fleet import COLD, PROVISIONED, WARM
from ludwig_serverless.simulation.outcome import Outcome, simulate
from ludwig_serverless.simulation.settings import DAY, Settings
from training.aws_prices import RegionPrices


class Plan(NamedTuple):
    """What all rows of a table have in common.

    Attributes:
        profile: How messages are distributed over the day.
        settings: The limits.
        traffic: The size of the function; its number of messages is ignored.
        burst: A burst in the busiest part of each day.
        seed: Seed of the random numbers.
        budget: About how many messages to simulate per row at most.
        start_overhead: What AWS adds to each cold start, in seconds.
    """

    profile: Profile
    settings: Settings
    traffic: Traffic
    burst: Burst | None = None
    seed: int = 0
    budget: int = 1_000_000
    start_overhead: float = 0.0


class Row(NamedTuple):
    """The result for one load.

    Attributes:
        messages_per_day: The mean number of messages per day, with bursts.
        load: The simulated messages.
        outcome: What happens to them with the limits.
        demand: What happens to them without limits.
        limits: All limits with the demand for each, the one that breaks first at the front.
        bill: The monthly bill if all messages are answered.
        containers: The monthly bill of `serve` in containers instead, with tasks for the busiest hour and the burst.
    """

    messages_per_day: float
    load: Load
    outcome: Outcome
    demand: Outcome
    limits: list[Limit]
    bill: Bill
    containers: Bill


def simulate_row(messages_per_day: float, plan: Plan, prices: RegionPrices, measured: Measured) -> Row:
    """Simulate one load.

    Args:
        messages_per_day: Messages per day, without the burst.
        plan: What all loads have in common.
        prices: List prices of a region.
        measured: Benchmark results, with the distributions of durations from `durations.fitted`.
    """
    random = np.random.default_rng(plan.seed)
    load = arrivals(plan.profile, messages_per_day, random, plan.budget, plan.burst)
    draws = draw(len(load.times), plan.settings, measured, random, plan.start_overhead)
    outcome = simulate(load.times, draws, plan.settings, load.counted_from)
    demand = outcome
    if outcome.throttled():
        demand = simulate(load.times, draws, plan.settings.unlimited(), load.counted_from)
    peak = messages_per_day / DAY * plan.profile.peak
    if plan.burst and plan.profile.times is None:
        messages_per_day += peak * (plan.burst.factor - 1) * plan.burst.seconds * DAY / plan.profile.period
    usage = usage_of(demand, messages_per_day * MONTH_DAYS, plan.settings.provisioned)
    traffic = msgspec.structs.replace(plan.traffic, messages=usage.messages)
    bill = lambda_bill("Lambda", usage, traffic, prices, measured)
    highest = peak * (plan.burst.factor if plan.burst else 1)
    containers = container_bill(usage.messages, highest, prices, measured)
    return Row(messages_per_day, load, outcome, demand, limits(demand, plan.settings), bill, containers)


def usage_of(demand: Outcome, messages: float, provisioned: int) -> Usage:
    """Return what a month of messages uses, from simulated ones that are all answered.

    Args:
        demand: A simulation without limits.
        messages: Messages per month.
        provisioned: Number of provisioned environments.
    """
    each = messages / max(demand.total, 1)

    def seconds(kind: int) -> float:
        waits = demand.waits[demand.counted & (demand.kinds == kind)]
        return float(np.ceil(waits * 1000 - 1e-9).sum()) / 1000 * each  # AWS bills by started milliseconds

    return Usage(messages, seconds(WARM), seconds(COLD), seconds(PROVISIONED), provisioned)


def summary(row: Row) -> dict[str, object]:
    """Return a result as the values of one JSON object. A value that does not exist, or is unlimited, is null."""
    outcome, total = row.outcome, row.outcome.total
    names = ("p50", "p90", "p99", "max")
    waits = outcome.percentiles(50, 90, 99, 100)
    return {
        "messages_per_day": row.messages_per_day,
        "simulated_messages": total,
        "simulated_seconds": row.load.seconds,
        "simulated_days": row.load.days,
        "peak_per_second": peak_per_second(row),
        "wait_milliseconds": {name: _finite(value) for name, value in zip(names, waits, strict=True)},
        "answered_share": 1 - sum(outcome.throttled().values()) / max(total, 1),
        "cold_share": outcome.count(COLD) / max(total, 1),
        "provisioned_share": outcome.count(PROVISIONED) / max(total, 1),
        "throttled_share": {cause: number / max(total, 1) for cause, number in outcome.throttled().items()},
        "peak_concurrency": outcome.peak,
        "environments_started": outcome.count(COLD),
        "first_limit": row.limits[0].sentence(),
        "limits": [
            {"name": limit.name, "value": _finite(limit.value), "needed": _finite(limit.needed)} for limit in row.limits
        ],
        "per_month": {"total": row.bill.total, **row.bill.fixed, **row.bill.by_message},
        "per_day": row.bill.total / MONTH_DAYS,
        "containers_per_month": {"total": row.containers.total, **row.containers.fixed, **row.containers.by_message},
        "per_million": row.bill.total / (row.messages_per_day * MONTH_DAYS) * 1e6,
    }


def peak_per_second(row: Row) -> float:
    """Return the largest number of messages in a second of the simulation."""
    times = row.outcome.times[row.outcome.counted]
    if not len(times):
        return 0.0
    return float(np.unique(np.floor(times), return_counts=True)[1].max())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
