"""`ludwig-serverless cost --simulate`: limits, bills, the table, JSON, and mistakes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import SettingsError
from ludwig_serverless.cli import main
from ludwig_serverless.cost.bill import MONTH_DAYS, Traffic, Usage, lambda_bill
from ludwig_serverless.cost.measured import Figure, read_measured
from ludwig_serverless.simulation.arrivals import STEADY
from ludwig_serverless.simulation.durations import draw, draw_durations, fitted, slowdown
from ludwig_serverless.simulation.fleet import COLD
from ludwig_serverless.simulation.outcome import ACCOUNT, ANSWERED, RATE, STAGE, simulate
from ludwig_serverless.simulation.rows import Plan, Row, simulate_row
from ludwig_serverless.simulation.settings import DAY, Settings
from training.aws_prices import read_prices

PRICES, MEASURED = read_prices().regions["us-east-1"], read_measured()
RAISED = {"requests_per_second": 1e6, "request_burst": 1e6}


def row(per_day: float, budget: int = 30_000, memory: int = 1769, **changes: Any) -> Row:
    plan = Plan(STEADY, Settings(**changes), Traffic(1, memory), budget=budget)
    return simulate_row(per_day, plan, PRICES, fitted(MEASURED, memory))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["cost", "--simulate", *arguments]) == 0
    return capsys.readouterr().out


def test_the_limits_are_met_in_their_order() -> None:
    """Six at once: the stage admits five, the account four, Lambda's rate allows three, and concurrency two."""
    limits = Settings(
        requests_per_second=1, request_burst=5, api_requests_per_second=1, api_burst=4, account_concurrency=2,
        requests_per_environment=1.5,
    )  # fmt: skip
    times = np.zeros(6)
    outcome = simulate(times, draw(6, limits, MEASURED, np.random.default_rng(0)), limits)
    assert outcome.throttled() == {
        "RequestsPerSecond": 1,
        "API Gateway quota": 1,
        "Lambda requests per second": 1,
        "concurrency": 1,
    }
    assert outcome.count(COLD) == 2
    assert outcome.peak == 2
    assert np.isnan(outcome.waits).sum() == 4


@pytest.mark.parametrize(
    ("changes", "cause", "said"),
    [
        ({}, STAGE, "RequestsPerSecond: 20 of "),
        (
            RAISED | {"api_requests_per_second": 100, "api_burst": 50},
            ACCOUNT,
            "API Gateway requests per second: 100 of ",
        ),
        (RAISED | {"account_concurrency": 20}, RATE, "Account concurrency (at 10 requests per second each): 20 of "),
        (RAISED | {"reserved": 20}, RATE, "raise ReservedConcurrency"),
    ],
)
def test_the_first_bottleneck_is_named_with_the_setting_to_change(
    changes: dict[str, float], cause: int, said: str
) -> None:
    found = row(300 * DAY, **changes)
    assert found.outcome.count(cause) > 0
    assert said in found.limits[0].sentence()
    assert not found.demand.throttled()


def test_the_named_value_is_enough_and_less_is_not() -> None:
    needed = row(300 * DAY).limits[0].needed
    assert not row(300 * DAY, requests_per_second=needed).outcome.throttled()
    assert row(300 * DAY, requests_per_second=needed * 0.98).outcome.throttled()


def test_slow_cold_starts_of_a_sudden_load_need_concurrency() -> None:
    limits = Settings(account_concurrency=1000, **RAISED)
    times = np.linspace(0, 1, 1240)
    draws = draw(1240, limits, MEASURED, np.random.default_rng(0), start_overhead=5.0)
    outcome = simulate(times, draws, msgspec.structs.replace(limits, scaling_environments=1e6))
    assert outcome.throttled() == {"concurrency": 240}


@given(
    st.lists(st.floats(0, 2), max_size=80),
    st.floats(1, 20),
    st.integers(1, 10),
    st.integers(0, 5),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=200)
