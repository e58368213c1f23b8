"""Answer a batch: make its plan, check it against the first rows, and let an engine answer the parts."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import msgspec

from handler.command_line import usable_cores
from handler.extras import how_to_install
from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.local import BatchJob, Written, run
from ludwig_serverless.batch.plan import BatchPlan, Place, input_files, store
from ludwig_serverless.batch.reading import read_parts
from ludwig_serverless.batch.writing import ERRORS

PEEKED_ROWS = 100


def answer_batch(options: argparse.Namespace) -> None:
    """Answer a batch, as `ludwig-serverless batch` does.

    Args:
        options: The options of the command.

    Raises:
        BatchError: The input, the output or an option cannot be used, or a process was killed.
        BundleError: A bundle cannot be loaded.
    """
    run_engine = _engine(options)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    source, output = Place(options.input), Place(options.output)
    if f"{output.path}/".startswith(f"{source.path}/"):
        raise BatchError("The folder for the answers is inside the input: give a folder outside it.")
    files = input_files(source)
    plan = BatchPlan(
        files=files,
        bundles={},
        answer=options.answer,
        columns=options.columns,
        kept=options.keep,
        text_column=options.text_column,
        part_rows=options.part_rows,
        format=options.format,
        default_language=options.default_language,
    )
    job = BatchJob(plan, tuple(options.bundles), options.input, options.output)
    answerer = job.answerer()
    for position, file in enumerate(files):
        first = next(read_parts(source.system, file, position, PEEKED_ROWS))
        if first.table.num_columns:
            answerer.check(first.table.schema.names)
    plan = msgspec.structs.replace(plan, bundles=answerer.seals)
    if store(plan, output):
        print(f"{options.output}: an earlier run is continued.", file=sys.stderr)
    job = job._replace(plan=plan)
    written = run_engine(job)
    output.remove_unfinished()
    print(_summary(written, options.output))


def _engine(options: argparse.Namespace) -> Callable[[BatchJob], Written]:
    """Return what answers the batch, before anything else takes time.

    Raises:
        BatchError: The engine cannot run here, or an option is for another one.
    """
    if options.master and options.engine != "spark":
        other = (
            "the environment variable RAY_ADDRESS names a Ray cluster" if options.engine == "ray" else "leave it out"
        )
        raise BatchError(f"--master is an option of --engine spark: {other}.")
    if options.engine == "local":
        return partial(run, processes=options.processes or usable_cores())
    if options.engine == "ray":
        _require("ray", "Ray", "ray")
        from ludwig_serverless.batch.on_ray import run as run_on_ray

        return partial(run_on_ray, processes=options.processes)
    if options.processes:
        raise BatchError(
            "--processes is no option of --engine spark, which answers with one process for each core of its "
            "executors: limit them in Spark's configuration (spark.cores.max), or on this machine with --master "
            f"'local[{options.processes},4]'."
        )
    return _spark(options.master)


def _spark(master: str | None) -> Callable[[BatchJob], Written]:
    _require("pyspark", "PySpark", "spark")
    if os.environ.get("SPARK_REMOTE"):
        raise BatchError(
            "SPARK_REMOTE is set, and --engine spark does not support Spark Connect: unset it, and name the cluster "
            "with --master, spark-submit or spark-defaults.conf."
        )
    from ludwig_serverless.batch.java import check_java

    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # spark-submit sets it, and its Java runs already
        check_java()
    from ludwig_serverless.batch.on_spark import run as run_on_spark

    return partial(run_on_spark, master=master)


def _require(module: str, name: str, extra: str) -> None:
    if find_spec(module) is None:
        raise BatchError(f"--engine {extra} needs {name}, which is not installed: {how_to_install(extra)}.")


def _summary(written: Written, output: str) -> str:
    line = f"{output}: {written.rows:,} rows are answered"
    if written.errors:
        line += f"; {written.errors:,} could not be read or answered: see {output.rstrip('/')}/{ERRORS}"
    return f"{line}."
