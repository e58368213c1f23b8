"""`ludwig-serverless cost`: hand-calculated cases, and error messages."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handler.errors import SettingsError
from ludwig_serverless.cli import main
from ludwig_serverless.cost.bill import MONTH_DAYS, MONTH_HOURS, Bill, Traffic, break_even, compare, ludwig_instances
from ludwig_serverless.cost.measured import MEASURED, Figure, Measured
from ludwig_serverless.cost.report import assumptions
from tests.handler.deployment import run_python
from training.aws_prices import PRICES, PricedInstance, RegionPrices, read_prices

ROUND_PRICES = RegionPrices(
    lambda_million_requests=0.2,
    lambda_gb_second=0.00002,
    provisioned_gb_second=0.000004,
    provisioned_duration_gb_second=0.00001,
    snapstart_cache_gb_second=0.000002,
    snapstart_restore_gb=0.0001,
    http_api_million_requests=1.0,
    logs_gb=0.5,
    logs_storage_gb_month=0.03,
    registry_gb_month=0.1,
    data_out_gb=0.1,
    disk_gb_month=0.1,
    address_hour=0.005,
    instances=[PricedInstance("small", 2, 0.02), PricedInstance("large", 8, 0.08), PricedInstance("other", 8, 0.1)],
)
ALWAYS_COLD, NEVER_COLD = 1e-9, 1e9


def measured(**changes: float) -> Measured:
    values = {
        "cold_start_milliseconds": 500.0,
        "warm_answer_milliseconds": 1.2,
        "log_bytes_per_message": 1000.0,
        "answer_bytes_per_message": 3000.0,
        "image_megabytes": 100.0,
        "ludwig_memory_megabytes": 1500.0,
        "ludwig_answers_per_second": 2.0,
        "map_batch_milliseconds": 100.0,
        "serve_answers_per_second": 100.0,
        **changes,
    }
    return Measured(**{name: Figure(value, "2026-11-24", "by hand", "a machine") for name, value in values.items()})


def bills(traffic: Traffic, **changes: float) -> list[Bill]:
    return compare(traffic, ROUND_PRICES, measured(**changes))


def test_a_warm_million_in_one_gigabyte() -> None:
    plain = bills(Traffic(1e6, memory_megabytes=1024, idle_minutes=NEVER_COLD))[0]
    assert plain.by_message == pytest.approx(
        {
            "API": 1.0,
            "requests": 0.2,
            "answers": 1e6 * 0.002 * 0.00002,  # billed by whole milliseconds: 1.2 becomes 2
            "cold starts": 0.0,
            "logs": 2 * 0.53,  # 2000 bytes a message
            "data": 3 * 0.1,
        }
    )
    assert plain.fixed == pytest.approx({"registry": 0.01})
    assert plain.total == pytest.approx(1.0 + 0.2 + 0.04 + 1.06 + 0.3 + 0.01)


def test_messages_that_are_all_cold_pay_for_the_start() -> None:
    plain, snap, provisioned, _ = bills(Traffic(1000, memory_megabytes=2048, idle_minutes=ALWAYS_COLD))
    assert plain.by_message["cold starts"] == pytest.approx(1000 * 0.5 * 2 * 0.00002)
    assert snap.by_message["restores"] == pytest.approx(1000 * 2 * (0.0001 + 0.55 * 0.00002))
    assert "cold starts" not in snap.by_message | provisioned.by_message


def test_provisioned_capacity_costs_without_messages() -> None:
    seconds = MONTH_HOURS * 3600
    _, snap, provisioned, ludwig = bills(Traffic(1, memory_megabytes=1024, provisioned=3))
    assert snap.fixed["snapshot"] == pytest.approx(seconds * 0.000002)
    assert provisioned.fixed["provisioned"] == pytest.approx(3 * seconds * 0.000004)
    assert ludwig.fixed == pytest.approx({"instances": 0.08 * MONTH_HOURS, "disk": 3.0, "address": 0.005 * MONTH_HOURS})


def test_the_share_of_cold_starts_is_that_of_a_poisson_process() -> None:
    """With a nearly constant rate, the share is exp(-expected messages in the idle time)."""
    assert Traffic(1e-6).cold_share() == pytest.approx(1)
    assert Traffic(1e9).cold_share() == pytest.approx(0, abs=1e-9)
    few, many = Traffic(5_000).cold_share(), Traffic(50_000).cold_share()
    assert 0 < many < few < 1
    busiest_per_minute = 50_000 / MONTH_DAYS * 9 / 121 / 60
    assert many > math.exp(-busiest_per_minute * 10)


@pytest.mark.parametrize(
    ("megabytes", "messages", "machine", "count"),
    [
        (1000, 1, "small", 1),  # twice 1000 MB fit exactly into 2 GB
        (1001, 1, "large", 1),
        (1000, 2 * 3600 * 121 / 9 * MONTH_DAYS * 0.999, "small", 1),  # the busiest hour asks for just under 2 a second
        (1000, 2 * 3600 * 121 / 9 * MONTH_DAYS * 1.001, "small", 2),
    ],
)
def test_ludwig_gets_enough_of_the_cheapest_instances_with_enough_memory(
    megabytes: float, messages: float, machine: str, count: int
) -> None:
    found, number = ludwig_instances(Traffic(messages), ROUND_PRICES, measured(ludwig_memory_megabytes=megabytes))
    assert (found.name, number) == (machine, count)


def test_a_ludwig_that_fits_no_instance_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"has the 10\.0 GB of memory that Ludwig needs"):
        ludwig_instances(Traffic(1), ROUND_PRICES, measured(ludwig_memory_megabytes=5000))


def test_at_the_break_even_point_both_cost_the_same() -> None:
    figures = measured(ludwig_answers_per_second=1e9)
    found = break_even(0, Traffic(1), ROUND_PRICES, figures)
    assert found is not None
    at = compare(Traffic(found), ROUND_PRICES, figures)
    assert at[0].total == pytest.approx(at[-1].total, rel=0.002)
    below = compare(Traffic(found / 2), ROUND_PRICES, figures)
    assert below[0].total < below[-1].total


def test_no_break_even_point_if_lambda_is_always_or_never_more_expensive() -> None:
    assert break_even(2, Traffic(1, memory_megabytes=10_240, provisioned=50), ROUND_PRICES, measured()) is None
    assert break_even(0, Traffic(1), ROUND_PRICES, measured(ludwig_answers_per_second=0.1)) is None


def test_the_command_prints_bills_break_even_points_and_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--messages-per-month", "250000", "--memory", "512"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("250,000 messages per month, 512 MB, us-east-1, USD:")
    for name in ("| Lambda |", "| Lambda, SnapStart |", "| Lambda, 1 provisioned |", "| Ludwig, 1 x t3."):
        assert name in printed
    assert "cheaper than Ludwig" in printed
    assert "list prices of 2026-11" in printed
    assert "https://aws.amazon.com/lambda/pricing/" in printed


@pytest.mark.parametrize(
    ("start", "found"),
    [(300.0, "slower than the start of 300 ms that it replaces, so SnapStart does not pay"), (2000.0, "faster than")],
)
def test_the_assumptions_compare_a_restore_with_the_start_that_it_replaces(start: float, found: str) -> None:
    listed = read_prices(PRICES)
    lines = assumptions(Traffic(1), listed, measured(cold_start_milliseconds=start))
    assert found in "\n".join(lines)


def edited_prices(folder: Path, **changes: Any) -> Path:
    """Write a copy of the price file with a changed field."""
    content = json.loads(PRICES.read_bytes())
    content["regions"]["us-east-1"] |= changes
    path = folder / "prices.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_another_price_file_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edited_prices(tmp_path, http_api_million_requests=1000.0)
    assert main(["cost", "--messages-per-month", "1e6", "--prices", str(path)]) == 0
    assert "API 1000.00" in capsys.readouterr().out


def test_an_invalid_price_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edited_prices(tmp_path, logs_gb="cheap")
    assert main(["cost", "--messages-per-month", "1", "--prices", str(path)]) == 1
    assert "logs_gb" in capsys.readouterr().err
    assert main(["cost", "--messages-per-month", "1", "--prices", str(tmp_path / "none.json")]) == 1
    assert "Cannot read the price file" in capsys.readouterr().err


def test_a_region_without_prices_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--messages-per-month", "1", "--region", "mars-1"]) == 1
    assert "no prices for 'mars-1', only for ['us-east-1']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--messages-per-month", "0"], "above zero"),
        (["--messages-per-month", "nan"], "above zero"),
        (["--messages-per-month", "many"], "above zero"),
        (["--messages-per-month", "1", "--memory", "64"], "128 to 10240 MB, got 64"),
        (["--messages-per-month", "1", "--provisioned", "0"], "at least 1"),
        (["--messages-per-month", "1", "--provisioned", "few"], "at least 1"),
        ([], "--messages-per-month"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", *arguments])
    assert said in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "--help"])
    printed = capsys.readouterr().out
    assert "ludwig-serverless cost --messages-per-month 100000" in printed
    assert "training/aws_prices.json" in printed


def test_the_lambda_handler_does_not_import_it() -> None:
    code = "import sys, handler.entrypoint; print([n for n in sys.modules if n.startswith('ludwig_serverless')])"
    done = run_python("-c", code, NLU_BUNDLES="examples/bundles", NLU_OPEN="1")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_shipped_files_are_small_and_dated() -> None:
    assert PRICES.stat().st_size + MEASURED.stat().st_size < 6000
    days = [
        figure.measured_at for figure in msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, Figure]).values()
    ]
    assert all(len(day.split("-")) == 3 for day in days)
