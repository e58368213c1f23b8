"""List and terminate the instances of all jobs, in all regions."""

from collections.abc import Iterator

from export.console import say
from training.errors import LaunchError
from training.launch.aws import Aws, explained
from training.launch.cleanup import end_all
from training.launch.deadline import JOB_TAG
from training.launch.instances import LOCATION, UNTIL, Instance, Instances

DEFAULT_REGION = "us-east-1"
"""The region to ask for the list of regions if none is set."""


def show(region: str | None) -> None:
    """Print a line for each running instance. Raises LaunchError if a region could not be checked."""
    failures: list[str] = []
    found = [each for instances in _all(region) for each in _found(instances, None, failures)]
    for each in sorted(found, key=lambda one: one.launched):
        print(
            f"{each.id}  {each.state}  {each.region}  {each.kind}  {each.hours:.1f} h  at most ${each.dollars:.2f}  "
            f"ends by {each.tags.get(UNTIL, '?')}  {each.tags.get(LOCATION, each.tags[JOB_TAG])}"
        )
    if not found:
        say(f"No instance of ludwig-serverless is running in {region or 'any region'}.")
    _complain(failures)


def stop(job: str | None, region: str | None) -> None:
    """Terminate the instances of a job, or of all jobs. Raises LaunchError if any region does not confirm it."""
    failures: list[str] = []
    ended = []
    for instances in _all(region):
        for each in sorted({one.tags[JOB_TAG] for one in _found(instances, job, failures)}):
            try:
                ended += end_all(instances, each)
            except LaunchError as error:
                failures.append(str(error))
    for each in ended:
        print(each)
    say(
        f"Terminated: {len(ended)}."
        if ended
        else f"Nothing to terminate: no instance of {job or 'any job'} is running."
    )
    _complain(failures)


def _all(region: str | None) -> Iterator[Instances]:
    """Yield the instances of each region, or of the one given."""
    if region:
        yield Instances(Aws(region))
        return
    home = _home()
    with explained("Cannot list the AWS regions (choose one with --region)"):
        names = [each["RegionName"] for each in home.client("ec2").describe_regions()["Regions"]]
    for name in names:
        yield Instances(home.at(name))


def _home() -> Aws:
    try:
        return Aws(None)
    except LaunchError:
        return Aws(DEFAULT_REGION)


def _found(instances: Instances, job: str | None, failures: list[str]) -> list[Instance]:
    try:
        return instances.find(job)
    except LaunchError as error:
        failures.append(str(error))
        return []


def _complain(failures: list[str]) -> None:
    if failures:
        raise LaunchError("Could not check every region: " + " ".join(failures))
