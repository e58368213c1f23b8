"""Arrivals of messages: a Poisson process whose rate follows a profile of the day, with an optional burst.

A day with few messages is repeated until there are enough of them for percentiles. Of a day with more messages than the
budget, only the busiest part is simulated, after a warm-up that does not count.
"""

import math
from typing import NamedTuple

import numpy as np

from ludwig_serverless.cost.bill import DAYTIME
from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.settings import DAY, HOUR

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
        return _recorded(profile.times, budget)
    weights: Times = np.array(profile.weights)
    rates: Times = messages_per_day / DAY * weights / float(weights.mean())
    if messages_per_day * profile.period / DAY > budget:
        return _busiest_part(rates, profile.width, random, budget, burst)
    days_each = profile.period / DAY
    repeats = math.ceil(min(ENOUGH / messages_per_day, MOST_DAYS) / days_each)
    times = _poisson(_starts(len(rates) * repeats, profile.width), np.tile(rates, repeats), profile.width, random)
    if burst:
        at = (int(np.argmax(weights)) + BEFORE_BURST) * profile.width
        bursts: Times = at + _starts(repeats, profile.period)
        more = _poisson(bursts, np.full(repeats, rates.max() * (burst.factor - 1)), burst.seconds, random)
        times = np.sort(np.concatenate([times, more[more < repeats * profile.period]]))
    return Load(times, 0.0, repeats * profile.period, repeats * days_each)


def _starts(count: int, width: float) -> Times:
    starts: Times = np.arange(count, dtype=float) * width
    return starts


def _poisson(starts: Times, rates: Times, width: float, random: np.random.Generator) -> Times:
    """Draw a Poisson process with a constant rate in each part.

    The number of arrivals in a part has a Poisson distribution, and given the number, they are uniformly distributed.
    """
    counts = random.poisson(rates * width)
    times: Times = np.repeat(starts, counts) + random.random(int(counts.sum())) * width
    times.sort()
    return times


def _busiest_part(rates: Times, width: float, random: np.random.Generator, budget: int, burst: Burst | None) -> Load:
    """Return the messages of the busiest part of the profile and of its neighbors, as far as the budget allows."""
    peak = int(np.argmax(rates))
    extra = float(rates[peak]) * (burst.factor - 1) * burst.seconds if burst else 0.0
    if rates[peak] * width + extra > budget:
        return _at_the_peak(float(rates[peak]), random, budget, burst)
    first, last, left = peak, peak + 1, budget - extra - float(rates[peak]) * width
    while True:
        # Grow on the busier side, as long as that is within the profile and the budget.
        before = rates[first - 1] if first else -1.0
        after = rates[last] if last < len(rates) else -1.0
        left -= max(before, after) * width
        if max(before, after) < 0 or left < 0:
            break
        first, last = (first - 1, last) if before >= after else (first, last + 1)
    times = _poisson(_starts(last - first, width), rates[first:last], width, random)
    if burst:
        start = np.array([(peak - first + BEFORE_BURST) * width])
        more = _poisson(start, np.array([rates[peak] * (burst.factor - 1)]), burst.seconds, random)
        times = np.sort(np.concatenate([times, more[more < (last - first) * width]]))
    seconds = (last - first) * width
    warm = min(seconds * WARM_UP, (peak - first + WARM_UP) * width)
    return Load(times, warm, seconds - warm, 0)


def _at_the_peak(rate: float, random: np.random.Generator, budget: int, burst: Burst | None) -> Load:
    """Return the messages at the peak rate for as long as the budget allows, with the burst in them.

    The burst starts at BEFORE_BURST of the part, and is cut off at its end.
    """
    seconds, extra = budget / rate, 0.0
    if burst:
        with_whole = seconds - (burst.factor - 1) * burst.seconds
        is_whole = with_whole * (1 - BEFORE_BURST) >= burst.seconds
        seconds = with_whole if is_whole else seconds / (1 + (burst.factor - 1) * (1 - BEFORE_BURST))
        extra = min(burst.seconds, seconds * (1 - BEFORE_BURST))
    times = _poisson(np.zeros(1), np.array([rate]), seconds, random)
    if burst:
        start = np.array([seconds * BEFORE_BURST])
        times = np.sort(np.concatenate([times, _poisson(start, np.array([rate * (burst.factor - 1)]), extra, random)]))
    return Load(times, seconds * WARM_UP, seconds * (1 - WARM_UP), 0)


def _recorded(times: Times, budget: int) -> Load:
    """Return the recorded messages; of more than the budget, the stretch of so many that took the shortest time."""
    if len(times) <= budget:
        return Load(times, 0.0, float(times[-1]), float(times[-1]) / DAY)
    first = int(np.argmin(times[budget - 1 :] - times[: len(times) - budget + 1]))
    part = times[first : first + budget] - times[first]
    return Load(part, float(part[-1]) * WARM_UP, float(part[-1]) * (1 - WARM_UP), 0)
