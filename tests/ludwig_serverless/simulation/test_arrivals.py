"""Messages to simulate: their number, their distribution over the day, bursts, and parts of busy days."""

import numpy as np
import pytest

from ludwig_serverless.cost.bill import DAYTIME
from ludwig_serverless.simulation.arrivals import DAYLIGHT, STEADY, Burst, Load, Profile, arrivals
from ludwig_serverless.simulation.settings import DAY

BUDGET = 100_000


def made(profile: Profile, per_day: float, burst: Burst | None = None, budget: int = BUDGET) -> Load:
    return arrivals(profile, per_day, np.random.default_rng(0), budget, burst)


def test_few_messages_a_day_are_simulated_for_many_days() -> None:
    load = made(DAYLIGHT, 1000)
    assert load.days == 20
    assert len(load.times) == pytest.approx(20_000, abs=3 * 20_000**0.5)
    assert np.all(np.diff(load.times) >= 0)
    by_hour = np.bincount((load.times % DAY // 3600).astype(int), minlength=24)
    expected = 20_000 * np.array(DAYTIME) / sum(DAYTIME)
    assert ((by_hour - expected) ** 2 / expected).sum() < 60  # chi-squared with 24 degrees of freedom, p < 0.0001


def test_very_few_messages_are_simulated_for_a_year() -> None:
    assert made(STEADY, 0.5).days == 365


def test_of_a_busy_day_the_busiest_part_is_simulated_after_a_warm_up() -> None:
    load = made(DAYLIGHT, 1e8)
    peak = 1e8 / DAY * max(DAYTIME) * 24 / sum(DAYTIME)
    assert load.days == 0
    assert len(load.times) == pytest.approx(BUDGET, rel=0.02)
    counted = load.times[load.times >= load.counted_from]
    assert len(counted) / load.seconds == pytest.approx(peak, rel=0.02)
    assert load.times[-1] == pytest.approx(load.counted_from + load.seconds, rel=0.001)


def test_of_a_day_a_little_over_the_budget_most_is_simulated() -> None:
    load = made(DAYLIGHT, 1.2 * BUDGET)
    assert 0.8 * BUDGET < len(load.times) < 1.02 * BUDGET
    rates = np.bincount((load.times // 3600).astype(int))
    assert rates.max() == pytest.approx(1.2 * BUDGET * max(DAYTIME) / sum(DAYTIME), rel=0.05)
    with_burst = made(DAYLIGHT, 1.2 * BUDGET, Burst(20, 60))
    assert 0.8 * BUDGET < len(with_burst.times) < 1.02 * BUDGET
    minutes = np.bincount((with_burst.times // 60).astype(int))
    assert minutes.max() > 10 * np.median(minutes)
    assert minutes.argmax() * 60 > with_burst.counted_from


@pytest.mark.parametrize("per_day", [1000.0, 50_000.0])
def test_a_burst_comes_once_a_day_in_the_busiest_hour(per_day: float) -> None:
    with_burst, without = made(DAYLIGHT, per_day, Burst(100, 60)), made(DAYLIGHT, per_day)
    extra = per_day / DAY * DAYLIGHT.peak * 99 * 60 * without.days
    assert len(with_burst.times) - len(without.times) == pytest.approx(extra, rel=0.2)
    minutes = np.bincount((with_burst.times % DAY // 60).astype(int), minlength=1440)
    assert DAYTIME[int(minutes.argmax()) // 60] == max(DAYTIME)


@pytest.mark.parametrize("burst", [Burst(10, 1), Burst(10, 600)])
def test_the_budget_includes_the_burst_of_a_busy_day(burst: Burst) -> None:
    load = made(STEADY, 1e8, burst)
    assert len(load.times) == pytest.approx(BUDGET, rel=0.02)
    whole = load.counted_from + load.seconds
    end = min(whole * 0.25 + burst.seconds, whole)
    before, during = np.histogram(load.times, bins=[0, whole * 0.25, end])[0] / np.array(
        [whole * 0.25, end - whole * 0.25]
    )
    assert before == pytest.approx(1e8 / DAY, rel=0.05)
    assert during == pytest.approx(burst.factor * 1e8 / DAY, rel=0.05)


def test_recorded_times_are_replayed_and_of_too_many_the_densest_stretch() -> None:
    times = np.concatenate([np.arange(0, 1000.0), 1000 + np.arange(0, 100, 0.01)])
    profile = Profile("recorded", (1.0,), 1100.0, times)
    assert made(profile, 0).times.tolist() == times.tolist()
    load = made(profile, 0, budget=5000)
    assert len(load.times) == 5000
    assert load.times[-1] == pytest.approx(49.99)
