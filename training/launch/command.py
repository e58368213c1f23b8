"""The `ludwig-serverless launch` command."""

import argparse
from pathlib import Path

from training.launch.options import add_bucket, add_machine, add_region, add_targets, instance_types

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
    add_targets(parser, required=True)
    add_bucket(parser)
    parser.add_argument("--image", required=True, metavar="REFERENCE", help="the training image, as for `docker pull`")
    add_machine(parser, "g5.xlarge", "spot")
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
    add_targets(parser, required=False)
    add_region(parser)
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
    add_targets(parser, required=False)
    parser.add_argument("--image", metavar="REFERENCE", help="another training image")
    add_machine(parser, None, None)
    parser.set_defaults(run=_resume)


def _add_list_and_stop(launch: Commands) -> None:
    found = launch.add_parser(
        "list", help="list running instances", description="List the running instances of all jobs, found by their tag."
    )
    add_region(found, "search only this region (default: all regions of the account)")
    found.set_defaults(run=_list)
    stop = launch.add_parser(
        "stop",
        help="terminate instances",
        description="Terminate instances, found by their tag, and wait for the confirmation of EC2.",
    )
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("job", nargs="?", metavar="JOB", help="a job id or the S3 address of a job")
    which.add_argument("--all", action="store_true", help="terminate the instances of all jobs")
    add_region(stop, "search only this region (default: all regions of the account)")
    stop.set_defaults(run=_stop)


def _add_setup(launch: Commands) -> None:
    policy = launch.add_parser(
        "policy",
        help="print a least-privilege IAM policy",
        description="Print a least-privilege IAM policy: for the user who launches, for the instances, or for the "
        "deadline that terminates them.",
    )
    policy.add_argument("role", choices=["user", "instance", "deadline"])
    add_bucket(policy)
    policy.add_argument("--account", default="*", help="the account number (default: any)")
    policy.add_argument(
        "--instance-types",
        type=instance_types,
        metavar="TYPE,...",
        help="types that the user may start, such as g5.xlarge,g6.* (default: those with one GPU and a listed price)",
    )
    add_region(policy, "the AWS region (default: any)")
    policy.set_defaults(run=_policy)
    setup = launch.add_parser(
        "setup",
        help="create the roles, instance profile and security group, once",
        description="Create the role and profile of the instances, the role of the deadlines that terminate them, "
        "and a security group without inbound rules. None of it costs anything. Run it again to update the policies.",
    )
    add_bucket(setup)
    setup.add_argument("--vpc", help="the VPC of the security group (default: the default VPC)")
    add_region(setup)
    setup.set_defaults(run=_setup)
    teardown = launch.add_parser("teardown", help="delete what setup created", description="Delete what setup created.")
    add_region(teardown)
    teardown.set_defaults(run=_teardown)


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
