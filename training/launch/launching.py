"""A job from its upload to its last word; whatever happens in between, no instance is left behind."""

import time
from datetime import UTC, datetime
from pathlib import Path

from export.console import progress, say
from training.errors import CapacityError, LaunchError, UnreachedError
from training.launch.cleanup import InstanceGuard, and_end
from training.launch.folder import Folder
from training.launch.instances import Instances, Machine
from training.launch.job import FINISHED, INTERRUPTED, LOG, STARTING, Place, Status
from training.launch.plan import Plan
from training.launch.watching import Watched, Watcher


def upload(plan: Plan, folder: Folder) -> None:
    """Send the job's inputs; its description goes last."""
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
    """Run a job to its last word, on one instance after another where EC2 takes them back.

    Returns None for a job that was started detached. Raises LaunchError.
    """
    for number in range(1, plan.options.max_attempts + 1):
        status = Attempt(plan, folder, number).run()
        if status is None or status.state != INTERRUPTED:
            return status
        say(f"{status.message} Spent so far: at most ${plan.budget.dollars:.2f}.")
        if number < plan.options.max_attempts:
            say(f"Going on from there on another instance ({number + 1} of {plan.options.max_attempts}) ...")
    return status


class Attempt:
    """A job on one instance."""

    def __init__(self, plan: Plan, folder: Folder, number: int) -> None:
        self._plan, self._folder, self._number = plan, folder, number
        self._instances = Instances(plan.aws, plan.job.poll_seconds / 2)
        self._guard = InstanceGuard(plan.place.job, self._instances)

    def run(self) -> Status | None:
        """Start an instance, watch it, end it. Returns None if it shall live on unwatched."""
        self._folder.put_status(STARTING)
        return and_end(self._guard, self._run)

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
        """Start an instance of the first kind that EC2 has room for."""
        failures = []
        for price in self._plan.prices:
            machine, began = self._plan.machine(price), datetime.now(UTC)
            say(
                f"Starting {machine.instance_type}, {price.market}: at most ${price.hour:.2f} an hour and "
                f"${self._plan.budget.worst(price):.2f} in all; it ends by {machine.until:%H:%M} UTC ..."
            )
            try:
                return machine, self._start_one(machine), began
            except CapacityError as error:
                say(str(error))
                failures.append(error)
        raise failures[-1]

    def _start_one(self, machine: Machine) -> str:
        """Start an instance. Until there is an answer, it is not known whether one lives."""
        self._guard.asked, self._guard.certain = True, False
        token = f"{self._plan.place.job}-{time.time_ns():x}-{machine.price.market[0]}"
        try:
            instance = self._instances.start(machine, token)
        except UnreachedError:
            raise
        except LaunchError:
            self._guard.certain = True
            raise
        self._guard.ids.add(instance)
        self._guard.certain = True
        say(f"{instance} is started.")
        return instance


def follow(place: Place, folder: Folder, instances: Instances) -> Status:
    """Watch a job that was started before, to its last word.

    If this is interrupted, a job that was started detached lives on, and any other is ended.
    """
    job, found = folder.job(), instances.find(place.job)
    status = folder.status()
    if not found and status is None:
        raise LaunchError(f"{place} was never started.")
    if not found and status is not None:
        return status
    guard = InstanceGuard(place.job, instances, {each.id for each in found}, asked=True, keep=job.detached)

    def work() -> Status:
        status = Watcher(Watched.of(found[0]), job, instances, folder).watch()
        guard.keep = False
        return status

    return and_end(guard, work)


def way_on(place: Place, region: str) -> str:
    """Say how a job that broke off is gone on with."""
    return (
        f"What there is lies in {place}. `ludwig-serverless launch resume {place} --region {region} --max-hours H "
        "--max-dollars D` goes on from the last checkpoint."
    )


def check_finished(status: Status, place: Place, region: str) -> None:
    """Raise LaunchError, with the next step, if a job did not finish."""
    if status.state != FINISHED:
        word = status.message or f"The job is {status.state}, and no instance of it lives."
        raise LaunchError(f"{word} {way_on(place, region)}")
