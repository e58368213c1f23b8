"""What makes sure that no instance is left behind."""

from collections.abc import Callable
from dataclasses import dataclass, field

from training.errors import LaunchError
from training.launch.instances import Instances
from training.launch.signals import one_interruption, tell


@dataclass
class InstanceGuard:
    """The instances of a job, which must not outlive this program.

    ids: those that are known. certain: whether the outcome of every start is known. keep: whether they may live on.
    asked: whether there may be any.
    """

    job: str
    instances: Instances
    ids: set[str] = field(default_factory=set)
    asked: bool = False
    certain: bool = True
    keep: bool = False
    over: bool = False

    def end(self) -> None:
        """End them all, once. Raises LaunchError if that is not confirmed."""
        if not self.asked or self.keep or self.over:
            return
        try:
            ended = self.instances.end(self.job, self.ids, certain=self.certain)
        except LaunchError:
            self.over = True
            raise
        self.over = True
        tell(f"Ended: {', '.join(ended)}." if ended else "No instance lives.")


def and_end[T](guard: InstanceGuard, work: Callable[[], T]) -> T:
    """Do some work, and end the instances whatever becomes of it.

    A signal may arrive at any point, also in the first `end`; then the second does it, and no further signal disturbs
    that. No context manager around the work: a signal could arrive between its lines.
    """
    with one_interruption():
        try:
            try:
                return work()
            finally:
                guard.end()
        finally:
            guard.end()
