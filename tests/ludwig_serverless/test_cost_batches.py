"""`ludwig-serverless cost --rows`: a hand-calculated run, and the report."""

import pytest

from ludwig_serverless.cli import main
from ludwig_serverless.cost.batches import batch_items
from ludwig_serverless.cost.measured import BATCH_ROWS
from tests.deploy.template import load
from tests.ludwig_serverless.test_cost import ROUND_PRICES, measured


def test_ten_million_rows_in_one_gigabyte() -> None:
    """With 1000 rows per batch, there are 10,000 batches of 410 ms, and their workflows are billed for 500 ms."""
    figures = measured(map_batch_milliseconds=102.5)
    assert batch_items(1e7, 1000, 1024, ROUND_PRICES, figures) == pytest.approx(
        {
            "answers": 4100 * 0.00002,
            "requests": 0.01 * 0.2,
            "state transitions": 10 * 0.025,
            "workflows": 0.01 + 5000 * 64 / 1024 * 0.00001667,
            "logs": 10_000 * 2000 / 1e9 * 0.53,
        }
    )


def test_the_size_of_a_batch_is_the_templates() -> None:
    assert load("examples/aws/batch.yaml")["Parameters"]["RowsPerBatch"]["Default"] == BATCH_ROWS


def test_the_report_has_the_price_of_a_million_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--rows", "1e8"]) == 0
    out = capsys.readouterr().out
    assert "| 100,000,000 rows in batches of 250 | total | per million rows |" in out
    (row,) = [line.split("|") for line in out.splitlines() if line.startswith("| Step Functions")]
    assert float(row[2]) == pytest.approx(100 * float(row[3]), abs=0.1)
    assert 0.10 < float(row[3]) < 0.20
    assert "state transitions 10, " in row[4]
