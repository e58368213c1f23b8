"""`ludwig-serverless launch`, on a command line."""

import argparse
import math
import re
from pathlib import Path

DESCRIPTION = """
Train on a rented GPU: one EC2 instance, which gets its dataset and configuration through S3, runs the training image,
sends its progress, checkpoints, model, report and exported bundle back through S3, and terminates.
"""
EXAMPLES = """
once for an account and a region, with an administrator's keys:
  ludwig-serverless launch setup --bucket my-bucket
  ludwig-serverless launch policy user --bucket my-bucket > policy.json      (what whoever launches needs)

then:
  ludwig-serverless launch run --config intent-bert --dataset data.csv --output runs/intent --bucket my-bucket \\
      --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ludwig-training:latest \\
      --instance-type g5.xlarge --max-hours 2 --max-dollars 2 --dry-run
  ludwig-serverless launch list
  ludwig-serverless launch stop --all

Money: an instance is terminated when its job ends, well or not; on Ctrl-C, SIGTERM, a closed terminal or an error of
this command; by AWS itself (EventBridge Scheduler) when a cap in hours or in money is reached; a little before that by
its own timers, which are set before anything else runs; and by itself when it has not heard from this command for
--lost-minutes. `launch list` and `launch stop` find all instances by their tag.

Next: the run and its bundle are fetched; ask it: ludwig-serverless ask bundles/intent 'some text'
"""
RUN_EXAMPLES = """
examples:
  ludwig-serverless launch run --config intent-bert --dataset data.csv --output runs/intent --bucket my-bucket \\
      --image REGISTRY/ludwig-training:latest --max-hours 2 --max-dollars 2 --dry-run
  ludwig-serverless launch run ... --spot-or-on-demand -- --epochs 20 --calibrate

The image is that of training/Dockerfile, in a registry that the instance reaches: a public one, or ECR of the account.
Arguments after -- go to `ludwig-serverless fit`. The bundle is written to bundles/NAME; NAME is the run folder's name.
"""
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9*-]+")
PREFIX = "ludwig-serverless"
type Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `launch` to its parser."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    launch = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(launch)
    _add_attach(launch)
    _add_resume(launch)
    _add_list_and_stop(launch)
    _add_rights(launch)


def _add_run(launch: Commands) -> None:
    parser = launch.add_parser(
        "run",
        help="launch a training, watch it, fetch what it made",
        description="Launch a training, watch it, fetch what it made, and end the instance.",
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, type=Path, help="as for `ludwig-serverless fit`: a file, or a name")
    parser.add_argument("--dataset", required=True, type=Path, help="as for `ludwig-serverless fit`")
    _add_targets(parser, required=True)
    _add_bucket(parser)
    parser.add_argument("--image", required=True, metavar="REFERENCE", help="the training image, as docker pulls it")
    _add_machine(parser, "g5.xlarge", "spot")
    parser.add_argument(
        "fit_arguments", nargs="*", metavar="-- FIT_ARGUMENT", help="more arguments of `ludwig-serverless fit`"
    )
    parser.set_defaults(run=_run)


def _add_attach(launch: Commands) -> None:
    parser = launch.add_parser(
        "attach",
        help="watch a job again after a lost connection, or fetch what it made",
        description="Watch a job that runs, and fetch what it made, or has made.",
        epilog="example:\n  ludwig-serverless launch attach s3://my-bucket/nlu/jobs/ID --output runs/intent",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "job", metavar="ADDRESS", help="the job's address in S3, which `launch run` and `launch list` print"
    )
    _add_targets(parser, required=False)
    _add_region(parser)
    parser.set_defaults(run=_attach)


def _add_resume(launch: Commands) -> None:
    parser = launch.add_parser(
        "resume",
        help="resume a job that broke off, from its last checkpoint",
        description="Resume a job that broke off, on a new instance, from its last checkpoint, under new caps.",
        epilog="example:\n  ludwig-serverless launch resume s3://my-bucket/ludwig-serverless/jobs/ID "
        "--max-hours 1 --max-dollars 1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "job", metavar="ADDRESS", help="the job's address in S3, which `launch run` and `launch list` print"
    )
    _add_targets(parser, required=False)
    parser.add_argument("--image", metavar="REFERENCE", help="another training image")
    _add_machine(parser, None, None)
    parser.set_defaults(run=_resume)


def _add_list_and_stop(launch: Commands) -> None:
    found = launch.add_parser(
        "list", help="list running instances", description="List every instance of any job, found by its tag."
    )
    _add_region(found, "look there only (default: in all regions of the account)")
    found.set_defaults(run=_list)
    stop = launch.add_parser(
        "stop",
        help="end the instances of jobs",
        description="Terminate instances, found by their tag, and wait until EC2 confirms it.",
    )
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("job", nargs="?", metavar="JOB", help="a job's id or its address in S3")
    which.add_argument("--all", action="store_true", help="of every job")
    _add_region(stop, "look there only (default: in all regions of the account)")
    stop.set_defaults(run=_stop)


