"""Cleanup: no instance outlives its job."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from training.errors import CapacityError, LaunchError, UnreachedError
from training.launch.deadline import Deadline
from training.launch.instances import GONE, Instances, Start
from training.launch.signals import one_interruption, tell

ATTEMPTS = 10
PAUSE_SECONDS = 5.0
"""The pause before the second attempt. Later pauses grow to four times this, about two and a half minutes in total."""


@dataclass
class InstanceGuard:
    """Terminates the instances of a job when the launcher ends.

    Attributes:
        job: The job id.
        instances: The instances of the region.
        ids: The known instance ids.
        pending: A start request whose outcome is unknown.
        asked: Whether an instance may exist.
        keep: Whether the instances may keep running.
        over: Whether the cleanup has finished, successfully or not.
    """

    job: str
    instances: Instances
    ids: set[str] = field(default_factory=set)
    pending: Start | None = None
    asked: bool = False
    keep: bool = False
    over: bool = False

    def end(self) -> None:
        """Terminate all instances, once.

        Raises:
            LaunchError: The termination is not confirmed. The message has the command to run by hand.
        """
        if not self.asked or self.keep or self.over:
            return
        try:
            ended = end_all(self.instances, self.job, self.ids, self.pending)
        except LaunchError:
            self.over = True
            raise
        self.over = True
        tell(f"Terminated: {', '.join(ended)}." if ended else "No instance is running.")


def run_with_cleanup[T](guard: InstanceGuard, work: Callable[[], T]) -> T:
    """Run `work`, then terminate the instances in every case.

    A signal may arrive at any point, even during the first `end`. The second `end` then does the cleanup, and further
    signals are ignored. This is not a context manager, because a signal could arrive between its lines.
    """
    with one_interruption():
        try:
            try:
                return work()
            finally:
                guard.end()
        finally:
            guard.end()


def end_all(instances: Instances, job: str, known: Iterable[str] = (), pending: Start | None = None) -> list[str]:
    """Terminate every instance of a job. Delete the job's deadline when EC2 has confirmed all terminations.

    Args:
        instances: The instances of the job's region.
        job: The job id.
        known: Ids of instances that EC2 may not list yet.
        pending: A start request whose response was lost.

    Returns:
        The ids of the terminated instances.

    Raises:
        LaunchError: All attempts failed to confirm it. The message has the command to run by hand.
    """
    cleanup = _Cleanup(instances, job, set(known), pending)
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * min(attempt, 4))
        if cleanup.is_confirmed():
            Deadline(instances.aws, job).remove()
            return sorted(cleanup.terminated)
        tell(f"Not confirmed yet: {cleanup.problem} Trying again ...")
    raise LaunchError(cleanup.by_hand())


class _Cleanup:
    """The cleanup of one job. Each step runs even if the previous one fails."""

    def __init__(self, instances: Instances, job: str, waiting: set[str], pending: Start | None) -> None:
        self._instances, self._job = instances, job
        self._waiting, self._pending = waiting, pending
        self.terminated = set[str]()
        self.problem = ""

    def is_confirmed(self) -> bool:
        """Try once. Return whether no instance of the job is running and none can start anymore."""
        self.problem = ""
        self._try(self._settle)
        self._try(self._list)
        for each in sorted(self._waiting):
            self._try(partial(self._terminate, each))
        if not self.problem:  # check again: EC2 lists new instances late
            self._try(self._list)
            self._try(lambda: self._instances.cancel_requests(self._job))
        if self._waiting and not self.problem:
            self.problem = f"{', '.join(sorted(self._waiting))} is running."
        return not self.problem

    def by_hand(self) -> str:
        """Return what the user must do now."""
        region, ids = self._instances.region, sorted(self._waiting or self.terminated)
        command = f"ludwig-serverless launch stop {self._job} --region {region}"
        if ids:
            command = f"aws ec2 terminate-instances --region {region} --instance-ids {' '.join(ids)}"
        return (
            f"IT IS NOT CONFIRMED THAT EVERY INSTANCE OF {self._job} HAS ENDED. A running instance costs money until "
            f"AWS or the instance itself terminates it at the deadline. {self.problem} Check the EC2 console, and run: "
            f"{command}"
        )

    def _try(self, step: Callable[[], None]) -> None:
        """Run a step and record its error. No error of any kind may skip the later steps."""
        try:
            step()
        except LaunchError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}."

    def _settle(self) -> None:
        """Find out whether a start request whose response was lost has started an instance.

        EC2 answers a repeated request with the same client token with the same instance. If the first request never
        arrived, this starts an instance and terminates it at once. That costs less than an unknown running instance.
        """
        if self._pending is None:
            return
        tell("The response to the start request was lost. Repeating it with the same client token ...")
        try:
            self._waiting.add(self._instances.start(self._pending))
        except CapacityError:
            tell("EC2 has no capacity for it, so the first request did not start an instance either.")
        self._pending = None

    def _list(self) -> None:
        self._waiting |= {each.id for each in self._instances.find(self._job)} - self.terminated

    def _terminate(self, instance: str) -> None:
        state = self._instances.terminate(instance)
        if state not in GONE:
            raise UnreachedError(f"{instance} is still {state} after the request to terminate it.")
        self._waiting.discard(instance)
        self.terminated.add(instance)
