"""Write the answers to a part, and the rows that have none. A file exists completely or not at all."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from ludwig_serverless.batch.answering import Answers
from ludwig_serverless.batch.plan import Format, Place
from ludwig_serverless.batch.reading import Part

ERRORS = "errors"


def write_part(output: Place, part: Part, answers: Answers, kind: Format) -> None:
    """Write the errors of a part and then its answers. A part whose answers exist is complete.

    Args:
        output: The output folder.
        part: The part that was answered. Its table may be empty.
        answers: The answers.
        kind: The format of the answers.
    """
    errors = b"".join(msgspec.json.encode(error) + b"\n" for error in _errors(part, answers))
    if errors:
        output.write(_errors_name(part), errors)
    output.write(f"{part.name}.{kind}", _encoded(answers.table, kind))


def count_errors(output: Place, part: Part) -> int:
    """Return how many rows of a finished part could not be read or answered.

    Args:
        output: The output folder.
        part: The part.
    """
    return (output.read(_errors_name(part)) or b"").count(b"\n")


def finished_parts(output: Place, kind: Format) -> frozenset[str]:
    """Return the names of the parts that are complete.

    Args:
        output: The output folder.
        kind: The format of the answers.

    Returns:
        The names, without their extension.
    """
    names = (each.base_name for each in output.files())
    return frozenset(name.removesuffix(f".{kind}") for name in names if name.endswith(f".{kind}"))


def _errors_name(part: Part) -> str:
    return f"{ERRORS}/{part.name}.jsonl"


def _errors(part: Part, answers: Answers) -> Iterator[dict[str, Any]]:
    for unreadable in part.unreadable:
        yield {"row": unreadable.row, "reason": unreadable.reason, "content": unreadable.content}
    rows: Sequence[dict[str, Any]] = (
        part.table.take(pa.array([failure.row for failure in answers.failures], pa.int64())).to_pylist()
        if answers.failures
        else []
    )
    for failure, row in zip(answers.failures, rows, strict=True):
        yield {"row": part.first_row + failure.row, "reason": failure.reason, "values": row}


def _encoded(table: pa.Table, kind: Format) -> bytes:
    sink = pa.BufferOutputStream()
    if kind == "parquet":
        pa_parquet.write_table(table, sink, compression="zstd")
    elif kind == "csv":
        pa_csv.write_csv(_flat(table), sink)
    else:
        for batch in table.to_batches(max_chunksize=1000):
            sink.write(b"".join(msgspec.json.encode(row, enc_hook=str) + b"\n" for row in batch.to_pylist()))
    return bytes(sink.getvalue())


def _flat(table: pa.Table) -> pa.Table:
    """Return a table with lists as JSON, because a CSV file has only plain values."""
    for number, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else msgspec.json.encode(value).decode() for value in table[number].to_pylist()
            ]
            table = table.set_column(number, field.name, pa.array(texts, pa.string()))
    return table
