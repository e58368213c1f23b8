"""Turn commands into jobs. Everything is checked on this machine before anything is created at AWS."""

import argparse
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import msgspec
import yaml

from export.console import say
from training import fit_command
from training.config import read_config, with_pretrained
from training.dataset import TRAIN, prepare, read_dataset
from training.errors import LaunchError, UnreachedError
from training.fit import check_output
from training.imports.vocabulary import entities_of, entities_path
from training.launch.aws import Aws
from training.launch.discovery import NAME as PROFILE
from training.launch.fetching import check_targets, fetch
from training.launch.folder import Folder
from training.launch.instances import Instances
from training.launch.job import CONFIG, FINISHED, INPUTS, JOB, LISTING, Job, JobLocation, new_location, parse_location
from training.launch.launching import check_finished, follow, next_step, train, upload
from training.launch.money import Budget
from training.launch.plan import LaunchOptions, Plan, make_plan
from training.launch.signals import tell
from training.out_of_scope import out_of_scope
from training.schema import check_shape

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
IMAGE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")
OURS = ("config", "dataset", "output", "validation", "test", "force")
"""Arguments of `fit` that the launch sets itself, or that name local files."""


def run(options: argparse.Namespace) -> None:
    """Launch a training, watch it, and download its outputs.

    Raises:
        LaunchError: The launch is not possible, or the job failed.
    """
    name = options.output.resolve().name
    if not NAME.fullmatch(name):
        raise LaunchError(
            f"{name!r} is not a valid run name: use letters, digits, dots, underscores and dashes in --output."
        )
    check_output(options.output, overwrite=False)
    bundle = options.bundle or Path("bundles") / name
    check_targets(options.output, bundle)
    config = _checked(options)
    aws = Aws(options.region)
    location = new_location(options.bucket, options.prefix)
    job = Job(
        id=location.job,
        name=name,
        dataset=f"dataset{options.dataset.suffix}",
        image=options.image,
        instance_type=options.instance_type,
        market=options.market,
        fit_arguments=tuple(options.fit_arguments),
        detached=options.detach,
        lost_minutes=options.lost_minutes,
        poll_seconds=options.poll_seconds,
    )
    inputs: dict[str, Path | bytes] = {
        INPUTS + CONFIG: config,
        INPUTS + job.dataset: options.dataset,
        JOB: msgspec.json.encode(job),
    }
    if entities := entities_of(options.dataset):
        inputs[INPUTS + entities_path(Path(job.dataset)).name] = entities
    _submit(options, aws, location, job, inputs, options.output, bundle)


def resume(options: argparse.Namespace) -> None:
    """Resume a job on a new instance.

    Raises:
        LaunchError: The job is finished or running, the launch is not possible, or the job failed again.
    """
    aws, location = Aws(options.region), parse_location(options.job)
    folder = Folder(aws, location)
    before, status = folder.job(), folder.status()
    output, bundle = _targets(before, options.output, options.bundle)
    check_targets(output, bundle)
    if status and status.state == FINISHED:
        raise LaunchError(
            f"The job is finished: download its outputs with `ludwig-serverless launch attach {location}`."
        )
    if found := Instances(aws).find(location.job):
        raise LaunchError(
            f"{found[0].id} is still running this job: watch it with `ludwig-serverless launch attach {location}`."
        )
    job = msgspec.structs.replace(
        before,
        image=options.image or before.image,
        instance_type=options.instance_type or before.instance_type,
        market=options.market or before.market,
        detached=options.detach,
        lost_minutes=options.lost_minutes,
        poll_seconds=options.poll_seconds,
    )
    _submit(options, aws, location, job, {JOB: msgspec.json.encode(job)}, output, bundle)


def attach(address: str, output: Path | None, bundle: Path | None, region: str | None) -> None:
    """Watch a launched job and download its outputs.

    Args:
        address: The job's folder, `s3://bucket/prefix/jobs/ID`.
        output: Folder for the run; None uses `runs/NAME`.
        bundle: Folder for the bundle; None uses `bundles/NAME`.
        region: The AWS region; None uses the AWS settings.

    Raises:
        LaunchError: The address is not a job, or the job failed.
    """
    aws, location = Aws(region), parse_location(address)
    folder = Folder(aws, location)
    output, bundle = _targets(folder.job(), output, bundle)
    with _with_next_step(location, aws.region):
        status = follow(location, folder, Instances(aws))
    if status.state == FINISHED:
        _fetch(folder, output, bundle)
    check_finished(status, location, aws.region)


