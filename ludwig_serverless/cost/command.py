"""The command `ludwig-serverless cost`: parse its arguments and print the bills."""

import argparse
from pathlib import Path

from handler.command_line import finite_number
from handler.errors import SettingsError
from ludwig_serverless.cost.batches import batch_costs
from ludwig_serverless.cost.bill import MOST_MESSAGES, Traffic
from ludwig_serverless.cost.measured import BATCH_ROWS, read_measured
from ludwig_serverless.cost.metrics import LOG_BYTES
from ludwig_serverless.cost.refusals import refusals
from ludwig_serverless.cost.report import report
from ludwig_serverless.simulation.options import HELP, add_simulation, messages_per_day, run_simulation
from training.aws_prices import PRICES, PriceList, RegionPrices, read_prices

SMALLEST_MEGABYTES, LARGEST_MEGABYTES = 128, 10_240
"""Limits of a Lambda function's memory."""

DESCRIPTION = """
Compare monthly costs on AWS: plain Lambda, SnapStart, provisioned concurrency, or Ludwig on an EC2 instance that runs
around the clock. Or simulate Lambda's scaling: what users wait, what is throttled, which limit breaks first, and the
bill, from a few messages a day to thousands a second.
"""
EXAMPLES = f"""{HELP}
examples:
  ludwig-serverless cost --messages-per-month 100000
  ludwig-serverless cost --messages-per-month 5e6 --memory 512 --idle-minutes 5
  ludwig-serverless cost --messages-per-month 1e6 --metrics drift --intents 40
  ludwig-serverless cost --refused-per-second 20
  ludwig-serverless cost --simulate
  ludwig-serverless cost --simulate 1e6/day --burst 10x60 --requests-per-second 200
  ludwig-serverless cost --simulate --arrivals access-log.jsonl --provisioned 2 --json
  ludwig-serverless cost --rows 1e8 --rows-per-batch 400

training/aws_prices.json lists AWS's prices with their month and sources. Check them before you decide. To use other
prices, edit a copy and pass it with --prices. The measured figures come from `make bench`
(ludwig_serverless/cost/measured.json).

Next: deploy (docs/deploy.md).
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cost` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--messages-per-month", type=_messages, help="number of messages from Hexabot", metavar="N")
    asked.add_argument(
        "--refused-per-second",
        type=_messages,
        metavar="N",
        help="instead, calculate the cost of a month of requests without a valid token, at this rate (see the "
        "template's RequestsPerSecond)",
    )
    asked.add_argument(
        "--simulate",
        nargs="*",
        type=messages_per_day,
        metavar="RATE",
        help="instead, simulate these rates, such as 1000/day or 50/s (default: a table up to 10000/s)",
    )
    asked.add_argument(
        "--rows",
        type=_messages,
        metavar="N",
        help="instead, calculate the cost of answering this many rows with Step Functions (examples/aws/batch.yaml)",
    )
    parser.add_argument(
        "--rows-per-batch",
        type=_whole,
        default=BATCH_ROWS,
        metavar="N",
        help="rows that one invocation answers, for --rows (default: %(default)s)",
    )
    parser.add_argument("--memory", type=_megabytes, default=1769, metavar="MB", help="memory (default: %(default)s)")
    parser.add_argument("--region", default="us-east-1", help="a region in the price file (default: %(default)s)")
    parser.add_argument(
        "--idle-minutes",
        type=_messages,
        default=10.0,
        metavar="MINUTES",
        help="how long Lambda keeps an idle sandbox; AWS does not guarantee it (default: %(default)s)",
    )
    parser.add_argument(
        "--provisioned",
        type=_whole,
        metavar="N",
        help="provisioned instances (default: 1 to compare, none to simulate)",
    )
    parser.add_argument(
        "--metrics", choices=LOG_BYTES, default="off", help="the template's parameter Metrics (default: %(default)s)"
    )
    parser.add_argument(
        "--intents", type=_whole, default=20, metavar="N", help="intents, for --metrics drift (default: %(default)s)"
    )
    parser.add_argument("--prices", type=Path, default=PRICES, help="another price file with the same structure")
    add_simulation(parser)
    parser.set_defaults(run=_run)


def _messages(given: str) -> float:
    number = finite_number(given)
    if not 0 < number <= MOST_MESSAGES:
        raise argparse.ArgumentTypeError(f"expected a number above zero and at most {MOST_MESSAGES:.0e}, got {given}")
    return number


def _megabytes(given: str) -> int:
    number = finite_number(given)
    if not SMALLEST_MEGABYTES <= number <= LARGEST_MEGABYTES or number != int(number):
        allowed = f"{SMALLEST_MEGABYTES} to {LARGEST_MEGABYTES} MB"
        raise argparse.ArgumentTypeError(f"expected {allowed}, got {given}")
    return int(number)


def _whole(given: str) -> int:
    number = finite_number(given)
    if not number >= 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1, got {given}")
    return int(number)


def _run(options: argparse.Namespace) -> None:
    """Print the bills, a simulation, or the cost of rejected requests or of a batch."""
    listed = read_prices(options.prices)
    prices = _of_region(listed, options)
    if options.refused_per_second:
        print(f"{options.region}, {listed.currency}, list prices of {listed.as_of}:\n")
        print("\n".join(refusals(options.refused_per_second, options.memory, prices, read_measured())))
        return
    if options.simulate is not None:
        run_simulation(options, listed, prices)
        return
    if options.rows:
        print(f"{options.region}, {listed.currency}, list prices of {listed.as_of}:\n")
        print("\n".join(batch_costs(options.rows, options.rows_per_batch, options.memory, prices, read_measured())))
        return
    traffic = Traffic(
        options.messages_per_month,
        options.memory,
        options.idle_minutes,
        options.provisioned or 1,
        options.metrics,
        options.intents,
    )
    print("\n".join(report(traffic, options.region, listed, prices, read_measured())))


def _of_region(listed: PriceList, options: argparse.Namespace) -> RegionPrices:
    if options.region not in listed.regions:
        raise SettingsError(
            f"{options.prices} has no prices for {options.region!r}, only for {sorted(listed.regions)}: "
            "add the region to a copy of the file, and pass the copy with --prices."
        )
    return listed.regions[options.region]
