"""Answer a batch on a Spark cluster, with `mapInArrow`. Its output files are those of the local engine, byte for byte.

The rows of the DataFrame are the numbers of stripes, one in each partition; the messages never go through Spark.
"""

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import Accumulator, AccumulatorParam
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.local import BatchJob, Written
from ludwig_serverless.batch.plan import Place
from ludwig_serverless.batch.stripes import Stripe, StripeAnswerer, StripeResult, Tally, split
from ludwig_serverless.batch.writing import finished_parts

DEFAULT_MASTER = "local[*,4]"
"""This machine, with a process for each core. As on a cluster, a task may fail three times; with `local[*]`, never."""
POLL_SECONDS = 1.0
LOST = re.compile(r"most recent failure: (?!.*Traceback)(?:.*Exception: )?(.+)")
"""What ended a task whose Python worker or executor ended."""
RAISED = re.compile(r'^(?:: |Exception in thread "main" )?[\w.$]+(?:Exception|Error): (?!Traceback)(.+)$', re.MULTILINE)
"""What Python or Java raised."""
SCHEMA = pa.schema([("stripe", pa.int64()), ("rows", pa.int64()), ("errors", pa.int64())])


class Results(AccumulatorParam[list[StripeResult]]):  # type: ignore[misc]
    """Brings the results of stripes to the driver while the job runs."""

    def zero(self, value: list[StripeResult]) -> list[StripeResult]:
        """Return no results."""
        return []

    def addInPlace(self, value1: list[StripeResult], value2: list[StripeResult]) -> list[StripeResult]:  # noqa: N802
        """Append results to others."""
        return value1 + value2


def run(job: BatchJob, master: str | None) -> Written:
    """Answer all parts that are not written yet, on a Spark cluster.

    Args:
        job: The job. All machines must see its files, bundles and output folder, for example in S3.
        master: The address of the cluster; None for the one that Spark's own configuration names, or this machine.

    Returns:
        The counts of the rows of this run.

    Raises:
        BatchError: Spark cannot start or stops the run, a file cannot be read, or a bundle cannot be loaded. The parts
            that are written stay.
    """
    with tempfile.NamedTemporaryFile(prefix="ludwig-serverless-spark-", suffix=".log", delete=False) as file:
        log = Path(file.name)
    spark = _started(master, log)
    try:
        written = _answered(spark, job)
    except (PySparkException, Py4JError) as error:
        raise BatchError(
            f"Spark stopped the batch: {_reason(str(error))} Its own messages are in {log}. Then run the same "
            "command again: it continues."
        ) from None
    except BaseException:  # what it says is not Spark's
        log.unlink()
        raise
    finally:
        with suppress(Py4JError, OSError):  # its Java process may be gone
            spark.stop()
    log.unlink()
    return written


def _started(master: str | None, log: Path) -> SparkSession:
    """Start Spark, or join the one of spark-submit. What Java says goes to the log."""
    os.environ.setdefault("MASTER", DEFAULT_MASTER)  # Spark reads it if nothing else names a master
    builder = SparkSession.builder.appName("ludwig-serverless batch")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.executorEnv.OPENBLAS_NUM_THREADS", "1")
    if master:
        builder = builder.master(master)
    try:
        with _stderr_in(log), warnings.catch_warnings(action="ignore"):
            spark = builder.getOrCreate()
    except Exception as error:  # of Py4J, of PySpark, or of Python, by the cause
        reason = _reason(f"{error}\n{log.read_text(encoding='utf-8', errors='replace')}")
        raise BatchError(f"Spark cannot start: {reason} Its own messages are in {log}.") from None
    context = spark.sparkContext
    if context.master.startswith("local") and not context.getConf().get("spark.pyspark.python"):
        context.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)
    return spark


def _answered(spark: SparkSession, job: BatchJob) -> Written:
    context = spark.sparkContext
    stripes = split(job.plan, context.defaultParallelism)
    results: Accumulator[list[StripeResult]] = context.accumulator([], Results())
    answer = partial(_answer, job, stripes, finished_parts(Place(job.output), job.plan.format), results)
    with warnings.catch_warnings(action="ignore"):
        numbers = spark.range(0, len(stripes), 1, len(stripes))  # one row in each partition
        answered = numbers.mapInArrow(answer, "stripe long, rows long, errors long")
    tally, seen = Tally(), 0
    with ThreadPoolExecutor(1) as pool:
        collected = pool.submit(answered.collect)
        try:
            while seen < len(stripes):
                is_done = _wait(collected)
                for result in (found := results.value[seen:]):
                    tally.add(result)
                seen += len(found)
                if is_done:
                    break
        except BaseException:
            context.cancelAllJobs()
            raise
        collected.result()
    tally.progress.end()
    return tally.written


def _wait(collected: "Future[Any]") -> bool:
    return bool(wait([collected], POLL_SECONDS).done)


_answerer: StripeAnswerer | None = None


def _answer(
    job: BatchJob,
    stripes: Sequence[Stripe],
    before: frozenset[str],
    results: Accumulator[list[StripeResult]],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Answer stripes in a Python worker, which loads the bundles once: Spark keeps it for all tasks of the run."""
    global _answerer
    if _answerer is None:
        _answerer = StripeAnswerer(job, before)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            result = _answerer.answer(stripes[number])
            results.add([result])
            row = {"stripe": number, "rows": result.rows, "errors": result.errors}
            yield pa.RecordBatch.from_pylist([row], SCHEMA)


@contextmanager
def _stderr_in(log: Path) -> Iterator[None]:
    """Let the processes that start meanwhile write their errors into a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _reason(message: str) -> str:
    """Return the sentence in the messages of Spark, Java or a Python worker that says what happened."""
    missing = re.search(r"No module named '([\w.]+)'", message)
    if missing:
        return (
            f"a Python worker has no module {missing[1]!r}: install ludwig-serverless[spark] in the Python of every "
            "machine, or set PYSPARK_PYTHON to a Python that has it."
        )
    said = LOST.search(message) or RAISED.search(message)
    line = said[1] if said else message.strip().partition("\n")[0]
    return f"{line.strip().partition('. ')[0].rstrip('.')}."
