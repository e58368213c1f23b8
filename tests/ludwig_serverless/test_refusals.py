"""The cost of requests without a token: hand-calculated cases."""

import pytest

from ludwig_serverless.cli import main
from ludwig_serverless.cost.bill import MONTH_SECONDS
from ludwig_serverless.cost.refusals import largest, smallest
from tests.ludwig_serverless.test_cost import ROUND_PRICES, measured


def test_a_million_small_requests() -> None:
    assert smallest(1e6, 1024, ROUND_PRICES, measured()) == pytest.approx(
        {
            "API": 1.0,
            "requests": 0.2,
            "answers": 1e6 * 0.002 * 0.00002,  # billed by whole milliseconds: 1.2 becomes 2
            "logs": 2.0 * 0.53,  # 2000 bytes each make 2 GB
            "data": 3.0 * 0.1,
        }
    )


def test_a_million_large_requests_are_billed_as_twenty_each() -> None:
    assert largest(1e6, ROUND_PRICES) == pytest.approx({"API": 20.0, "logs": 1.0 * 0.53})


def test_the_rate_is_that_of_a_month(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--refused-per-second", "20"]) == 0
    assert f"{20 * MONTH_SECONDS:,.0f} requests per month (20 per second)" in capsys.readouterr().out


def test_the_rate_and_the_messages_are_mutually_exclusive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cost", "--refused-per-second", "20", "--messages-per-month", "5"])
    assert "not allowed with argument" in capsys.readouterr().err
