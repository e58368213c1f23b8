"""The workers of one training: their places, how they connect, and what they send to each other.

`torchrun`, the launcher of `fit --workers` and the one for Ray all set the environment variables of torch.distributed:
RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. The first worker, of rank 0, writes the run and prints.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from training.errors import WorkerError
from training.workspace import STARTED, Workspace

MINUTES_OF_SILENCE = 60
"""How long a worker waits for another one that is alive, for example while that one reads the dataset."""

_JOINED = count()


@dataclass(frozen=True)
class Team:
    """The workers of one training, as one of them sees them.

    Attributes:
        rank: This worker's number, from 0.
        size: Number of workers.
        local_rank: This worker's number on its machine, which is also the number of its GPU.
    """

    rank: int
    size: int
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this worker writes the run, keeps checkpoints and prints."""
        return self.rank == 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Connect to the other workers inside the context, over NCCL for tensors on GPUs and over Gloo for others.

        Raises:
            WorkerError: There are fewer GPUs than workers on this machine, or another worker cannot be reached.
        """
        import torch
        from torch import distributed
        from torch.distributed import PrefixStore  # type: ignore[attr-defined]
        from torch.distributed.rendezvous import rendezvous

        backend = "gloo"
        if torch.cuda.is_available():
            if self.local_rank >= torch.cuda.device_count():
                raise WorkerError(
                    f"Worker {self.rank} needs a GPU of its own, but its machine has {torch.cuda.device_count()}: "
                    "start at most so many workers on it, or train on CPUs with CUDA_VISIBLE_DEVICES=''."
                )
            torch.cuda.set_device(self.local_rank)
            backend = "cpu:gloo,cuda:nccl"
        timeout = timedelta(minutes=MINUTES_OF_SILENCE)
        with lost_workers_explained():
            store, rank, size = next(rendezvous("env://", self.rank, self.size, timeout=timeout))
            # A process that trains twice must not find the addresses of its first connection in the store.
            store = PrefixStore(str(next(_JOINED)), store)
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
        try:
            yield
        finally:
            # A lost worker makes this fail too; its loss is already being reported.
            with suppress(RuntimeError):
                distributed.destroy_process_group()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Discard what workers other than the first print inside the context; errors that leave it are reported."""
        if self.is_first:
            yield
            return
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield

    def from_first(self, value: Any) -> Any:
        """Return the first worker's value on all workers. The value must be picklable."""
        from torch import distributed

        values = [value]
        with lost_workers_explained():
            distributed.broadcast_object_list(values, src=0)
        return values[0]

    def of_all(self, value: Any) -> list[Any]:
        """Return the values of all workers, by rank, on all workers. The values must be picklable."""
        from torch import distributed

        values: list[Any] = [None] * self.size
        with lost_workers_explained():
            distributed.all_gather_object(values, value)
        return values

    def hand_out(self, workspace: Workspace) -> None:
        """Copy the first worker's latest checkpoint to the workspaces of the others, one file at a time.

        Args:
            workspace: This worker's workspace; empty, except on the first worker.
        """
        for name in self.from_first(_checkpoint_files(workspace) if self.is_first else None):
            path = workspace.folder / name
            content = self.from_first(path.read_bytes() if self.is_first else None)
            if not self.is_first:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def team_of_environment(environ: Mapping[str, str] = os.environ) -> Team | None:
    """Return the team of a process that a launcher such as torchrun started, or None for a process of its own."""
    if not {"RANK", "WORLD_SIZE"} <= set(environ) or int(environ["WORLD_SIZE"]) < 2:
        return None
    return Team(int(environ["RANK"]), int(environ["WORLD_SIZE"]), int(environ.get("LOCAL_RANK", "0")))


@contextmanager
def lost_workers_explained() -> Iterator[None]:
    """Turn the errors of torch.distributed about a lost worker into a WorkerError.

    Raises:
        WorkerError: Another worker ended or cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise WorkerError(
            f"Another worker of this training ended or cannot be reached ({reason}): re-run the same command to resume "
            "from the last finished epoch."
        ) from error


def _checkpoint_files(workspace: Workspace) -> list[str]:
    checkpoint = workspace.checkpoint()
    if checkpoint is None:
        return []
    files = (path for path in checkpoint.folder.rglob("*") if path.is_file())
    return [STARTED, *(str(path.relative_to(workspace.folder)) for path in files)]
