"""Run a job from its upload to its final status, and always terminate its instances."""

import time
from datetime import UTC, datetime
from pathlib import Path

from export.console import progress, say
from training.errors import CapacityError, LaunchError, UnreachedError
from training.launch.cleanup import InstanceGuard, run_with_cleanup
from training.launch.deadline import Deadline
from training.launch.folder import Folder
from training.launch.instances import Instances, Machine, Start
from training.launch.job import FINISHED, INTERRUPTED, LOG, STARTING, JobLocation, Status
from training.launch.plan import Plan
from training.launch.watching import Watched, Watcher


def upload(plan: Plan, folder: Folder) -> None:
    """Upload the job's inputs. Its description goes last."""
    for name, content in plan.inputs.items():
        if isinstance(content, bytes):
            folder.put(name, content)
        else:
            _upload(folder, content, name)


def _upload(folder: Folder, path: Path, name: str) -> None:
    done, size = 0, path.stat().st_size

    def sent(more: int) -> None:
        nonlocal done
        done += more
        progress(f"Uploading {path.name}, bytes", done, size)

    folder.upload(path, name, sent)


def train(plan: Plan, folder: Folder) -> Status | None:
    """Run a job to its final status. If EC2 reclaims a spot instance, resume on another one.

    Args:
        plan: The job and its machines.
        folder: The job's folder in S3.

    Returns:
        The final status, or None if the job runs detached.

    Raises:
        LaunchError: The job cannot run, or its limits are reached.
    """
    for number in range(1, plan.options.max_attempts + 1):
        status = Attempt(plan, folder).run()
        if status is None or status.state != INTERRUPTED:
            return status
        say(f"{status.message} Spent so far: at most ${plan.budget.dollars:.2f}.")
        if number < plan.options.max_attempts:
            say(f"Resuming on another instance ({number + 1} of {plan.options.max_attempts}) ...")
    return status


class Attempt:
    """A job on one instance."""

    def __init__(self, plan: Plan, folder: Folder) -> None:
        self._plan, self._folder = plan, folder
        self._instances = Instances(plan.aws)
        self._deadline = Deadline(plan.aws, plan.location.job)
        self._guard = InstanceGuard(plan.location.job, self._instances)

    def run(self) -> Status | None:
        """Start an instance, watch it, and terminate it. Return None if the job runs detached."""
        self._folder.put_status(STARTING)
        return run_with_cleanup(self._guard, self._run)

    def _run(self) -> Status | None:
        seen = len(self._folder.get(LOG) or b"")
        machine, instance, began = self._start()
        if self._plan.job.detached:
            self._guard.keep = True
            return None
        watched = Watched(instance, began, machine.until, machine.price.hour, self._plan.budget.dollars, seen)
        try:
            return Watcher(watched, self._plan.job, self._instances, self._folder).watch()
        finally:
            self._plan.budget.spend((datetime.now(UTC) - began).total_seconds() / 3600, machine.price)

    def _start(self) -> tuple[Machine, str, datetime]:
        """Start an instance in the first market and subnet in which EC2 has capacity."""
        failures = []
        for price in self._plan.prices:
            machine, began = self._plan.machine(price), datetime.now(UTC)
            say(
                f"Starting {machine.instance_type}, {price.market}: at most ${price.hour:.2f} an hour and "
                f"${self._plan.budget.worst(price):.2f} in all; it terminates by {machine.until:%H:%M} UTC ..."
            )
            self._guard.asked = True
            self._deadline.set(machine.until)
            token = f"{self._plan.location.job}-{time.time_ns():x}"
            for number, subnet in enumerate(machine.subnets):
                try:
                    return machine, self._start_one(Start(machine, subnet, f"{token}-{number}")), began
                except CapacityError as error:
                    failures.append(error)
            say(str(failures[-1]))
        raise failures[-1]

    def _start_one(self, start: Start) -> str:
        """Start an instance. Until EC2 responds, it is unknown whether an instance is running."""
        self._guard.pending = start
        try:
            instance = self._instances.start(start)
        except UnreachedError:
            raise
        except LaunchError:
            self._guard.pending = None
            raise
        self._guard.ids.add(instance)
        self._guard.pending = None
        self._deadline.name_instance(instance, start.machine.until)
        say(f"Started {instance}.")
        return instance


def follow(location: JobLocation, folder: Folder, instances: Instances) -> Status:
    """Watch a running job to its final status.

    After an interruption, a detached job continues to run; the instance of any other job is terminated.

    Args:
        location: The job's folder in S3.
        folder: The same folder, to read from.
        instances: The instances of the job's region.

    Returns:
        The final status.

    Raises:
        LaunchError: The job never started, or cannot be watched.
    """
    job, found = folder.job(), instances.find(location.job)
    status = folder.status()
    if not found and status is None:
        raise LaunchError(f"{location} was never started.")
    if not found and status is not None:
        Deadline(instances.aws, location.job).remove()
        return status
    guard = InstanceGuard(location.job, instances, {each.id for each in found}, asked=True, keep=job.detached)

    def work() -> Status:
        status = Watcher(Watched.of(found[0]), job, instances, folder).watch()
        guard.keep = False
        return status

    return run_with_cleanup(guard, work)


def next_step(location: JobLocation, region: str) -> str:
    """Return how to resume an interrupted job."""
    return (
        f"The files uploaded so far are in {location}. To resume from the last checkpoint, run: ludwig-serverless "
        f"launch resume {location} --region {region} --max-hours H --max-dollars D"
    )


def check_finished(status: Status, location: JobLocation, region: str) -> None:
    """Check that a job is finished.

    Args:
        status: The job's status.
        location: The job's folder in S3.
        region: The region, for the next command.

    Raises:
        LaunchError: The job did not finish. The message has the next command.
    """
    if status.state != FINISHED:
        word = status.message or f"The job is {status.state}, and none of its instances is running."
        raise LaunchError(f"{word} {next_step(location, region)}")