def test_every_message_is_answered_or_throttled_by_one_limit(
    gaps: list[float], rate: float, burst: int, reserved: int, provisioned: int
) -> None:
    limits = Settings(
        requests_per_second=rate, request_burst=burst, reserved=reserved, provisioned=min(provisioned, reserved)
    )
    times = np.cumsum(np.array(gaps, dtype=float))
    outcome = simulate(times, draw(len(times), limits, MEASURED, np.random.default_rng(0), 3.0), limits)
    answered = outcome.count(*ANSWERED)
    assert answered + sum(outcome.throttled().values()) == outcome.total == len(times)
    assert (~np.isnan(outcome.waits)).sum() == answered
    assert outcome.peak <= reserved


def test_a_function_without_concurrency_answers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """That is the emergency stop of docs/deploy.md."""
    assert "| no answers |" in printed(capsys, "1000", "--reserved", "0")
    (found,) = map(json.loads, printed(capsys, "1000", "--reserved", "0", "--json").splitlines())
    assert found["wait_milliseconds"]["p50"] is None
    assert found["answered_share"] < 0.001


def test_without_throttling_the_next_limit_is_named() -> None:
    assert row(1000).limits[0].sentence().startswith("none; RequestBurst is ")


def test_the_bill_is_that_of_the_same_usage() -> None:
    found = row(20_000, provisioned=1, idle_seconds=60.0, **RAISED)
    each = 20_000 * MONTH_DAYS / found.demand.total
    milliseconds = {
        kind: np.ceil(found.demand.waits[found.demand.kinds == kind] * 1000 - 1e-9).sum() * each for kind in range(3)
    }
    usage = Usage(20_000 * MONTH_DAYS, milliseconds[1] / 1000, milliseconds[2] / 1000, milliseconds[0] / 1000, 1)
    expected = lambda_bill("Lambda", usage, Traffic(usage.messages), PRICES, MEASURED)
    assert found.bill.total == pytest.approx(expected.total)
    assert found.bill.fixed["provisioned"] > 10
    assert found.bill.by_message["API"] == pytest.approx(20_000 * MONTH_DAYS / 1e6)


def test_less_memory_is_slower_and_more_is_not_faster() -> None:
    assert (slowdown(1769), slowdown(3008), slowdown(512)) == (1, 1, pytest.approx(1769 / 512))
    small, large = (row(1000, memory=memory).outcome.percentiles(50)[0] for memory in (512, 1769))
    assert small == pytest.approx(large * 1769 / 512, rel=0.01)


def test_durations_follow_the_measured_quantiles() -> None:
    figure = Figure(5.0, "", "", "", ((0.0, 1.0), (0.5, 5.0), (0.9, 6.0), (1.0, 20.0)), 100)
    drawn = draw_durations(figure, 100_000, np.random.default_rng(0)) * 1000
    assert np.percentile(drawn, [50, 90]) == pytest.approx([5, 6], rel=0.02)
    assert 1 <= drawn.min() < 1.1
    assert 19 < drawn.max() <= 20
    assert set(draw_durations(Figure(5.0, "", "", ""), 3, np.random.default_rng(0))) == {0.005}
    with pytest.raises(SettingsError, match="quantiles of `a bench` are not ascending"):
        draw_durations(Figure(5.0, "", "a bench", "", ((0.0, 2.0), (1.0, 1.0))), 1, np.random.default_rng(0))


