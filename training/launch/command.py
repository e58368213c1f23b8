"""The `ludwig-serverless launch` command."""

import argparse
import math
import re
from pathlib import Path

DESCRIPTION = """
Train on a rented GPU. One EC2 instance gets the dataset and configuration through S3, runs the training image, uploads
its progress, checkpoints, model, report and bundle to S3, and terminates.
"""
EXAMPLES = """
once per account and region, with administrator credentials:
  ludwig-serverless launch setup --bucket my-bucket
  ludwig-serverless launch policy user --bucket my-bucket > policy.json      (the permissions to launch)

then:
  ludwig-serverless launch run --config intent-bert --dataset data.csv --output runs/intent --bucket my-bucket \\
      --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/ludwig-training:latest \\
      --instance-type g5.xlarge --max-hours 2 --max-dollars 2 --dry-run
  ludwig-serverless launch list
  ludwig-serverless launch stop --all

Costs: an instance terminates
- when its job succeeds or fails;
- on Ctrl-C, SIGTERM, a closed terminal, or an error of this command;
- when it has not heard from this command for --lost-minutes;
- when --max-hours or --max-dollars is reached: by its own timers, and by AWS (EventBridge Scheduler) if those fail.
`launch list` and `launch stop` find all instances by their tag.

Next: ask the downloaded bundle: ludwig-serverless ask bundles/intent 'some text'
"""
RUN_EXAMPLES = """
examples:
  ludwig-serverless launch run --config intent-bert --dataset data.csv --output runs/intent --bucket my-bucket \\
      --image REGISTRY/ludwig-training:latest --max-hours 2 --max-dollars 2 --dry-run
  ludwig-serverless launch run ... --spot-or-on-demand -- --epochs 20 --calibrate

Build the image from training/Dockerfile, and push it to a public registry or to the account's ECR. Arguments after --
go to `ludwig-serverless fit`. The bundle is written to bundles/NAME, where NAME is the name of the run folder.
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
    _add_setup(launch)


def _add_run(launch: Commands) -> None:
    parser = launch.add_parser(
        "run",
        help="launch a training, watch it, and download its outputs",
        description="Launch a training, watch it, download its outputs, and terminate the instance.",
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", required=True, type=Path, help="a configuration file or name, as for `ludwig-serverless fit`"
    )
    parser.add_argument("--dataset", required=True, type=Path, help="a dataset, as for `ludwig-serverless fit`")
    _add_targets(parser, required=True)
    _add_bucket(parser)
    parser.add_argument("--image", required=True, metavar="REFERENCE", help="the training image, as for `docker pull`")
    _add_machine(parser, "g5.xlarge", "spot")
    parser.add_argument(
        "fit_arguments", nargs="*", metavar="-- FIT_ARGUMENT", help="more arguments of `ludwig-serverless fit`"
    )
    parser.set_defaults(run=_run)


def _add_attach(launch: Commands) -> None:
    parser = launch.add_parser(
        "attach",
        help="watch a job again, or download its outputs",
        description="Watch a running job and download its outputs. For a finished job, only download them.",
        epilog="example:\n  ludwig-serverless launch attach s3://my-bucket/nlu/jobs/ID --output runs/intent",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="ADDRESS", help="the S3 address of the job, from `launch run` or `launch list`")
    _add_targets(parser, required=False)
    _add_region(parser)
    parser.set_defaults(run=_attach)


def _add_resume(launch: Commands) -> None:
    parser = launch.add_parser(
        "resume",
        help="resume an interrupted job from its last checkpoint",
        description="Resume an interrupted job from its last checkpoint, on a new instance, with new limits.",
        epilog="example:\n  ludwig-serverless launch resume s3://my-bucket/ludwig-serverless/jobs/ID "
        "--max-hours 1 --max-dollars 1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", metavar="ADDRESS", help="the S3 address of the job, from `launch run` or `launch list`")
    _add_targets(parser, required=False)
    parser.add_argument("--image", metavar="REFERENCE", help="another training image")
    _add_machine(parser, None, None)
    parser.set_defaults(run=_resume)


def _add_list_and_stop(launch: Commands) -> None:
    found = launch.add_parser(
        "list", help="list running instances", description="List the running instances of all jobs, found by their tag."
    )
    _add_region(found, "search only this region (default: all regions of the account)")
    found.set_defaults(run=_list)
    stop = launch.add_parser(
        "stop",
        help="terminate instances",
        description="Terminate instances, found by their tag, and wait for the confirmation of EC2.",
    )
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("job", nargs="?", metavar="JOB", help="a job id or the S3 address of a job")
    which.add_argument("--all", action="store_true", help="terminate the instances of all jobs")
    _add_region(stop, "search only this region (default: all regions of the account)")
    stop.set_defaults(run=_stop)


def _add_setup(launch: Commands) -> None:
    policy = launch.add_parser(
        "policy",
        help="print a least-privilege IAM policy",
        description="Print a least-privilege IAM policy: for the user who launches, for the instances, or for the "
        "deadline that terminates them.",
    )
    policy.add_argument("role", choices=["user", "instance", "deadline"])
    _add_bucket(policy)
    policy.add_argument("--account", default="*", help="the account number (default: any)")
    policy.add_argument(
        "--instance-types",
        type=_instance_types,
        metavar="TYPE,...",
        help="types that the user may start, such as g5.xlarge,g6.* (default: those with one GPU and a listed price)",
    )
    _add_region(policy, "the AWS region (default: any)")
    policy.set_defaults(run=_policy)
    setup = launch.add_parser(
        "setup",
        help="create the roles, instance profile and security group, once",
        description="Create the role and profile of the instances, the role of the deadlines that terminate them, "
        "and a security group without inbound rules. None of it costs anything. Run it again to update the policies.",
    )
    _add_bucket(setup)
    setup.add_argument("--vpc", help="the VPC of the security group (default: the default VPC)")
    _add_region(setup)
    setup.set_defaults(run=_setup)
    teardown = launch.add_parser("teardown", help="delete what setup created", description="Delete what setup created.")
    _add_region(teardown)
    teardown.set_defaults(run=_teardown)


def _add_targets(parser: argparse.ArgumentParser, *, required: bool) -> None:
    named = "" if required else " (default: runs/NAME, where NAME is the name of the job)"
    parser.add_argument("--output", required=required, type=Path, help=f"the folder for the downloaded run{named}")
    parser.add_argument("--bundle", type=Path, help="the folder for the downloaded bundle (default: bundles/NAME)")


def _add_bucket(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bucket", required=True, type=_bucket, help="the bucket for jobs, in the region of the instances"
    )
    parser.add_argument(
        "--prefix", default=PREFIX, type=_prefix, help="the folder in the bucket (default: %(default)s)"
    )


def _add_region(
    parser: argparse.ArgumentParser, help_text: str = "the AWS region (default: from the AWS settings)"
) -> None:
    parser.add_argument("--region", help=help_text)


def _add_machine(parser: argparse.ArgumentParser, instance_type: str | None, market: str | None) -> None:
    default = f"(default: {instance_type})" if instance_type else "(default: as launched)"
    parser.add_argument("--instance-type", default=instance_type, help=f"an instance type with an NVIDIA GPU {default}")
    caps = parser.add_argument_group("limits, for all instances of this command together")
    caps.add_argument("--max-hours", required=True, type=_positive, help="terminate the instances after this time")
    caps.add_argument("--max-dollars", required=True, type=_positive, help="the maximum cost, including disks")
    caps.add_argument(
        "--price-per-hour", type=_positive, metavar="DOLLARS", help="the price of the instance, if it is not listed"
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
    _add_region(parser)
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
        type=_positive,
        default=15.0,
        help="terminate the instance if this command is gone for this long (default: %(default)g)",
    )
    parser.add_argument(
        "--poll-seconds", type=_positive, default=10.0, help="how often to check the job (default: %(default)g)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be created and its cost, and create nothing"
    )


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
        options.role,
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
        raise argparse.ArgumentTypeError(f"expected a positive number, found {given!r}")
    return found


def _instance_types(given: str) -> tuple[str, ...]:
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
