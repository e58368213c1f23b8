"""Split a batch into stripes, which the processes of a cluster answer. Ray and Spark run this code."""

import os
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

import pyarrow as pa

from handler.errors import LudwigServerlessError
from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.local import BatchJob, PartWriter, Written
from ludwig_serverless.batch.plan import BatchPlan, Place
from ludwig_serverless.batch.progress import BatchProgress
from ludwig_serverless.batch.reading import Part, read_parts
from ludwig_serverless.batch.writing import count_errors, finished_parts

STRIPES = 8
"""Stripes for each process. More of them share the work more evenly, and large files are read more often."""


class Stripe(NamedTuple):
    """Every n-th part of a file.

    Attributes:
        file: The file's position in the plan.
        number: The number of the first part, in [0, of).
        of: How many stripes the file has.
    """

    file: int
    number: int
    of: int


class StripeResult(NamedTuple):
    """What became of a stripe.

    Attributes:
        rows: The rows that were answered in this run.
        errors: The rows that could not be read or answered in this run.
        share: The stripe's share of the whole input, in [0, 1].
        failure: Why the run must stop, as a message; "" if it may continue.
    """

    rows: int
    errors: int
    share: float
    failure: str


def split(plan: BatchPlan, processes: int) -> list[Stripe]:
    """Split the files of a plan into stripes of about the same size.

    Each stripe reads its whole file, so a file has only as many stripes as its share of all bytes requires.

    Args:
        plan: The plan.
        processes: How many processes answer.

    Returns:
        The stripes, at least one for each file.
    """
    wanted = STRIPES * processes
    counts = [max(1, ceil(wanted * share)) for share in _shares(plan)]
    return [Stripe(file, number, of) for file, of in enumerate(counts) for number in range(of)]


class StripeAnswerer:
    """Answers stripes in any process, and loads the bundles once, with the first stripe.

    A cluster repeats a stripe whose process was killed. The parts that this process wrote are skipped then, and their
    rows still count.
    """

    def __init__(self, job: BatchJob, before: frozenset[str]) -> None:
        """Remember what to answer.

        Args:
            job: The job.
            before: The names of the parts that earlier runs wrote.
        """
        self._job = job
        self._before = before
        self._shares = _shares(job.plan)
        self._writer: PartWriter | None = None

    def answer(self, stripe: Stripe) -> StripeResult:
        """Answer the missing parts of a stripe, and write them.

        Args:
            stripe: The stripe.

        Returns:
            Its counts, or why the run must stop: this is no exception, because a cluster would repeat the stripe.
        """
        total = Written(0, 0)
        try:
            for written in self._written(stripe):
                total = total.plus(*written)
        except LudwigServerlessError as error:
            return StripeResult(*total, 0.0, str(error))
        return StripeResult(*total, self._shares[stripe.file] / stripe.of, "")

    def _written(self, stripe: Stripe) -> Iterator[Written]:
        if self._writer is None:
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            pa.set_cpu_count(1)
            self._writer = PartWriter(self._job)
        plan, output = self._job.plan, Place(self._job.output)
        finished = finished_parts(output, plan.format)
        source = Place(self._job.source).system
        for part in read_parts(source, plan.files[stripe.file], stripe.file, plan.part_rows):
            if part.number % stripe.of != stripe.number or part.name in self._before:
                continue
            yield _count(output, part) if part.name in finished else self._writer.write(part)


class Tally:
    """Adds up what became of stripes, and shows the progress.

    Attributes:
        written: The counts of all stripes so far.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.written = Written(0, 0)
        self.progress = BatchProgress()

    def add(self, result: StripeResult) -> None:
        """Add a stripe.

        Args:
            result: What became of it.

        Raises:
            BatchError: The run must stop. The parts that are written stay.
        """
        if result.failure:
            raise BatchError(result.failure)
        self.written = self.written.plus(result.rows, result.errors)
        self.progress.add(result.rows, result.share)


def _shares(plan: BatchPlan) -> list[float]:
    """Return the share of each file in all bytes, in [0, 1]."""
    total = sum(file.bytes for file in plan.files) or 1
    return [file.bytes / total for file in plan.files]


def _count(output: Place, part: Part) -> Written:
    """Return the counts of a part that a killed process of this run wrote."""
    errors = count_errors(output, part)
    return Written(part.table.num_rows - (errors - len(part.unreadable)), errors)
