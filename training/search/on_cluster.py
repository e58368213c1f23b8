"""Run the trainings of a search on the workers of a Ray cluster, several at once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.console import say
from training.cluster import RETRIES, connected, described, portable, with_local_minilm
from training.config import Config
from training.errors import ClusterError
from training.search.running import Answers, Setting, answer_fold


class ClusterRunner:
    """Runs each training as a Ray task. Ray repeats a training whose worker is lost, on another worker."""

    def __init__(self, ray: Any, setting: Setting, *, cpus: int, gpus: int) -> None:
        """Send the rows to the cluster.

        Args:
            ray: The module, connected to the cluster.
            setting: What all trainings share; its section may limit the number of trainings at once.
            cpus: Number of CPUs to reserve for each training.
            gpus: Number of GPUs to reserve for each training.
        """
        self._ray = ray
        self._setting = ray.put(setting)
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)(_answer_there)
        self._running: dict[Any, int] = {}
        has = ray.cluster_resources()
        room = min([int(has.get(kind, 0) // count) for kind, count in (("CPU", cpus), ("GPU", gpus)) if count])
        self.slots = max(1, min(room, setting.section.concurrent or room))

    def start(self, trial: int, fold: int, config: Config) -> None:
        """Start a training as soon as a worker is free."""
        self._running[self._task.remote(self._setting, trial, fold, portable(config))] = trial

    def next(self) -> Answers:
        """Wait until a training has finished, and return its answers.

        Raises:
            ClusterError: The cluster or a training is lost.
        """
        ready, _ = self._ray.wait(list(self._running), num_returns=1)
        self._running.pop(ready[0])
        try:
            return Answers(*self._ray.get(ready[0]))
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"A trial on the cluster was lost ({type(error).__name__}): {str(error).strip().splitlines()[-1]}. "
                "Check the cluster with `ray status`, and re-run the command to continue the search."
            ) from None

    def forget(self, trial: int) -> None:
        """Do nothing: the workers keep no trial."""

    def cancel(self) -> None:
        """Cancel the trainings that still run."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)


@contextmanager
def running_on(setting: Setting, *, address: str, cpus: int, gpus: int) -> Iterator[ClusterRunner]:
    """Connect to a cluster and yield a runner; disconnect at the end, and cancel what still runs.

    Args:
        setting: What all trainings share.
        address: Address of the cluster's head node.
        cpus: Number of CPUs to reserve for each training.
        gpus: Number of GPUs to reserve for each training.

    Raises:
        ClusterError: The cluster cannot be reached.
    """
    ray = connected(address)
    try:
        runner = ClusterRunner(ray, setting, cpus=cpus, gpus=gpus)
        say(f"Searching on a cluster of {described(ray)}, {runner.slots} trials at once.")
        try:
            yield runner
        finally:
            runner.cancel()
    finally:
        ray.shutdown()


def _answer_there(setting: Setting, trial: int, fold: int, config: Config) -> tuple[Any, ...]:
    """Run a training on the worker, in a folder of its own."""
    with tempfile.TemporaryDirectory() as workspace:
        return tuple(answer_fold(setting, trial, fold, with_local_minilm(config), Path(workspace)))