def _submit(
    options: argparse.Namespace,
    aws: Aws,
    location: JobLocation,
    job: Job,
    inputs: dict[str, Path | bytes],
    output: Path,
    bundle: Path,
) -> None:
    folder = Folder(aws, location)
    folder.check_bucket(aws.region)
    plan = make_plan(
        aws, _launch_options(options, job), location, job, Budget(options.max_hours, options.max_dollars), inputs
    )
    if options.dry_run:
        _show(plan)
        return
    print(location, flush=True)
    upload(plan, folder)
    with _with_next_step(location, aws.region):
        status = train(plan, folder)
    if status is None:
        say(
            "The job runs detached and terminates by itself. To watch it and download its outputs, run: "
            f"ludwig-serverless launch attach {location}"
        )
        return
    if folder.get(LISTING) is not None:
        _fetch(folder, output, bundle)
    check_finished(status, location, aws.region)


@contextmanager
def _with_next_step(location: JobLocation, region: str) -> Iterator[None]:
    """Print how to resume an interrupted job."""
    try:
        yield
    except (KeyboardInterrupt, LaunchError):
        tell(next_step(location, region))
        raise


def _launch_options(options: argparse.Namespace, job: Job) -> LaunchOptions:
    if not IMAGE.fullmatch(job.image):
        raise LaunchError(f"{job.image!r} is not the reference of an image: pass one that `docker pull` accepts.")
    if options.max_attempts < 1 or options.free_disk_gb < 1:
        raise LaunchError("--max-attempts and --free-disk-gb must be at least 1.")
    return LaunchOptions(
        instance_type=job.instance_type,
        market=job.market,
        image=job.image,
        profile=PROFILE,
        ami=options.ami,
        subnet=options.subnet,
        free_disk_gb=options.free_disk_gb,
        price_per_hour=options.price_per_hour,
        max_attempts=options.max_attempts,
    )


def _show(plan: Plan) -> None:
    for line in plan.lines():
        print(line)
    print("\nThe instance runs this script after it boots:\n")
    print(plan.machine(plan.prices[0]).user_data)
    say("Nothing was created. EC2 confirms that these credentials may start the instance.")


def _fetch(folder: Folder, output: Path, bundle: Path) -> None:
    try:
        fetched = fetch(folder, output, bundle)
    except UnreachedError as error:
        raise LaunchError(
            f"{error} The instance has ended, and all outputs are in S3: download them later with "
            f"`ludwig-serverless launch attach {folder.location}`."
        ) from None
    say(f"Downloaded {' and '.join(map(str, fetched))}. Report: {output / 'evaluation' / 'report.html'}")
    if bundle in fetched:
        say(f"Next: ludwig-serverless ask {bundle} 'some text'")


def _targets(job: Job, output: Path | None, bundle: Path | None) -> tuple[Path, Path]:
    """Return the folders for the run and the bundle."""
    return output or Path("runs") / job.name, bundle or Path("bundles") / job.name


def _checked(options: argparse.Namespace) -> bytes:
    """Return the configuration to upload, after checking that `fit` accepts it with this dataset."""
    asked = ["--config", str(options.config), "--dataset", str(options.dataset), "--output", str(options.output)]
    fit = _parsed([*asked, *options.fit_arguments])
    given = {name for name in OURS if getattr(fit, name, None)}
    expected = {"config", "dataset", "output"}
    if given != expected or any(str(getattr(fit, name)) != str(getattr(options, name)) for name in expected):
        raise LaunchError(
            f"These arguments are not allowed after --: {', '.join(f'--{each}' for each in OURS)}. Put --config, "
            "--dataset and --output before it, and use a `split` column in the dataset."
        )
    if getattr(fit, "backend", "local") != "local":
        raise LaunchError("--backend is only for clusters: an instance trains on its own GPU.")
    if fit.pretrained and Path(fit.pretrained).exists():
        raise LaunchError(
            "--pretrained must be a model name on the Hugging Face Hub, or minilm: local folders are not uploaded."
        )
    config = read_config(options.config)
    check_shape(config)
    dataset, _ = out_of_scope(config, read_dataset({TRAIN: options.dataset}), fit.out_of_scope, fit.seed)
    prepare(with_pretrained(config, fit.pretrained) if fit.pretrained not in (None, "minilm") else config, dataset)
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """Return arguments of `fit`, parsed by its own parser."""
    fit = argparse.ArgumentParser(prog="ludwig-serverless fit")
    fit_command.add(fit)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return fit.parse_args(arguments)
    except SystemExit:
        last = complaint.getvalue().strip().rpartition("\n")[2]
        raise LaunchError(f"`ludwig-serverless fit` does not accept the arguments after --: {last}") from None