def _add_rights(launch: Commands) -> None:
    policy = launch.add_parser(
        "policy",
        help="print a policy with the least permissions",
        description="Print the policy with the least permissions: of the user who launches, of the instances, or of "
        "the deadline that terminates them.",
    )
    policy.add_argument("whose", choices=["user", "instance", "deadline"])
    _add_bucket(policy)
    policy.add_argument("--account", default="*", help="the account's number (default: any)")
    policy.add_argument(
        "--instance-types",
        type=_instance_types,
        metavar="TYPE,...",
        help="what the user may start, such as g5.xlarge,g6.* (default: those with one GPU and a listed price)",
    )
    _add_region(policy, "(default: any)")
    policy.set_defaults(run=_policy)
    setup = launch.add_parser(
        "setup",
        help="make the roles, the instance profile and the security group, once",
        description="Make the instances' role and profile, the role of the deadlines that terminate them, and a "
        "security group that lets nothing in. None of it costs anything. Run again, it updates the policies.",
    )
    _add_bucket(setup)
    setup.add_argument("--vpc", help="where the security group belongs (default: the default VPC)")
    _add_region(setup)
    setup.set_defaults(run=_setup)
    teardown = launch.add_parser("teardown", help="delete what setup made", description="Delete what setup made.")
    _add_region(teardown)
    teardown.set_defaults(run=_teardown)


def _add_targets(parser: argparse.ArgumentParser, *, required: bool) -> None:
    named = "" if required else " (default: runs/NAME, by the job's name)"
    parser.add_argument("--output", required=required, type=Path, help=f"the folder of the run that is fetched{named}")
    parser.add_argument("--bundle", type=Path, help="the folder of the bundle (default: bundles/NAME)")


def _add_bucket(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bucket", required=True, type=_bucket, help="where jobs are kept, in the instances' region")
    parser.add_argument("--prefix", default=PREFIX, type=_prefix, help="the folder in it (%(default)s)")


def _add_region(parser: argparse.ArgumentParser, told: str = "(default: AWS's own settings)") -> None:
    parser.add_argument("--region", help=told)


def _add_machine(parser: argparse.ArgumentParser, instance_type: str | None, market: str | None) -> None:
    default = f"({instance_type})" if instance_type else "(default: as it was launched)"
    parser.add_argument("--instance-type", default=instance_type, help=f"one with an NVIDIA GPU {default}")
    caps = parser.add_argument_group("caps, for all instances of this command together")
    caps.add_argument("--max-hours", required=True, type=_positive, help="the machine is off by then")
    caps.add_argument("--max-dollars", required=True, type=_positive, help="what it may cost, disks included")
    caps.add_argument(
        "--price-per-hour", type=_positive, metavar="DOLLARS", help="of the machine, where its price is not known"
    )
    caps.add_argument("--max-attempts", type=int, default=3, help="spot instances one after another (%(default)s)")
    markets = parser.add_mutually_exclusive_group()
    for name, told in {
        "spot": "a spot instance only, at about a third of the price; EC2 may take it back (the default)",
        "on-demand": "an on-demand instance only",
        "spot-or-on-demand": "an on-demand instance where EC2 has no spot instance",
    }.items():
        markets.add_argument(f"--{name}", dest="market", action="store_const", const=name, default=market, help=told)
    _add_region(parser)
    parser.add_argument("--ami", help="another machine image: x86-64, cloud-init, Docker, NVIDIA's driver and toolkit")
    parser.add_argument("--subnet", help="one that reaches the internet (default: the default ones in turn)")
    parser.add_argument(
        "--free-disk-gb", type=int, default=60, help="beyond the machine image's own files (%(default)s)"
    )
    parser.add_argument("--detach", action="store_true", help="do not watch: the instance ends by itself")
    parser.add_argument(
        "--lost-minutes",
        type=_positive,
        default=15.0,
        help="the instance ends after this long without this command (%(default)g)",
    )
    parser.add_argument("--poll-seconds", type=_positive, default=10.0, help="how often to look (%(default)g)")
    parser.add_argument("--dry-run", action="store_true", help="make nothing: show what would be made, and its cost")


def _run(options: argparse.Namespace) -> None:
    from training.launch.submit import run

    run(options)


def _attach(options: argparse.Namespace) -> None:
    from training.launch.submit import attach

    attach(options.job, options.output, options.bundle, options.region)


def _resume(options: argparse.Namespace) -> None:
    from training.launch.submit import resume

    resume(options)


def _list(options: argparse.Namespace) -> None:
    from training.launch.fleet import show

    show(options.region)


def _stop(options: argparse.Namespace) -> None:
    from training.launch.fleet import stop

    stop(None if options.all else options.job.rstrip("/").rpartition("/")[2], options.region)


def _policy(options: argparse.Namespace) -> None:
    import json

    from training.launch.iam import INSTANCE_TYPES, policy

    found = policy(
        options.whose,
        bucket=options.bucket,
        prefix=options.prefix,
        region=options.region or "*",
        account=options.account,
        instance_types=options.instance_types or INSTANCE_TYPES,
    )
    print(json.dumps(found, indent=1))


def _setup(options: argparse.Namespace) -> None:
    from training.launch.aws import Aws
    from training.launch.iam import setup

    setup(Aws(options.region), options.bucket, options.prefix, options.vpc)


def _teardown(options: argparse.Namespace) -> None:
    from training.launch.aws import Aws
    from training.launch.iam import teardown

    teardown(Aws(options.region))


def _positive(given: str) -> float:
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {given!r}")
    return found


def _instance_types(given: str) -> tuple[str, ...]:
    found = tuple(each.strip() for each in given.split(","))
    if not all(INSTANCE_TYPE.fullmatch(each) for each in found):
        raise argparse.ArgumentTypeError(f"expected instance types, such as g5.xlarge,g6.*, found {given!r}")
    return found


def _bucket(given: str) -> str:
    if not BUCKET.fullmatch(given):
        raise argparse.ArgumentTypeError(f"expected a bucket's name, such as my-bucket, found {given!r}")
    return given


def _prefix(given: str) -> str:
    found = given.strip("/")
    if not re.fullmatch(r"[\w./-]*", found) or "//" in found:
        raise argparse.ArgumentTypeError(f"expected a folder in the bucket, such as nlu/trainings, found {given!r}")
    return found
