"""Answer a batch on a Ray cluster, with Ray Data. Its output files are those of the local engine, byte for byte."""

from collections.abc import Iterator
from typing import Any

import ray
import ray.data

from ludwig_serverless.batch.local import BatchJob, PartWriter, Written
from ludwig_serverless.batch.plan import Place
from ludwig_serverless.batch.progress import BatchProgress
from ludwig_serverless.batch.reading import read_parts
from ludwig_serverless.batch.writing import finished_parts

STRIPES = 8
"""Stripes of a file for each process. With more, a killed process loses less work, and files are read more often."""


class StripeAnswerer:
    """An actor of Ray Data: it loads the bundles once, and answers stripes of files.

    A stripe is every n-th part of a file. Ray repeats a stripe whose actor was killed; parts that are written are
    skipped then.
    """

    def __init__(self, job: BatchJob) -> None:
        """Load the bundles.

        Args:
            job: The job.
        """
        self._job = job
        self._worker = PartWriter(job)
        self._source = Place(job.source)

    def __call__(self, stripes: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer stripes.

        Args:
            stripes: Columns `file`, `stripe` and `stripes`, integers.

        Yields:
            Columns `rows`, `errors` and `bytes`: counts of each stripe.
        """
        for position, stripe, of in zip(*(stripes[name] for name in ("file", "stripe", "stripes")), strict=True):
            finished = finished_parts(Place(self._job.output), self._job.plan.format)
            file = self._job.plan.files[position]
            rows = errors = 0
            for part in read_parts(self._source.system, file, int(position), self._job.plan.part_rows):
                if part.number % of == stripe and part.name not in finished:
                    written = self._worker.write(part)
                    rows, errors = rows + written.rows, errors + written.errors
            yield {"rows": [rows], "errors": [errors], "bytes": [file.bytes / of]}


def run(job: BatchJob, processes: int) -> Written:
    """Answer all parts that are not written yet, on the cluster that RAY_ADDRESS names, or on this machine.

    Args:
        job: The job. All machines must see its files, bundles and output folder, for example in S3.
        processes: How many actors answer.

    Returns:
        The counts of the rows of this run.
    """
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    stripes = STRIPES * processes
    items = [
        {"file": position, "stripe": stripe, "stripes": stripes}
        for stripe in range(stripes)
        for position in range(len(job.plan.files))
    ]
    answered = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        StripeAnswerer, fn_constructor_args=(job,), batch_size=1, concurrency=processes, max_restarts=-1
    )
    progress, total = BatchProgress(), Written(0, 0)
    all_bytes = sum(file.bytes for file in job.plan.files) or 1
    for row in answered.iter_rows():
        progress.add(row["rows"], row["bytes"] / all_bytes)
        total = Written(total.rows + row["rows"], total.errors + row["errors"])
    progress.end()
    return total
