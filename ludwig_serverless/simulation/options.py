"""The options of `ludwig-serverless cost --simulate`, and its run."""

import argparse
import json
import math
import re
import sys
from pathlib import Path

from handler.command_line import finite_number
from ludwig_serverless.cost.bill import Traffic
from ludwig_serverless.cost.measured import read_measured
from ludwig_serverless.simulation.settings import DAY, MINUTE, Settings
from training.aws_prices import PriceList, RegionPrices

DEFAULT_RATES = ("1000/day", "10000/day", "100000/day", "1e6/day", "100/s", "1000/s", "10000/s")
UNITS = {"day": 1.0, "d": 1.0, "hour": 24.0, "h": 24.0, "minute": 1440.0, "min": 1440.0, "second": DAY, "s": DAY}
"""Messages per day for one message per unit."""
LARGEST_PER_DAY = 1e6 * DAY
LONGEST = 900_000
"""Lambda stops a function after 15 minutes."""
BURST = re.compile(r"([\d.]+)x([\d.]+)s?")

HELP = """
simulation:
  --simulate sends messages through all limits that a deployment has, in the order in which a message meets them: the
  template's RequestsPerSecond and RequestBurst, the account's quota of API Gateway, and then Lambda's: requests per
  second, concurrency (ReservedConcurrency or the account's quota), and new environments per second. It prints what
  users wait, how many messages are throttled and by what, the limit that breaks first with the setting to change, and
  the bill.

  A rate is a mean over the day: 5000 or 5000/day, 20/minute, 10000/s. The default is a table from 1,000 a day to
  10,000 a second. --arrivals says when they come:
    day      more by day than by night: the weights of the 24 hours of a bot whose users live in one time zone, the
             busiest hour having 1.8 times the mean (assumed, not recorded: ludwig_serverless/cost/bill.py, DAYTIME)
    steady   a constant rate
    FILE     your own log, .csv with a header or lines of JSON. Each row has a `timestamp` (ISO 8601, seconds since
             1970, or API Gateway's access log's `time`); or a `timestamp` and a `count`, for a minute or an hour; or
             an `hour` (0 to 23) and a `count`. Without rates, single messages are replayed exactly
  --burst 10x60 adds a minute with ten times the peak rate to each day, such as after a newsletter.
"""


