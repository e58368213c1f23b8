"""The environments of a function, compared with queueing theory, and properties that hold for all traffic."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludwig_serverless.simulation.fleet import COLD, CONCURRENCY, PROVISIONED, SCALING, WARM, Draws, Served, serve
from ludwig_serverless.simulation.settings import Settings

FOREVER = 1e12
ERRORS = 3
"""Standard errors within which a simulation agrees with the theory."""


def free(**changes: float | None) -> Settings:
    """Return settings without limits, except the given ones."""
    return Settings(**{"account_concurrency": math.inf, "scaling_environments": math.inf, **changes})  # type: ignore[arg-type]


def poisson(rate: float, count: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def draws(answers: np.ndarray, starts: np.ndarray | None = None, idle: float = FOREVER) -> Draws:
    """Return draws; without `starts`, a cold start takes no longer than a warm answer."""
    constant = np.full(len(answers), idle)
    return Draws(answers, answers if starts is None else starts, constant, np.full(len(answers), FOREVER))


def number(served: Served, *kinds: int) -> int:
    return int(np.isin(served.kinds, kinds).sum())


def erlang_b(load: float, servers: int) -> float:
    """Return the probability that all servers of an M/M/c/c queue are busy, by its recursion."""
    blocking = 1.0
    for each in range(1, servers + 1):
        blocking = load * blocking / (each + load * blocking)
    return blocking


@pytest.mark.parametrize(("load", "servers"), [(0.5, 1), (8.0, 10), (30.0, 25)])
def test_reserved_concurrency_throttles_as_erlang_b_says(load: float, servers: int) -> None:
    """Batches of the run give the standard error, because neighboring requests are correlated."""
    count, batches = 400_000, 40
    random = np.random.default_rng(1)
    times = poisson(load / 0.1, count, seed=2)  # answers take 0.1 s in the mean
    served = serve(times, draws(random.exponential(0.1, count)), free(reserved=servers))
    blocked = (served.kinds == CONCURRENCY).reshape(batches, -1).mean(axis=1)
    error = blocked.std(ddof=1) / math.sqrt(batches)
    assert blocked.mean() == pytest.approx(erlang_b(load, servers), abs=ERRORS * error)
    assert error < 0.1 * erlang_b(load, servers)


def test_the_mean_concurrency_is_little_s_law() -> None:
    """M/D/inf: Poisson arrivals find a Poisson number of requests in progress, with the mean rate * duration."""
    count, rate, duration = 200_000, 50.0, 0.3
    served = serve(poisson(rate, count, seed=3), draws(np.full(count, duration)), free())
    found = served.concurrency[count // 100 :]
    batches = found[: len(found) // 40 * 40].reshape(40, -1).mean(axis=1)
    error = batches.std(ddof=1) / math.sqrt(40)
    assert batches.mean() == pytest.approx(rate * duration, abs=ERRORS * error)
    assert found.var() == pytest.approx(rate * duration, rel=0.1)


@pytest.mark.parametrize("expected", [0.1, 1.0, 3.0])
def test_sparse_messages_are_cold_if_none_came_before_the_environment_ended(expected: float) -> None:
    count, rate, idle = 50_000, 1 / 600, expected * 600
    served = serve(poisson(rate, count, seed=4), draws(np.full(count, 1e-6), idle=idle), free())
    share = math.exp(-rate * idle)
    error = math.sqrt(share * (1 - share) / count)
    assert number(served, COLD) / count == pytest.approx(share, abs=ERRORS * error)


def test_a_step_of_load_starts_environments_as_fast_as_lambda_allows() -> None:
    """All messages overlap, so each needs an environment: 1,000 at once, then 100 a second, never more at any time."""
    times = np.sort(np.random.default_rng(5).uniform(0, 20, 200_000))
    served = serve(times, draws(np.full(len(times), 1000.0)), free(scaling_environments=1000))
    starts = times[served.kinds == COLD]
    assert number(served, COLD) + number(served, SCALING) == len(times)
    assert len(starts) == pytest.approx(1000 + 100 * 20, abs=2)
    for seconds in (0.5, 5, 10):
        most = max(np.searchsorted(starts, starts + seconds) - np.arange(len(starts)))
        assert most <= 1000 + 100 * seconds + 1


def test_a_quiet_time_saves_no_more_than_the_allowance() -> None:
    times = np.concatenate([np.zeros(5), np.full(2000, 1000.0)])
    served = serve(times, draws(np.full(len(times), 5000.0)), free(scaling_environments=1000))
    assert number(served, COLD) == 5 + 1000


def test_requests_beyond_provisioned_concurrency_spill_over() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.0, 10.5, 12.5])
    served = serve(times, draws(np.full(6, 10.0), np.full(6, 11.0)), free(provisioned=2))
    assert served.kinds.tolist() == [PROVISIONED, PROVISIONED, COLD, COLD, PROVISIONED, PROVISIONED]
    alone = serve(times, draws(np.full(6, 10.0)), free(provisioned=2, reserved=2))
    assert alone.kinds.tolist() == [PROVISIONED, PROVISIONED, CONCURRENCY, CONCURRENCY, PROVISIONED, PROVISIONED]


def test_the_most_recently_used_environment_is_taken_and_the_others_end() -> None:
    """Two overlap and start two environments; one message at a time then keeps only one of them in use."""
    times = np.array([0.0, 0.5, 40.0, 80.0, 120.0, 120.5])
    served = serve(times, draws(np.full(6, 1.0), idle=60.0), free())
    assert served.kinds.tolist() == [COLD, COLD, WARM, WARM, WARM, COLD]


def test_an_environment_is_replaced_even_under_traffic() -> None:
    times = np.arange(0.0, 100.0)
    given_draws = draws(np.full(100, 0.5))._replace(lifetimes=np.full(100, 30.0))
    kinds = serve(times, given_draws, free()).kinds
    assert np.flatnonzero(kinds == COLD).tolist() == [0, 31, 62, 93]


@st.composite
def traffic(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(0, 60))
    gaps = draw(st.lists(st.floats(0, 5), min_size=count, max_size=count))
    answers = draw(st.lists(st.floats(0.001, 8), min_size=count, max_size=count))
    return np.cumsum(np.array(gaps, dtype=float)), np.array(answers, dtype=float)


@given(traffic(), st.integers(0, 4), st.integers(0, 6), st.floats(1, 5), st.floats(0.1, 20))
@settings(deadline=None, max_examples=300)
def test_every_request_is_answered_or_throttled_within_the_limits(
    messages: tuple[np.ndarray, np.ndarray], provisioned: int, more: int, allowance: float, idle: float
) -> None:
    times, answers = messages
    limit = provisioned + more
    given_settings = free(reserved=limit, provisioned=provisioned, scaling_environments=allowance)
    starts = answers + 1
    served = serve(times, draws(answers, starts, idle), given_settings)
    assert number(served, PROVISIONED, WARM, COLD) + number(served, CONCURRENCY, SCALING) == len(times)
    # Recount, from what the simulation says, how many requests are in progress at each moment.
    taken = np.isin(served.kinds, (PROVISIONED, WARM, COLD))
    ends = times + np.where(served.kinds == COLD, starts, answers)
    for index, now in enumerate(times):
        before = taken[:index] & (ends[:index] > now)
        assert before.sum() == served.concurrency[index]
        assert before.sum() + taken[index] <= limit
        assert (before & (served.kinds[:index] == PROVISIONED)).sum() <= provisioned


@given(traffic(), st.integers(0, 4), st.floats(0.1, 20))
@settings(deadline=None, max_examples=300)
def test_more_provisioned_concurrency_never_adds_cold_starts(
    messages: tuple[np.ndarray, np.ndarray], provisioned: int, idle: float
) -> None:
    """It holds message by message if a cold answer takes no longer and all environments are kept equally long.

    Otherwise it holds only in the mean: a slow cold start returns its environment later, and so keeps it longer.
    """
    times, answers = messages
    fewer, more = (
        number(serve(times, draws(answers, idle=idle), free(provisioned=count)), COLD)
        for count in (provisioned, provisioned + 1)
    )
    assert more <= fewer
