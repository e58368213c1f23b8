"""Train on several workers of a Ray cluster, and restart from the latest checkpoint when a worker is lost.

While the workers train, this machine copies each checkpoint of the first one to its own workspace. When a worker is
lost, such as a spot instance, all start again from there; when this machine is lost, the same command resumes.
"""

import io
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from export.console import say
from training.errors import TrainingError, WorkerError
from training.fit import kept_if_worthwhile
from training.workspace import CHECKPOINT, STARTED, Workspace

if TYPE_CHECKING:
    import pandas as pd

POLL_SECONDS = 0.5
RETRIES = 3


class WorkerResult(NamedTuple):
    """What a worker returns.

    Attributes:
        archive: The finished run as a tar archive, from the first worker.
        error: An error message, or "".
        is_lost: Whether the error is about another worker.
    """

    archive: bytes = b""
    error: str = ""
    is_lost: bool = False


class RayWorker:
    """A worker, as an actor: `train` runs while `checkpoint` is called."""

    def __init__(self, name: str) -> None:
        self._folder = Path(tempfile.mkdtemp(), name)

    def address(self) -> tuple[str, int]:
        """Return this machine's address and a free port, for the others to connect to."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]

    def train(
        self,
        environ: Mapping[str, str],
        config: Mapping[str, Any],
        dataset: "pd.DataFrame",
        options: Mapping[str, Any],
        checkpoint: bytes,
    ) -> WorkerResult:
        """Train together with the other workers.

        Args:
            environ: The variables of torch.distributed.
            config: The configuration, with the name of MiniLM instead of a folder.
            dataset: The rows.
            options: Further arguments of `fit`.
            checkpoint: For the first worker, an archive of the checkpoint to resume from; empty without one.
        """
        from training.cluster import packed, with_local_minilm
        from training.fit import fit
        from training.parallel.team import Team, team_of_environment

        os.environ.update(environ)
        team = team_of_environment() or Team(0, 1)
        try:
            extract(checkpoint, Workspace.of_run(self._folder))
            with team.heard():
                fit(with_local_minilm(config), dataset, self._folder, team=team, **options)
            return WorkerResult(packed(self._folder) if team.is_first else b"")
        except TrainingError as error:
            return WorkerResult(error=str(error), is_lost=isinstance(error, WorkerError))
        finally:
            shutil.rmtree(self._folder.parent, ignore_errors=True)

    def checkpoint(self, had: int) -> bytes:
        """Return an archive of the latest checkpoint, or nothing if it is the one after so many steps."""
        return archive_of(Workspace.of_run(self._folder), had)


def train_on_ray(
    ray: Any,
    arguments: tuple[Mapping[str, Any], "pd.DataFrame", Path],
    options: Mapping[str, Any],
    *,
    workers: int,
    resources: Mapping[str, int],
) -> bytes:
    """Train on several workers.

    Args:
        ray: The connected module.
        arguments: The configuration, the rows, and the run's folder on this machine.
        options: Further arguments of `fit`.
        workers: Number of workers.
        resources: What to reserve for each of them: CPU and GPU.

    Returns:
        The finished run as a tar archive. The caller removes the workspace when it has extracted the archive.

    Raises:
        WorkerError: Workers were lost several times.
        TrainingError: As `fit` raises it.
    """
    config, dataset, folder = arguments
    workspace = Workspace.of_run(folder)
    with workspace.held(), kept_if_worthwhile(workspace):
        for attempt in count(1):
            with _actors(ray, workers, resources, folder.name) as actors:
                outcome = _trained(ray, actors, (config, dataset, options), workspace)
            if not outcome.is_lost:
                break
            if attempt > RETRIES:
                raise WorkerError(outcome.error)
            kept = workspace.checkpoint()
            where = f"from epoch {kept.epoch}" if kept else "from the beginning"
            say(f"A worker was lost: restarting {where} ...")
        if outcome.error:
            raise TrainingError(outcome.error)
        return outcome.archive


@contextmanager
def _actors(ray: Any, workers: int, resources: Mapping[str, int], name: str) -> Iterator[list[Any]]:
    """Start all workers at once, or none, and end them at the end of the context."""
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    bundle = {name: number for name, number in resources.items() if number}
    group = placement_group([bundle] * workers)
    try:
        ray.get(group.ready())
        actor = ray.remote(RayWorker).options(
            num_cpus=resources["CPU"],
            num_gpus=resources.get("GPU", 0),
            max_concurrency=2,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group),
        )
        yield [actor.remote(name) for _ in range(workers)]
    finally:
        remove_placement_group(group)  # this ends the actors in it


def _trained(ray: Any, actors: list[Any], work: tuple[Any, Any, Any], workspace: Workspace) -> WorkerResult:
    """Wait for the workers, and copy checkpoints meanwhile. Returns the first worker's outcome, or a failed one."""
    config, dataset, options = work
    try:
        host, port = ray.get(actors[0].address.remote())
        shared = {"MASTER_ADDR": host, "MASTER_PORT": str(port), "WORLD_SIZE": str(len(actors)), "LOCAL_RANK": "0"}
        rows, start = ray.put(dataset), archive_of(workspace)
        waiting = [
            actor.train.remote({**shared, "RANK": str(rank)}, config, rows, options, b"" if rank else start)
            for rank, actor in enumerate(actors)
        ]
        first = waiting[0]
        while waiting:
            done, waiting = ray.wait(waiting, timeout=POLL_SECONDS)
            outcomes = [WorkerResult(*ray.get(reference)) for reference in done]
            if failed := [outcome for outcome in outcomes if outcome.error]:
                return failed[0]
            if first in waiting:
                kept = workspace.checkpoint()
                extract(ray.get(actors[0].checkpoint.remote(kept.steps if kept else 0)), workspace)
        return WorkerResult(*ray.get(first))
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[0]
        return WorkerResult(
            error=f"A worker was lost ({type(error).__name__}: {reason}): re-run the same command to resume.",
            is_lost=True,
        )


def archive_of(workspace: Workspace, had: int = 0) -> bytes:
    """Return a tar archive of a workspace's checkpoint; empty without one newer than `had` steps."""
    checkpoint = workspace.checkpoint()
    if checkpoint is None or checkpoint.steps == had:
        return b""
    content = io.BytesIO()
    try:
        with tarfile.open(fileobj=content, mode="w") as archive:
            for path in (workspace.folder / STARTED, checkpoint.folder):
                archive.add(path, arcname=path.name)
    except FileNotFoundError:  # a newer checkpoint has just replaced it
        return b""
    return content.getvalue()


def extract(content: bytes, workspace: Workspace) -> None:
    """Put the checkpoint of an archive into a workspace, in place of older ones, in one step."""
    if not content:
        return
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.folder) as temporary:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(temporary, filter="data")
        (found,) = Path(temporary).glob(f"{CHECKPOINT}*")
        (Path(temporary) / STARTED).replace(workspace.folder / STARTED)
        old = list(workspace.folder.glob(f"{CHECKPOINT}*"))
        if workspace.folder / found.name not in old:
            found.rename(workspace.folder / found.name)
    _remove(path for path in old if path.name != found.name)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