def add_simulation(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a simulation uses."""
    group = parser.add_argument_group("options of --simulate")
    group.add_argument("--arrivals", default="day", metavar="WHEN", help="day, steady or a FILE (default: %(default)s)")
    group.add_argument(
        "--burst", type=_burst, metavar="FACTORxSECONDS", help="times the peak rate, once a day, such as 10x60"
    )
    given = Settings()
    numbers = (
        ("--requests-per-second", given.requests_per_second, "the template's RequestsPerSecond"),
        ("--request-burst", given.request_burst, "the template's RequestBurst"),
        ("--account-concurrency", given.account_concurrency, "what the account's quota leaves for this function"),
        ("--api-requests-per-second", given.api_requests_per_second, "the account's quota of API Gateway"),
        ("--api-burst", given.api_burst, "the burst of that quota"),
    )
    for name, default, meaning in numbers:
        group.add_argument(
            name, type=_at_least_one, default=default, metavar="N", help=f"{meaning} (default: {default:g})"
        )
    group.add_argument(
        "--reserved", type=_reserved, default=None, metavar="N", help="the template's ReservedConcurrency (default: -1)"
    )
    group.add_argument(
        "--answer-milliseconds",
        type=_duration,
        metavar="MS",
        help="median duration of your function's warm answers, as CloudWatch shows it (default: that of three small "
        "models)",
    )
    group.add_argument(
        "--start-milliseconds",
        type=_duration,
        metavar="MS",
        help="the same for its cold starts, Init Duration and Duration together",
    )
    group.add_argument(
        "--start-overhead",
        type=_milliseconds,
        default=0.0,
        metavar="MS",
        help="what AWS adds to a cold start before the function's own initialization (default: 0)",
    )
    group.add_argument(
        "--budget",
        type=_budget,
        default=1_000_000,
        metavar="N",
        help="messages to simulate per rate; of a busier day, only the busiest part (default: %(default)s)",
    )
    group.add_argument("--seed", type=_seed, default=0, metavar="N", help="the same seed gives the same figures")
    group.add_argument("--json", action="store_true", help="print one line of JSON for each rate")


def run_simulation(options: argparse.Namespace, listed: PriceList, prices: RegionPrices) -> None:
    """Simulate the rates and print the result.

    Args:
        options: The parsed options.
        listed: The price list.
        prices: The prices of the region.

    Raises:
        SettingsError: Options contradict each other, or a file is unreadable.
    """
    # numpy loads only when a simulation runs.
    from ludwig_serverless.simulation.arrivals import DAYLIGHT, STEADY, Burst
    from ludwig_serverless.simulation.durations import fitted
    from ludwig_serverless.simulation.recorded import read_recorded
    from ludwig_serverless.simulation.report import rate, report
    from ludwig_serverless.simulation.rows import Plan, simulate_row, summary

    profile = {"day": DAYLIGHT, "steady": STEADY}.get(options.arrivals)
    rates = [float(each) for each in options.simulate]
    if profile is None:
        profile = read_recorded(Path(options.arrivals), is_scaled=bool(rates or options.burst))
        rates = rates or [profile.messages_per_day]
    rates = rates or [messages_per_day(each) for each in DEFAULT_RATES]
    settings = _settings(options)
    settings.check()
    traffic = Traffic(
        max(rates), options.memory, options.idle_minutes, 1, metrics=options.metrics, intents=options.intents
    )
    burst = Burst(*options.burst) if options.burst else None
    plan = Plan(profile, settings, traffic, burst, options.seed, options.budget, options.start_overhead / 1000)
    measured = fitted(read_measured(), options.memory, options.answer_milliseconds, options.start_milliseconds)
    made = []
    for each in rates:
        if sys.stderr.isatty():
            print(f"simulating {rate(each)} ...", file=sys.stderr)
        made.append(simulate_row(each, plan, prices, measured))
    if options.json:
        print("\n".join(json.dumps(summary(row)) for row in made))
    else:
        print("\n".join(report(made, plan, options.region, listed, prices, measured)))


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        requests_per_second=options.requests_per_second,
        request_burst=options.request_burst,
        api_requests_per_second=options.api_requests_per_second,
        api_burst=options.api_burst,
        account_concurrency=int(options.account_concurrency),
        reserved=options.reserved,
        provisioned=options.provisioned or 0,
        idle_seconds=options.idle_minutes * MINUTE,
    )


def messages_per_day(given: str) -> float:
    """Parse a rate such as 5000, 5000/day or 20/s, and return its messages per day."""
    number, _, unit = given.partition("/")
    try:
        found = float(number) * UNITS[unit or "day"]
    except (ValueError, KeyError):
        found = math.nan
    if not 0 < found <= LARGEST_PER_DAY:
        raise argparse.ArgumentTypeError(
            f"expected a rate such as 1000/day, 20/minute or 10000/s, at most a million a second, got {given}"
        )
    return found


def _burst(given: str) -> tuple[float, float]:
    found = BURST.fullmatch(given)
    try:
        factor, seconds = map(float, found.groups()) if found else (math.nan, math.nan)
    except ValueError:
        factor = seconds = math.nan
    if not (1 < factor <= 1e4 and 0 < seconds <= DAY / 24):
        raise argparse.ArgumentTypeError(
            f"expected a factor above 1 and at most an hour in seconds, such as 10x60, got {given}"
        )
    return factor, seconds


def _at_least_one(given: str) -> float:
    number = finite_number(given)
    if not number >= 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {given}")
    return number


def _milliseconds(given: str) -> float:
    number = finite_number(given)
    if not 0 <= number <= 60_000:
        raise argparse.ArgumentTypeError(f"expected 0 to 60000 milliseconds, got {given}")
    return number


def _duration(given: str) -> float:
    number = finite_number(given)
    if not 0 < number <= LONGEST:
        raise argparse.ArgumentTypeError(f"expected milliseconds above zero and at most {LONGEST}, got {given}")
    return number


def _reserved(given: str) -> int | None:
    number = finite_number(given)
    if number == -1:
        return None
    if not (number >= 0 and number == int(number)):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, or -1 for no limit, got {given}")
    return int(number)


def _budget(given: str) -> int:
    number = finite_number(given)
    if not 1_000 <= number <= 100_000_000:
        raise argparse.ArgumentTypeError(f"expected 1000 to 100000000 messages, got {given}")
    return int(number)


def _seed(given: str) -> int:
    number = finite_number(given)
    if not (number >= 0 and number == int(number)):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {given}")
    return int(number)
