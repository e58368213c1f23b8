"""What metrics add to the bill: hand-calculated cases, and the bytes that the handler really writes."""

import json
from pathlib import Path

import pytest

from handler.drift import BINS, MOST_GROUPS
from ludwig_serverless.cli import main
from ludwig_serverless.cost.bill import Traffic, compare
from ludwig_serverless.cost.measured import read_measured
from ludwig_serverless.cost.metrics import LOG_BYTES, metrics_items, number_of_metrics
from tests.bundles import INTENT, LANGUAGE, TAGGER, edit_manifest, give_expected, write_bundle
from tests.handler.deployment import deploy, predict
from training.aws_prices import read_prices

PRICES = read_prices().regions["us-east-1"]
BUSY = 1e9
"""So many messages that every metric has data in every hour."""


def test_without_metrics_nothing_is_added() -> None:
    assert metrics_items(Traffic(1e6), PRICES) == {}
    assert number_of_metrics(Traffic(1e6)) == 7


def test_a_busy_function_pays_for_every_metric() -> None:
    """Three times, and the confidence and the threshold of two categories: 7 metrics of $0.30."""
    items = metrics_items(Traffic(BUSY, metrics="on"), PRICES)
    assert items["metrics"] == pytest.approx(7 * 0.30)
    assert items["lines of metrics"] == pytest.approx(800 * (0.50 + 0.03))
    assert set(items) == {"metrics", "lines of metrics"}


@pytest.mark.parametrize(("intents", "groups"), [(5, 5), (20, 20), (77, MOST_GROUPS)])
def test_drift_adds_a_metric_for_each_group_and_bin_and_the_check(intents: int, groups: int) -> None:
    traffic = Traffic(BUSY, metrics="drift", intents=intents)
    counted = groups + 3 + 2 * BINS
    items = metrics_items(traffic, PRICES)
    assert items["metrics"] == pytest.approx((7 + counted) * 0.30)
    # Four indices and the largest; 730.5 checks that read all counts and publish once; one alarm.
    assert items["check for drift"] == pytest.approx(5 * 0.30 + 730.5 * (counted + 1) / 1000 * 0.01 + 0.10)
    assert number_of_metrics(traffic) == 7 + counted + 5


def test_a_metric_is_billed_only_for_hours_with_messages() -> None:
    rare = metrics_items(Traffic(30, metrics="on"), PRICES)["metrics"]
    assert 0 < rare < 7 * 0.30 * 30 / 730 * 1.01


def test_only_the_options_on_lambda_have_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    on, off = (compare(Traffic(1e6, metrics=metrics), PRICES, read_measured()) for metrics in ("on", "off"))
    added = [one.total - other.total for one, other in zip(on, off, strict=True)]
    assert added[:3] == pytest.approx([sum(metrics_items(Traffic(1e6, metrics="on"), PRICES).values())] * 3)
    assert added[3] == 0
    assert main(["cost", "--messages-per-month", "1e6", "--metrics", "drift", "--intents", "40"]) == 0
    assert "metrics of three models with 40 intents" in capsys.readouterr().out


@pytest.mark.parametrize("metrics", ["on", "drift"])
def test_the_assumed_bytes_are_those_that_the_handler_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], metrics: str
) -> None:
    for head in (LANGUAGE, INTENT, TAGGER):
        folder = write_bundle(tmp_path / head.name, head)
        if head is not TAGGER:
            give_expected(folder, dict.fromkeys(head.labels, 30), [0.5, 0.9], [20, 40, 60])
            outputs = json.loads((folder / "manifest.json").read_text())["outputs"]
            edit_manifest(folder, outputs=[{**outputs[0], "thresholds": {"default": 0.5}}])
    send = deploy(
        tmp_path, NLU_METRICS=metrics, NLU_METRICS_NAMESPACE="my-company-nlu", AWS_LAMBDA_FUNCTION_VERSION="7"
    )
    predict(send, {"text": "fly to Paris"})
    lines = [line for line in capsys.readouterr().out.splitlines(keepends=True) if "_aws" in line]
    assert sum(map(len, lines)) == pytest.approx(LOG_BYTES[metrics], rel=0.1)