def test_your_own_medians_replace_the_measured_ones(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("1000", "--answer-milliseconds", "40", "--start-milliseconds", "3000", "--memory", "512", "--json")
    waits = json.loads(printed(capsys, *options))["wait_milliseconds"]
    assert waits["p50"] == pytest.approx(40, rel=0.05)
    starts = MEASURED.cold_start_milliseconds
    assert waits["max"] == pytest.approx(3000 * starts.quantiles[-1][1] / starts.value, rel=0.1)


def test_a_large_model_that_starts_slowly_needs_more_concurrency_than_a_new_account_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A burst of 400 a second, each of which waits 4 s for its own start, before the first environments are free."""
    shown = printed(
        capsys, "40/s", "--arrivals", "steady", "--burst", "10x60", "--start-milliseconds", "4000",
        "--answer-milliseconds", "900", "--request-burst", "5000", "--requests-per-second", "5000", "--budget", "50000",
    )  # fmt: skip
    assert "40 a second: New environments in 10 seconds" in shown or "Account concurrency: 1,000 of 1," in shown


def test_the_table_covers_a_thousand_a_day_to_ten_thousand_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "--budget", "200000")
    assert shown.startswith("More messages by day than by night, 1769 MB, us-east-1, USD:")
    assert "- containers cost less from about " in shown
    for name in ("1,000 a day", "1,000,000 a day", "1,000 a second", "10,000 a second"):
        assert f"| {name} |" in shown
        assert f"- {name}: " in shown
    assert "- 10,000 a second: RequestsPerSecond: 20 of " in shown
    assert "then API Gateway requests per second: 10,000 of " in shown
    assert "(assumed: AWS documents no" in shown


def test_the_same_seed_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    first, again, other = (printed(capsys, "5000", "--json", "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again != other


def test_json_has_one_line_for_each_rate(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "5000/day", "50/s", "--json", "--budget", "20000").splitlines()
    quiet, busy = map(json.loads, lines)
    assert quiet["answered_share"] == 1
    assert quiet["wait_milliseconds"]["p50"] > 0
    assert busy["throttled_share"].keys() == {"RequestsPerSecond"}
    assert busy["answered_share"] + sum(busy["throttled_share"].values()) == pytest.approx(1)
    assert busy["per_month"]["total"] == pytest.approx(busy["per_day"] * MONTH_DAYS)


def test_your_own_log_is_replayed_or_scaled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("hour,count\n9,600\n10,1200\n", encoding="utf-8")
    (same,) = map(json.loads, printed(capsys, "--arrivals", str(path), "--json").splitlines())
    (more,) = map(json.loads, printed(capsys, "120000", "--arrivals", str(path), "--json").splitlines())
    assert same["messages_per_day"] == 1800
    assert more["simulated_messages"] == pytest.approx(120_000, rel=0.02)
    assert more["throttled_share"]["RequestsPerSecond"] > 0  # 80,000 in an hour
    replayed = tmp_path / "log.jsonl"
    replayed.write_text("\n".join(json.dumps({"timestamp": time}) for time in (0.5, 1.25, 900, 86_000)))
    (found,) = map(json.loads, printed(capsys, "--arrivals", str(replayed), "--json").splitlines())
    assert (found["simulated_messages"], found["environments_started"]) == (4, 3)


def test_a_burst_is_throttled_and_paid(capsys: pytest.CaptureFixture[str]) -> None:
    calm, burst = (json.loads(printed(capsys, "200000", "--json", *options)) for options in ([], ["--burst", "20x60"]))
    assert burst["messages_per_day"] > calm["messages_per_day"]
    assert burst["throttled_share"]["RequestsPerSecond"] > 0
    assert not calm["throttled_share"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--simulate", "many"], "expected a rate such as 1000/day"),
        (["--simulate", "0"], "expected a rate"),
        (["--simulate", "5/year"], "expected a rate"),
        (["--simulate", "2e6/s"], "at most a million a second"),
        (["--simulate", "1", "--burst", "0.5x60"], "a factor above 1"),
        (["--simulate", "1", "--burst", "1.2.3x60"], "such as 10x60"),
        (["--simulate", "1", "--reserved", "1.5"], "-1 for no limit"),
        (["--simulate", "1", "--request-burst", "0"], "at least 1"),
        (["--simulate", "1", "--start-overhead", "-1"], "0 to 60000"),
        (["--simulate", "1", "--budget", "1"], "1000 to 100000000"),
        (["--simulate", "1", "--seed", "x"], "whole number"),
        (["--simulate", "1", "--messages-per-month", "1"], "not allowed with"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reserved", "950"], "at most 900 can be reserved, not 950"),
        (["--reserved", "5", "--provisioned", "6"], "part of the function's limit of 5, not 6"),
        (["--arrivals", "night"], "Cannot read night"),
    ],
)
def test_what_aws_would_refuse_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--simulate", "1000", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_help_teaches_the_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "--help"])
    shown = capsys.readouterr().out
    for part in ("--burst 10x60", "busiest hour having 1.8 times the mean", "an `hour` (0 to 23) and a `count`"):
        assert part in shown


def test_the_command_loads_numpy_only_to_simulate() -> None:
    code = (
        "import sys; from ludwig_serverless.cli import main; "
        "main(['cost', '--messages-per-month', '1']); print('numpy' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.strip() == "False"
