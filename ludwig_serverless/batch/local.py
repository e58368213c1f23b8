"""Answer a batch on this machine: one process reads, and one process for each core answers and writes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import pyarrow as pa

from ludwig_serverless.batch.answering import Answerer, Answers
from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.plan import BatchPlan, Place
from ludwig_serverless.batch.progress import BatchProgress
from ludwig_serverless.batch.reading import Part, read_parts
from ludwig_serverless.batch.writing import finished_parts, write_part

AHEAD = 2
"""Parts that wait for each process. More would only need more memory."""


class Written(NamedTuple):
    """What became of a part.

    Attributes:
        rows: The rows that were answered.
        errors: The rows that could not be read or answered.
    """

    rows: int
    errors: int

    def plus(self, rows: int, errors: int) -> "Written":
        """Return these counts with others added."""
        return Written(self.rows + rows, self.errors + errors)


class BatchJob(NamedTuple):
    """What a process needs to answer parts.

    Attributes:
        plan: The plan.
        bundles: The locations of the bundles.
        source: The location of the plan's files.
        output: The location of the output folder.
    """

    plan: BatchPlan
    bundles: tuple[str, ...]
    source: str
    output: str

    def answerer(self) -> Answerer:
        """Load the bundles."""
        return Answerer(
            self.bundles,
            answer=self.plan.answer,
            columns=self.plan.columns,
            kept=self.plan.kept,
            text_column=self.plan.text_column,
            default_language=self.plan.default_language,
        )


class PartWriter:
    """Answers and writes parts, in any process."""

    def __init__(self, job: BatchJob) -> None:
        """Load the bundles.

        Args:
            job: The job.
        """
        self._answerer = job.answerer()
        self._plan = job.plan
        self._output = Place(job.output)

    def write(self, part: Part) -> Written:
        """Answer a part and write it.

        Args:
            part: The part.

        Returns:
            The counts of its rows.

        Raises:
            RequestError: The part lacks a column.
        """
        if part.table.num_columns:
            self._answerer.check(part.table.schema.names)
            answers = self._answerer.answers(part.table)
        else:
            answers = Answers(pa.table({}), [])
        write_part(self._output, part, answers, self._plan.format)
        return Written(answers.table.num_rows, len(part.unreadable) + len(answers.failures))


def run(job: BatchJob, processes: int) -> Written:
    """Answer all parts that are not written yet.

    Args:
        job: The job. Its plan is stored in the output folder.
        processes: How many processes answer.

    Returns:
        The counts of the rows of this run.

    Raises:
        BatchError: A file cannot be read, or a process was killed. The parts that are written stay.
    """
    progress, total = BatchProgress(), Written(0, 0)
    finished = finished_parts(Place(job.output), job.plan.format)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_start, initargs=(job,)) as pool:
        waiting: dict[Future[Written], float] = {}
        try:
            for part, share in _missing(job.plan, Place(job.source), finished):
                if part is None:
                    progress.skip(share)
                    continue
                waiting[pool.submit(_write, part)] = share
                while len(waiting) >= AHEAD * processes:
                    total = _collect(waiting, progress, total)
            while waiting:
                total = _collect(waiting, progress, total)
        except BrokenProcessPool:
            raise BatchError(
                "A process was killed, probably because memory ran out. Run the same command again: it continues. "
                f"Fewer processes need less memory (--processes {max(1, processes // 2)})."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    progress.end()
    return total


def _missing(plan: BatchPlan, source: Place, finished: frozenset[str]) -> Iterator[tuple[Part | None, float]]:
    """Yield the parts that are not written yet, and None for the others, each with its share of all bytes."""
    all_bytes = sum(file.bytes for file in plan.files) or 1
    for position, file in enumerate(plan.files):
        before = 0.0
        for part in read_parts(source.system, file, position, plan.part_rows):
            yield None if part.name in finished else part, (part.done - before) * file.bytes / all_bytes
            before = part.done


def _collect(waiting: dict[Future[Written], float], progress: BatchProgress, total: Written) -> Written:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        share, written = waiting.pop(future), future.result()
        progress.add(written.rows, share)
        total = total.plus(*written)
    return total


_worker: PartWriter


def _start(job: BatchJob) -> None:
    """Load the bundles in a new process. Ctrl-C goes to all processes, and only the first one handles it."""
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    pa.set_cpu_count(1)
    _worker = PartWriter(job)


def _end_with_parent() -> None:
    """End this process when the one that started it ends, however that happens."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write(part: Part) -> Written:
    return _worker.write(part)
