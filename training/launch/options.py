"""Options that several commands of `ludwig-serverless launch` share."""

import argparse
import re
from pathlib import Path

from handler.command_line import finite_number

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9*-]+")
PREFIX = "ludwig-serverless"


def add_targets(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the folders of the run and of the bundle, to a command that downloads both."""
    named = "" if required else " (default: runs/NAME, where NAME is the name of the job)"
    parser.add_argument("--output", required=required, type=Path, help=f"the folder for the downloaded run{named}")
    parser.add_argument("--bundle", type=Path, help="the folder for the downloaded bundle (default: bundles/NAME)")


def add_bucket(parser: argparse.ArgumentParser) -> None:
    """Add the bucket, and the folder in it."""
    parser.add_argument(
        "--bucket", required=True, type=_bucket, help="the bucket for jobs, in the region of the instances"
    )
    parser.add_argument(
        "--prefix", default=PREFIX, type=_prefix, help="the folder in the bucket (default: %(default)s)"
    )


def add_region(
    parser: argparse.ArgumentParser, help_text: str = "the AWS region (default: from the AWS settings)"
) -> None:
    """Add the region."""
    parser.add_argument("--region", help=help_text)


def add_machine(parser: argparse.ArgumentParser, instance_type: str | None, market: str | None) -> None:
    """Add what instance to start, its limits, and how to watch it.

    Args:
        parser: The parser of the command.
        instance_type: The default instance type; None for the one of an earlier launch.
        market: The default market; None for the one of an earlier launch.
    """
    default = f"(default: {instance_type})" if instance_type else "(default: as launched)"
    parser.add_argument("--instance-type", default=instance_type, help=f"an instance type with an NVIDIA GPU {default}")
    caps = parser.add_argument_group("limits, for all instances of this command together")
    caps.add_argument("--max-hours", required=True, type=positive, help="terminate the instances after this time")
    caps.add_argument("--max-dollars", required=True, type=positive, help="the maximum cost, including disks")
    caps.add_argument(
        "--price-per-hour", type=positive, metavar="DOLLARS", help="the price of the instance, if it is not listed"
    )
    caps.add_argument(
        "--max-attempts",
        type=int,
        default=3,
        help="how many spot instances to try one after another (default: %(default)s)",
    )
    markets = parser.add_mutually_exclusive_group()
    for name, help_text in {
        "spot": "use only spot, at about a third of the price; EC2 may reclaim it (the default)",
        "on-demand": "use only on-demand",
        "spot-or-on-demand": "use on-demand if EC2 has no spot capacity",
    }.items():
        markets.add_argument(
            f"--{name}", dest="market", action="store_const", const=name, default=market, help=help_text
        )
    add_region(parser)
    parser.add_argument(
        "--ami", help="another machine image: x86-64 with cloud-init, Docker, the NVIDIA driver and container toolkit"
    )
    parser.add_argument("--subnet", help="a subnet with internet access (default: try the default subnets in turn)")
    parser.add_argument(
        "--free-disk-gb",
        type=int,
        default=60,
        help="disk space in addition to the machine image (default: %(default)s)",
    )
    parser.add_argument("--detach", action="store_true", help="do not watch the job; the instance terminates by itself")
    parser.add_argument(
        "--lost-minutes",
        type=positive,
        default=15.0,
        help="terminate the instance if this command is gone for this long (default: %(default)g)",
    )
    parser.add_argument(
        "--poll-seconds", type=positive, default=10.0, help="how often to check the job (default: %(default)g)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be created and its cost, and create nothing"
    )


def positive(given: str) -> float:
    """Parse an argument as a positive number, or raise `argparse.ArgumentTypeError`."""
    found = finite_number(given)
    if not found > 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, found {given!r}")
    return found


def instance_types(given: str) -> tuple[str, ...]:
    """Parse an argument as instance types, separated by commas, or raise `argparse.ArgumentTypeError`."""
    found = tuple(each.strip() for each in given.split(","))
    if not all(INSTANCE_TYPE.fullmatch(each) for each in found):
        raise argparse.ArgumentTypeError(f"expected instance types such as g5.xlarge,g6.*, found {given!r}")
    return found


def _bucket(given: str) -> str:
    if not BUCKET.fullmatch(given):
        raise argparse.ArgumentTypeError(f"expected a bucket name such as my-bucket, found {given!r}")
    return given


def _prefix(given: str) -> str:
    found = given.strip("/")
    if not re.fullmatch(r"[\w./-]*", found) or "//" in found:
        raise argparse.ArgumentTypeError(f"expected a folder in the bucket, such as nlu/jobs, found {given!r}")
    return found
