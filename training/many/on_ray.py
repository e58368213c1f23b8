"""Run the entries of a manifest as tasks of a Ray cluster, whose machines all see their folders."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from training.cluster import connected
from training.errors import ClusterError
from training.many.attempts import AttemptError, start_attempt
from training.many.manifest import Entry
from training.many.record import Record, read_record, write_record


def run(
    entries: Sequence[Entry], *, address: str, workers: int | None, cpus: int, gpus: float, retries: int
) -> Iterator[Record]:
    """Train entries, each in a task that starts a process of its own.

    Ray repeats a task whose attempt failed, or whose worker process or machine is lost.

    Args:
        entries: The entries, whose folders have records.
        address: Address of the cluster's head node.
        workers: How many run at once; None runs as many as the cluster has room for.
        cpus: Number of CPUs of each.
        gpus: Number of GPUs of each.
        retries: How often Ray repeats a task.

    Yields:
        The record of each entry that finished or finally failed.

    Raises:
        ClusterError: The cluster cannot be reached.
    """
    ray = connected(address, needed_by="--engine ray")
    try:
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=retries, retry_exceptions=[AttemptError])(_attempt)
        waiting = list(entries)
        running: dict[Any, Entry] = {}
        while waiting or running:
            while waiting and (workers is None or len(running) < workers):
                entry = waiting.pop(0)
                running[task.remote(entry.folder, cpus)] = entry
            ended, _ = ray.wait([*running], num_returns=1)
            for reference in ended:
                yield _result(ray, reference, running.pop(reference))
    finally:
        ray.shutdown()


def _attempt(folder: Path, cpus: int) -> None:
    """Run one attempt on the worker, unless one before has finished and only its worker was lost then."""
    record = read_record(folder)
    if record is None or not record.is_complete():
        attempt = start_attempt(folder, cpus)
        try:
            attempt.result()
        finally:
            attempt.end()


def _result(ray: Any, reference: Any, entry: Entry) -> Record:
    """Return the record of a task that has ended."""
    reason = ""
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        reason = str(error.cause)
    except ray.exceptions.RayError as error:
        reason = f"its worker was lost ({type(error).__name__})"
    record = read_record(entry.folder)
    if record is None:
        raise ClusterError(f"{entry.folder} has no record any more: run the same command again.")
    if reason and record.state in ("waiting", "running"):
        record = write_record(entry.folder, msgspec.structs.replace(record, state="failed", reason=reason))
    return record
