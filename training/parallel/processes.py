"""Train on several processes of this machine: start a worker for each, wait for them, and explain what failed."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.model import TRAINING_RECORD
from handler.command_line import usable_cores
from training.errors import TrainingError, WorkerError
from training.fit import Fitted, check_output
from training.parallel.worker import INTERRUPTED, error_file
from training.progress import interruptible
from training.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from training.config import Config

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.2
GRACE_SECONDS = 30
"""How long the other workers may take to keep their progress and end after one has failed."""


def fit_on_processes(
    config: "Config", dataset: "pd.DataFrame", folder: Path, *, workers: int, **options: Any
) -> Fitted:
    """Train like `training.fit.fit`, on several processes of this machine.

    Args:
        config: The configuration to train.
        dataset: The rows.
        folder: The run's folder.
        workers: Number of processes.
        **options: Further arguments of `fit`.

    Returns:
        The finished run.

    Raises:
        WorkerError: A worker was killed; the run can be resumed.
        TrainingError: As `fit` raises it.
    """
    check_output(folder, overwrite=options.get("overwrite", False))
    say(f"Starting {workers} workers on this machine ...")
    with tempfile.TemporaryDirectory() as temporary, interruptible():
        task = Path(temporary, "task")
        task.write_bytes(pickle.dumps(((config, dataset, folder.absolute()), options)))
        with _started(task, workers) as processes:
            failed = _first_failed(processes)
            if failed is not None:
                _wait(processes)
                raise _failure(task, processes, failed, folder)
    return Fitted(folder, json.loads((folder / TRAINING_RECORD).read_text(encoding="utf-8"))["metrics"])


@contextmanager
def _started(task: Path, workers: int) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Run the workers, and end those that are left at the end of the context."""
    command = [sys.executable, "-m", "training.parallel.worker", str(task)]
    processes = [
        # In a session of their own, Ctrl-C reaches only this process. It ends the first worker, and the others follow.
        subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env=environ)
        for environ in _environments(workers)
    ]
    try:
        yield processes
    except KeyboardInterrupt:
        processes[0].send_signal(signal.SIGTERM)
        _wait(processes)
        raise
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _environments(workers: int) -> list[dict[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(workers)}
    shared["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Otherwise each worker would start a thread for each core.
    shared["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", str(max(1, usable_cores() // workers)))
    return [{**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(workers)]


def _first_failed(processes: "list[subprocess.Popen[bytes]]") -> int | None:
    """Wait until a worker fails, and return its number, or None if all succeed."""
    while True:
        statuses = [process.poll() for process in processes]
        failed = [rank for rank, status in enumerate(statuses) if status]
        if failed:
            return failed[0]
        if None not in statuses:
            return None
        time.sleep(POLL_SECONDS)


def _wait(processes: "list[subprocess.Popen[bytes]]") -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(POLL_SECONDS)


def _failure(task: Path, processes: "list[subprocess.Popen[bytes]]", failed: int, folder: Path) -> BaseException:
    """Return what to raise: the interruption of a worker, its own error, or that it was lost."""
    if processes[failed].returncode == INTERRUPTED:
        return KeyboardInterrupt()
    files = {rank: error_file(task, rank) for rank in range(len(processes))}
    errors = {rank: json.loads(path.read_text()) for rank, path in files.items() if path.exists()}
    for is_about_others, message in errors.values():
        if not is_about_others:
            return TrainingError(message)
    # A worker that wrote no error is the one that the others lost.
    lost = next((rank for rank, each in enumerate(processes) if each.returncode and rank not in errors), None)
    if lost is None:
        return WorkerError(errors[failed][1])
    status = processes[lost].returncode
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    checkpoint = Workspace.of_run(folder).checkpoint()
    resume = f"resume from epoch {checkpoint.epoch}" if checkpoint else "start again"
    return WorkerError(f"Worker {lost} of {len(processes)} was lost ({how}): re-run the same command to {resume}.")
