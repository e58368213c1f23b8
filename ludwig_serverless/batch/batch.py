"""Answer a batch: make its plan, check it against the first rows, and let an engine answer the parts."""

import argparse
import os
import sys

import msgspec

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
    written = _ray(job, options.processes) if options.engine == "ray" else run(job, options.processes)
    print(_summary(written, options.output))


def _ray(job: BatchJob, processes: int) -> Written:
    from ludwig_serverless.batch.on_ray import run as run_on_ray

    return run_on_ray(job, processes)


def _summary(written: Written, output: str) -> str:
    line = f"{output}: {written.rows:,} rows are answered"
    if written.errors:
        line += f"; {written.errors:,} could not be read or answered: see {output.rstrip('/')}/{ERRORS}"
    return f"{line}."
