"""What makes sure that no instance outlives its job."""

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
"""Before the second attempt; up to four times as long before later ones, two and a half minutes in all."""


@dataclass
class InstanceGuard:
    """The instances of a job, which must not outlive this program.

    Attributes:
        ids: the instances that are known.
        pending: a start whose outcome is not known.
        asked: whether there may be any instance.
        keep: whether they may live on.
        over: whether their end was confirmed, or given up.
    """

    job: str
    instances: Instances
    ids: set[str] = field(default_factory=set)
    pending: Start | None = None
    asked: bool = False
    keep: bool = False
    over: bool = False

    def end(self) -> None:
        """End them all, once. Raises LaunchError, with the command to run by hand, if that is not confirmed."""
        if not self.asked or self.keep or self.over:
            return
        try:
            ended = end_all(self.instances, self.job, self.ids, self.pending)
        except LaunchError:
            self.over = True
            raise
        self.over = True
        tell(f"Ended: {', '.join(ended)}." if ended else "No instance is running.")


def and_end[T](guard: InstanceGuard, work: Callable[[], T]) -> T:
    """Do some work, and end the instances whatever becomes of it.

    A signal may arrive at any point, also in the first `end`; then the second does it, and no further signal disturbs
    that. There is no context manager around the work, since a signal could arrive between its lines.
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
    """End every instance of a job, and delete its deadline when EC2 has confirmed each end.

    Args:
        instances: those of the job's region.
        job: its id.
        known: ids of instances that EC2 may not list yet.
        pending: a start whose answer was lost.

    Returns:
        The ids of the instances that were ended.

    Raises:
        LaunchError: the end is not confirmed after all attempts. It holds the command to run by hand.
    """
    ending = _Ending(instances, job, set(known), pending)
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * min(attempt, 4))
        if ending.is_confirmed():
            Deadline(instances.aws, job).remove()
            return sorted(ending.ended)
        tell(f"Not confirmed yet: {ending.problem} Trying again ...")
    raise LaunchError(ending.by_hand())


class _Ending:
    """One job's end, tried until it is confirmed. Each step is tried even where the one before it fails."""

    def __init__(self, instances: Instances, job: str, waiting: set[str], pending: Start | None) -> None:
        self._instances, self._job = instances, job
        self._waiting, self._pending = waiting, pending
        self.ended = set[str]()
        self.problem = ""

    def is_confirmed(self) -> bool:
        """Try once. Returns whether nothing of the job is alive, and nothing can come alive."""
        self.problem = ""
        self._try(self._settle)
        self._try(self._list)
        for each in sorted(self._waiting):
            self._try(partial(self._terminate, each))
        if not self.problem:  # look once more: EC2 lists new instances late
            self._try(self._list)
            self._try(lambda: self._instances.cancel_requests(self._job))
        if self._waiting and not self.problem:
            self.problem = f"{', '.join(sorted(self._waiting))} is running."
        return not self.problem

    def by_hand(self) -> str:
        """Say what to do where this program cannot."""
        region, ids = self._instances.region, sorted(self._waiting or self.ended)
        command = f"ludwig-serverless launch stop {self._job} --region {region}"
        if ids:
            command = f"aws ec2 terminate-instances --region {region} --instance-ids {' '.join(ids)}"
        return (
            f"IT IS NOT CONFIRMED THAT EVERY INSTANCE OF {self._job} HAS ENDED. One that is running costs money until "
            f"its deadline, which AWS and the machine itself keep. {self.problem} Run this, and check EC2's console: "
            f"{command}"
        )

    def _try(self, step: Callable[[], None]) -> None:
        """Do a step, and keep what went wrong: no error of any kind may skip the steps after it."""
        try:
            step()
        except LaunchError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}."

    def _settle(self) -> None:
        """Find out what became of a start whose answer was lost.

        EC2 answers a repeated request that has the same token with the same instance. If the first one never arrived,
        this starts an instance, which is ended at once: a minute of it costs less than one that nobody knows of.
        """
        if self._pending is None:
            return
        tell("The answer to the start was lost. Asking again with the same token, to get the instance's id ...")
        try:
            self._waiting.add(self._instances.start(self._pending))
        except CapacityError:
            tell("EC2 has no room for it, so the first request started nothing either.")
        self._pending = None

    def _list(self) -> None:
        self._waiting |= {each.id for each in self._instances.find(self._job)} - self.ended

    def _terminate(self, instance: str) -> None:
        state = self._instances.terminate(instance)
        if state not in GONE:
            raise UnreachedError(f"{instance} is {state} after it was told to end.")
        self._waiting.discard(instance)
        self.ended.add(instance)
