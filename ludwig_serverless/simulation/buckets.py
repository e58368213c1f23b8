"""Token buckets: which requests one admits, and the smallest bucket that admits all of them.

A bucket is full at first, refills continuously up to its capacity, and each admitted request takes one token. API
Gateway throttles with them; Lambda's limits of requests and of new environments per second behave like them.
"""

import math

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
STEPS = 40
"""Steps of the search for a rate, each of which halves the interval."""
LARGEST_RATE = 1e9


def admitted(times: Times, rate: float, capacity: float) -> Mask:
    """Return which requests a bucket admits.

    Args:
        times: Times of the requests in seconds, ascending.
        rate: Tokens per second; infinity admits all requests.
        capacity: The largest number of tokens, at least 1.
    """
    mask = np.ones(len(times), dtype=bool)
    if math.isinf(rate) or needed_capacity(times, rate) <= capacity:
        return mask
    tokens, last = capacity, float(times[0])
    for index, now in enumerate(times.tolist()):
        tokens = min(capacity, tokens + (now - last) * rate)
        last = now
        if tokens >= 1:
            tokens -= 1
        else:
            mask[index] = False
    return mask


def needed_capacity(times: Times, rate: float) -> float:
    """Return the smallest capacity with which a bucket of this rate admits all requests.

    Between request i and request j, the bucket gives (t_j - t_i) * rate tokens, and they need j - i + 1. The capacity
    must cover the largest difference.

    Args:
        times: Times of the requests in seconds, ascending.
        rate: Tokens per second.
    """
    if not len(times):
        return 1.0
    balance = np.arange(len(times)) - rate * (times - times[0])
    return float(np.max(balance - np.minimum.accumulate(balance))) + 1


def needed_rate(times: Times, capacity: float) -> float:
    """Return the smallest rate, within a thousandth, with which a bucket of this capacity admits all requests.

    Args:
        times: Times of the requests in seconds, ascending.
        capacity: The largest number of tokens, at least 1.

    Returns:
        Infinity if more requests than the capacity arrive at the same time.
    """
    if needed_capacity(times, LARGEST_RATE) > capacity:
        return math.inf
    low, high = 1e-6, LARGEST_RATE
    for _ in range(STEPS):
        if high / low < 1.001:
            break
        middle = math.sqrt(low * high)
        low, high = (low, middle) if needed_capacity(times, middle) <= capacity else (middle, high)
    return high
