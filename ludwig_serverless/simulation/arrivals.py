"""Arrivals of messages: a Poisson process whose rate follows a profile of the day, with an optional burst.

A day with few messages is repeated until there are enough of them for percentiles. Of a day with more messages than the
budget, only the busiest part is simulated, after a warm-up that does not count.
"""

import math
from typing import NamedTuple

import numpy as np

from ludwig_serverless.cost.bill import DAYTIME
from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.settings import HOUR

DAY = 24 * HOUR
ENOUGH = 20_000
"""Days are repeated until about so many messages arrived."""
MOST_DAYS = 365
WARM_UP = 0.2
"""Share of a part of a day that only warms up the environments."""
BEFORE_BURST = 0.25
"""Share of a part of a day before its burst starts."""


class Burst(NamedTuple):
    """A time with more messages, in the busiest part of each day.

    Attributes:
        factor: How many times more messages arrive.
        seconds: How long it lasts.
    """

    factor: float
    seconds: float


class Profile(NamedTuple):
    """How the messages of a period are distributed over it; the period repeats.

    Attributes:
        name: What the report calls it.
        weights: Relative number of messages in each part of the period.
        width: Duration of each part, in seconds.
        times: The recorded times of all messages, in seconds, if they are to be replayed; None draws them.
        messages_per_day: The recorded number; 0 if the profile has none of its own.
    """

    name: str
    weights: tuple[float, ...]
    width: float = HOUR
    times: Times | None = None
    messages_per_day: float = 0.0

    @property
    def period(self) -> float:
        """The duration of the whole profile, in seconds."""
        return len(self.weights) * self.width

    @property
    def peak(self) -> float:
        """The rate of the busiest part, relative to the mean rate."""
        return max(self.weights) * len(self.weights) / sum(self.weights)


STEADY = Profile("a constant rate", (1.0,) * 24)
DAYLIGHT = Profile("more messages by day than by night", tuple(float(hour) for hour in DAYTIME))


class Load(NamedTuple):
    """The messages to simulate.

    Attributes:
        times: Their times in seconds, ascending.
        counted_from: Messages before this second only warm up the environments.
        seconds: How long the counted part lasts.
        days: How many whole days it covers; 0 for the busiest part of a day.
    """

    times: Times
    counted_from: float
    seconds: float
    days: float


def arrivals(
    profile: Profile, messages_per_day: float, random: np.random.Generator, budget: int, burst: Burst | None = None
) -> Load:
    """Return the messages to simulate.

    Args:
        profile: How they are distributed over the day.
        messages_per_day: Their mean number per day, without the burst.
        random: The generator.
        budget: About how many messages to simulate at most.
        burst: A burst in the busiest part of each day.
    """
    if profile.times is not None:
        return _recorded(profile.times, profile.period, budget)
    mean = messages_per_day / DAY
    if messages_per_day * profile.period / DAY > budget:
        return _busiest_part(mean * profile.peak, random, budget, burst, profile.width)
    days_each = profile.period / DAY
    repeats = math.ceil(min(ENOUGH / messages_per_day, MOST_DAYS) / days_each)
    weights: Times = np.array(profile.weights)
    rates: Times = np.tile(mean * weights / float(weights.mean()), repeats)
    parts: Times = np.arange(len(rates), dtype=float) * profile.width
    times = _poisson(parts, rates, profile.width, random)
    if burst:
        at = (int(np.argmax(weights)) + BEFORE_BURST) * profile.width
        starts: Times = np.array([at + each * profile.period for each in range(repeats)])
        more = _poisson(starts, np.full(repeats, mean * profile.peak * (burst.factor - 1)), burst.seconds, random)
        times = np.sort(np.concatenate([times, more[more < repeats * profile.period]]))
    return Load(times, 0.0, repeats * profile.period, repeats * days_each)


def _poisson(starts: Times, rates: Times, width: float, random: np.random.Generator) -> Times:
    """Draw a Poisson process with a constant rate in each part.

    The number of arrivals in a part has a Poisson distribution, and given the number, they are uniformly distributed.
    """
    counts = random.poisson(rates * width)
    times: Times = np.repeat(starts, counts) + random.random(int(counts.sum())) * width
    times.sort()
    return times


def _busiest_part(rate: float, random: np.random.Generator, budget: int, burst: Burst | None, longest: float) -> Load:
    """Return the messages at the peak rate for as long as the budget allows, with the burst in them."""
    seconds = min(budget / rate, longest)
    extra = 0.0
    if burst:
        # The burst starts at BEFORE_BURST of the part and may be cut off at its end; the budget includes its messages.
        with_whole = budget / rate - (burst.factor - 1) * burst.seconds
        is_whole = with_whole * (1 - BEFORE_BURST) >= burst.seconds
        cut = budget / rate / (1 + (burst.factor - 1) * (1 - BEFORE_BURST))
        seconds = min(with_whole if is_whole else cut, longest)
        extra = min(burst.seconds, seconds * (1 - BEFORE_BURST))
    times = _poisson(np.zeros(1), np.array([rate]), seconds, random)
    if burst:
        start = np.array([seconds * BEFORE_BURST])
        times = np.sort(np.concatenate([times, _poisson(start, np.array([rate * (burst.factor - 1)]), extra, random)]))
    return Load(times, seconds * WARM_UP, seconds * (1 - WARM_UP), 0)


def _recorded(times: Times, period: float, budget: int) -> Load:
    """Return the recorded messages; of more than the budget, the stretch of so many that took the shortest time."""
    if len(times) <= budget:
        return Load(times, 0.0, period, period / DAY)
    first = int(np.argmin(times[budget - 1 :] - times[: len(times) - budget + 1]))
    part = times[first : first + budget] - times[first]
    return Load(part, float(part[-1]) * WARM_UP, float(part[-1]) * (1 - WARM_UP), 0)
