"""Lambda's execution environments, event by event: which request finds a warm one, starts one, or is throttled.

An environment serves one request at a time. A request takes a provisioned environment if one is idle, else the idle
environment that answered most recently, else it starts one and waits for it. Lambda does not queue synchronous
requests: if a limit is reached, it throttles. AWS documents all of this except which idle environment it takes. That it
is the most recent one is an assumption, with which the others become idle and end.
"""

import math
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.settings import Settings

Environment = tuple[float, float, float]
"""When its request ends or, if it is idle, when it ends itself; how long it is kept idle; when it ends in any case."""
ALWAYS_KEPT = -1.0
"""The idle time of provisioned environments. They are alike and never end, so idle ones are only counted."""
PROVISIONED, WARM, COLD, CONCURRENCY, SCALING = range(5)
"""What happens to a request: the kind of environment that answers it, or the limit that throttles it."""


class Draws(NamedTuple):
    """Random quantities of each request, drawn beforehand, so that settings are compared on the same traffic.

    Attributes:
        answers: Duration of a warm answer, in seconds.
        starts: Duration of a cold start with the first answer, in seconds.
        idles: How long an environment that this request starts is kept idle, in seconds.
        lifetimes: After how many seconds Lambda replaces that environment.
    """

    answers: Times
    starts: Times
    idles: Times
    lifetimes: Times

    def of(self, chosen: npt.NDArray[np.bool_]) -> "Draws":
        """Return the quantities of the chosen requests."""
        return Draws(*(values[chosen] for values in self))


class Served(NamedTuple):
    """What happened to each request.

    Attributes:
        kinds: PROVISIONED, WARM, COLD, CONCURRENCY or SCALING.
        concurrency: Number of other requests that each one found in progress.
    """

    kinds: npt.NDArray[np.uint8]
    concurrency: npt.NDArray[np.int64]


def serve(times: Times, draws: Draws, settings: Settings) -> Served:
    """Simulate the environments of one function.

    Args:
        times: Times of the requests that reach Lambda in seconds, ascending.
        draws: Their random quantities.
        settings: The limits.
    """
    kinds, found = bytearray(len(times)), []
    busy: list[Environment] = []  # a heap: the request that ends first is at the front
    idle: list[Environment] = []  # a stack: the most recently used environment is at the end
    provisioned, limit = settings.provisioned, settings.concurrency
    capacity, rate = settings.scaling_environments, settings.scaling_environments / settings.scaling_seconds
    tokens, refilled = capacity, 0.0
    columns = (values.tolist() for values in (times, *draws))
    for index, (now, answer, start, keep, lifetime) in enumerate(zip(*columns, strict=True)):
        if busy and busy[0][0] <= now:
            provisioned += _release(busy, idle, now)
        found.append(len(busy))
        if provisioned:
            provisioned -= 1
            kinds[index] = PROVISIONED
            heappush(busy, (now + answer, ALWAYS_KEPT, 0.0))
            continue
        if len(busy) >= limit:
            kinds[index] = CONCURRENCY
            continue
        while idle and idle[-1][0] <= now:
            idle.pop()
        if idle:
            _, kept, last = idle.pop()
            kinds[index] = WARM
            heappush(busy, (now + answer, kept, last))
            continue
        if tokens < capacity:
            tokens = min(capacity, tokens + (now - refilled) * rate)
        refilled = now
        if tokens < 1:
            kinds[index] = SCALING
            continue
        if not math.isinf(tokens):
            tokens -= 1
        kinds[index] = COLD
        heappush(busy, (now + start, keep, now + start + lifetime))
    return Served(np.frombuffer(bytes(kinds), dtype=np.uint8), np.array(found, dtype=np.int64))


def _release(busy: list[Environment], idle: list[Environment], now: float) -> int:
    """Move the environments whose requests have ended to the idle ones; return the number of provisioned ones."""
    provisioned = 0
    while busy and busy[0][0] <= now:
        end, kept, last = heappop(busy)
        if kept == ALWAYS_KEPT:
            provisioned += 1
        else:
            idle.append((min(end + kept, last), kept, last))
    return provisioned
