"""Token buckets, compared with exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludwig_serverless.simulation.buckets import admitted, needed_capacity, needed_rate

TICKS = st.lists(st.integers(0, 8), max_size=80)
"""Gaps between requests in quarters of a second, which floating-point numbers represent exactly."""


def exact(ticks: list[int], rate: Fraction, capacity: int) -> list[bool]:
    """Admit requests with fractions instead of floating-point numbers."""
    tokens, last, found = Fraction(capacity), 0, []
    for tick in np.cumsum(ticks).tolist():
        tokens = min(Fraction(capacity), tokens + Fraction(tick - last, 4) * rate)
        last = tick
        found.append(tokens >= 1)
        tokens -= found[-1]
    return found


@given(TICKS, st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(4)]), st.integers(1, 6))
@settings(deadline=None, max_examples=300)
def test_a_bucket_admits_exactly_what_its_tokens_allow(ticks: list[int], rate: Fraction, capacity: int) -> None:
    times = np.cumsum(np.array(ticks, dtype=float)) / 4
    assert admitted(times, float(rate), capacity).tolist() == exact(ticks, rate, capacity)
    needed = needed_capacity(times, float(rate))
    assert all(exact(ticks, rate, math.ceil(needed)))
    if needed > 1:
        assert not all(exact(ticks, rate, math.ceil(needed) - 1))


@given(TICKS.filter(bool), st.integers(1, 6))
@settings(deadline=None)
def test_the_needed_rate_is_the_smallest_that_admits_all(ticks: list[int], capacity: int) -> None:
    times = np.cumsum(np.array(ticks, dtype=float)) / 4
    rate = needed_rate(times, capacity)
    if math.isinf(rate):
        assert needed_capacity(times, 1e9) > capacity
        return
    assert admitted(times, rate, capacity).all()
    if rate > 1e-5:
        assert not admitted(times, rate * 0.99, capacity).all()


def test_a_full_bucket_passes_its_capacity_at_once_and_then_its_rate() -> None:
    times = np.concatenate([np.zeros(100), np.arange(1, 65) / 64])
    mask = admitted(times, 16, 40)
    assert mask[:100].sum() == 40
    assert mask[100:].sum() == 16


def test_without_a_rate_limit_everything_passes() -> None:
    assert admitted(np.zeros(1000), math.inf, 1).all()
    assert admitted(np.array([]), 1, 1).tolist() == []
    assert needed_rate(np.zeros(10), 9) == math.inf


@pytest.mark.parametrize("capacity", [1, 50])
def test_in_the_long_run_a_bucket_admits_its_rate(capacity: int) -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 1000, 100_000))
    assert admitted(times, 20, capacity).sum() == pytest.approx(20 * 1000 + capacity, rel=0.01 + 0.2 / capacity)
