"""Answer a batch on a Ray cluster, with Ray Data. Its output files are those of the local engine, byte for byte."""

import logging
from collections.abc import Iterator
from typing import Any

import ray
import ray.data
import ray.exceptions

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.local import BatchJob, Written
from ludwig_serverless.batch.plan import Place
from ludwig_serverless.batch.stripes import Stripe, StripeAnswerer, StripeResult, Tally, split
from ludwig_serverless.batch.writing import finished_parts


class StripeActor:
    """An actor of Ray Data, which restarts if its process is killed."""

    def __init__(self, job: BatchJob, before: frozenset[str]) -> None:
        """Remember what to answer.

        Args:
            job: The job.
            before: The names of the parts that earlier runs wrote.
        """
        self._answerer = StripeAnswerer(job, before)

    def __call__(self, stripes: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer stripes.

        Args:
            stripes: The fields of `Stripe`, each with an array of integers.

        Yields:
            The fields of `StripeResult`, each with a list of one value.
        """
        for numbers in zip(*(stripes[name].tolist() for name in Stripe._fields), strict=True):
            result = self._answerer.answer(Stripe(*numbers))
            yield {name: [value] for name, value in result._asdict().items()}


def run(job: BatchJob, processes: int | None) -> Written:
    """Answer all parts that are not written yet, on the cluster that RAY_ADDRESS names, or on this machine.

    Args:
        job: The job. All machines must see its files, bundles and output folder, for example in S3.
        processes: How many actors answer; None for one on each CPU of the cluster.

    Returns:
        The counts of the rows of this run.

    Raises:
        BatchError: Ray cannot start or stops the run, a file cannot be read, or a bundle cannot be loaded. The parts
            that are written stay.
    """
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises a plain one if it does not start in time
        raise BatchError(
            f"Ray cannot start: {' '.join(str(error).split())} Check the address in RAY_ADDRESS, or unset it to use "
            "this machine, and run the same command again."
        ) from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    tally = Tally()
    try:
        for row in _answered(job, processes or max(1, int(ray.cluster_resources().get("CPU", 1)))).iter_rows():
            tally.add(StripeResult(**row))
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        reason = said[-1] if isinstance(error, ray.exceptions.RayTaskError) else said[0]  # after its traceback
        raise BatchError(
            f"Ray stopped the batch: {reason.rstrip('.')}. Run the same command again: it continues."
        ) from None
    tally.progress.end()
    return tally.written


def _answered(job: BatchJob, processes: int) -> Any:
    """Return the data set of results. Ray answers while it is read, and starts killed actors again."""
    items = [stripe._asdict() for stripe in split(job.plan, processes)]
    return ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        StripeActor,
        fn_constructor_args=(job, finished_parts(Place(job.output), job.plan.format)),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=processes),
    )
