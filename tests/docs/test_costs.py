"""The amounts in the documentation are what `ludwig-serverless cost` calculates from the latest measurements."""

from pathlib import Path

import pytest

from benchmarks.costs import DEPLOY, ON_DEPLOY, SCALE, SECTIONS, shown
from ludwig_serverless.cli import main
from ludwig_serverless.cost.bill import Traffic
from ludwig_serverless.cost.metrics import metrics_items
from tests.deploy.template import load
from training.aws_prices import read_prices

PAGES: dict[str, Path] = {name: DEPLOY if name in ON_DEPLOY else SCALE for name in SECTIONS}
MONITORING, BATCH = (DEPLOY.with_name(name) for name in ("monitoring.md", "batch.md"))
LATER = "run `python -m benchmarks.costs`"


@pytest.mark.parametrize(
    ("section", "command"), [(name, command) for name, commands in SECTIONS.items() for command in commands]
)
def test_the_page_shows_what_the_command_prints(section: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *command.split()]) == 0
    expected = "\n".join(shown(section, capsys.readouterr().out))
    content = PAGES[section].read_text(encoding="utf-8")
    _, _, rest = content.partition(f"<!-- begin {section} -->")
    block = rest.partition(f"<!-- end {section} -->")[0]
    assert f"`ludwig-serverless cost {command}`:\n\n{expected}\n" in block, LATER


def test_the_refused_requests_come_at_the_default_rate_limit() -> None:
    rate = load()["Parameters"]["RequestsPerSecond"]["Default"]
    assert SECTIONS["refused"] == (f"--refused-per-second {rate}",)


def test_the_table_of_metrics_is_calculated() -> None:
    prices = read_prices().regions["us-east-1"]
    for messages in (10_000, 1_000_000):
        added = [sum(metrics_items(Traffic(messages, metrics=mode), prices).values()) for mode in ("on", "drift")]
        row = f"| {messages:,} | ${added[0]:.2f} | ${added[1]:.2f} |"
        assert row in MONITORING.read_text(encoding="utf-8")


def test_the_price_of_a_million_rows_is_calculated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--rows", "1e6"]) == 0
    total = capsys.readouterr().out.partition("| Step Functions and Lambda | ")[2].partition(" ")[0]
    assert f"A million rows cost about ${total} with the defaults" in BATCH.read_text(encoding="utf-8")
