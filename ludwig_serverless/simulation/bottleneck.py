"""Compare the demand with each limit, and name the limit that breaks first and the setting to change."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from ludwig_serverless.simulation.buckets import needed_capacity, needed_rate
from ludwig_serverless.simulation.fleet import COLD
from ludwig_serverless.simulation.outcome import Outcome
from ludwig_serverless.simulation.settings import Settings


class Limit(NamedTuple):
    """A limit and the demand for it.

    Attributes:
        name: What the report calls it.
        value: The limit.
        needed: The smallest value that throttles no simulated message.
        advice: What to do if it is too small.
    """

    name: str
    value: float
    needed: float
    advice: str

    @property
    def used(self) -> float:
        """The share of the limit that is needed; above 1, it throttles."""
        if not self.value:
            return math.inf if self.needed else 0.0
        return self.needed / self.value

    def sentence(self) -> str:
        """Return what is needed of the limit, and what to do if that is too much."""
        needed = _whole(self.needed)
        if self.used > 1:
            return f"{self.name}: {_whole(self.value)} of {needed} needed: {self.advice}"
        return f"none; {self.name} is {self.used:.0%} used ({needed} of {_whole(self.value)})"


def limits(demand: Outcome, settings: Settings) -> list[Limit]:
    """Return all limits, the one that breaks first at the front.

    Args:
        demand: A simulation of the same messages without limits.
        settings: The limits.
    """
    return sorted(_limits(demand, settings), key=lambda limit: -limit.used)


def _limits(demand: Outcome, settings: Settings) -> Iterator[Limit]:
    times = demand.times[demand.counted]
    rate, burst = needed_rate(times, settings.request_burst), needed_capacity(times, settings.requests_per_second)
    by_rate = Limit(
        "RequestsPerSecond",
        settings.requests_per_second,
        rate,
        f"deploy with RequestsPerSecond={_whole(rate)}",
    )
    by_burst = Limit("RequestBurst", settings.request_burst, burst, f"deploy with RequestBurst={_whole(burst)}")
    # A larger bucket or a faster one would do: name the one that has to change less. If neither has to, name the one
    # of which more is used.
    choose = min if by_rate.used > 1 else max
    yield choose(by_rate, by_burst, key=lambda limit: limit.used)
    yield Limit(
        "API Gateway requests per second",
        settings.api_requests_per_second,
        needed_rate(times, settings.api_burst),
        "request a quota increase, or use a second region, a function URL or a load balancer",
    )
    name = "Account concurrency" if settings.reserved is None else "ReservedConcurrency"
    advice = "request a quota increase" if settings.reserved is None else "raise ReservedConcurrency"
    per_unit = settings.requests_per_environment
    yield Limit(
        f"{name} (at {per_unit:g} requests per second each)",
        settings.concurrency,
        math.ceil(needed_rate(times, max(settings.lambda_requests_per_second, 1.0)) / per_unit),
        advice,
    )
    yield Limit(name, settings.concurrency, demand.peak, advice)
    starts = demand.times[demand.counted & (demand.kinds == COLD)]
    yield Limit(
        f"New environments in {settings.scaling_seconds:g} seconds",
        settings.scaling_environments,
        needed_capacity(starts, settings.scaling_environments / settings.scaling_seconds) if len(starts) else 0,
        "this limit cannot be raised: use provisioned concurrency, or retry in the caller",
    )


def _whole(number: float) -> str:
    return "unlimited" if math.isinf(number) else f"{math.ceil(number - 1e-9):,}"
