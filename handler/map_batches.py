"""Answer batches of Step Functions' Distributed Map: many rows of files in S3, without a machine.

The state machine of examples/aws/batch.yaml reads the files, sends batches of rows, and writes the answers. Its events
come through IAM's permission to invoke the function. Only such an event loads this module.
"""

import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from handler.bulk import AnswerKind, BulkAnswerer, Failure, OptionNames, as_text
from handler.errors import PayloadTooLargeError, RequestError
from handler.events import BATCH_VERSION
from handler.hexabot import Service
from handler.logs import log, log_refusal, request_id

STATE_BYTES = 262_144
"""The most that a state of Step Functions may pass on: 256 KiB of JSON."""
ANSWER_BYTES = STATE_BYTES - 2_048
"""The largest answer: Step Functions may count the status and the headers of the call too."""
ERROR = "error"
"""The column that says why a row has no answer."""
OPTIONS = OptionNames("TextColumn", "Keep", "Columns")
"""The parameters of the template."""
JSON_LINES = "JSONL"


class BatchInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the state machine says about the rows of a batch, in the template's parameters.

    Attributes:
        ludwig_serverless_batch: The version of this structure.
        answer: The kind of answer.
        text_column: The column with the messages.
        keep: The columns of the input to return, separated by commas; "*" for all.
        columns: The columns of the answer to return, separated by commas; "" for all.
        format: Step Functions' name of the format of the input, such as CSV.
    """

    ludwig_serverless_batch: int
    answer: AnswerKind
    text_column: str
    keep: str
    columns: str
    format: str


def answer_batch(event: Mapping[str, Any], service: Service, default_language: str, context: Any) -> dict[str, Any]:
    """Answer a batch of rows.

    Args:
        event: `BatchInput`, with the fields of that class, and `Items`, one object for each row.
        service: The loaded models.
        default_language: The language to answer if no model is sure of one.
        context: Lambda's context, or None.

    Returns:
        `rows`: for each item its kept columns and its answer, or its kept columns and `error`. If the batch as a whole
        cannot be answered, only `error`, which fails the batch in Step Functions.
    """
    started = time.perf_counter()
    token = request_id.set(getattr(context, "aws_request_id", None))
    try:
        rows = _answered(event, service, default_language)
        failed = sum(ERROR in row for row in rows)
        log("batch", rows=len(rows), failed_rows=failed, milliseconds=round((time.perf_counter() - started) * 1000, 3))
        return {"rows": rows}
    except RequestError as error:
        log_refusal("batch refused", error=type(error).__name__)  # its message may name columns
        return {ERROR: str(error)}
    finally:
        request_id.reset(token)


def _answered(event: Mapping[str, Any], service: Service, default_language: str) -> list[dict[str, Any]]:
    batch, items = _read(event)
    answerer = _answerer(service, batch.answer, batch.columns, batch.text_column, default_language)
    names = list(dict.fromkeys(name for item in items for name in item))
    kept = names if batch.keep == "*" else _names(batch.keep)
    if ERROR in kept:
        raise RequestError(f"The answer has a column {ERROR!r}: leave this column of the input out of Keep.")
    answerer.check(names, kept, OPTIONS)
    if batch.format == JSON_LINES:
        items = [{name: as_text(value) for name, value in item.items()} for item in items]
    read = [name for name in answerer.columns_read if name in names]
    answers = (each for chunk in answerer.chunks([_picked(item, read) for item in items]) for each in chunk)
    rows: list[dict[str, Any]] = []
    size = len('{"rows": []}')
    for row in map(_row, (_picked(item, kept) for item in items), answers):
        rows.append(row)
        size += len(json.dumps(row)) + len(", ")  # as Lambda's runtime encodes it
    if size > ANSWER_BYTES:
        raise PayloadTooLargeError(_advice(len(rows), size))
    return rows


def _read(event: Mapping[str, Any]) -> tuple[BatchInput, Sequence[Mapping[str, Any]]]:
    version = event["BatchInput"]["ludwig_serverless_batch"]
    if version != BATCH_VERSION:
        raise RequestError(
            f"The batch has version {version!r}, and this function reads version {BATCH_VERSION}: deploy the function "
            "and examples/aws/batch.yaml from the same release."
        )
    try:
        batch = msgspec.convert(event["BatchInput"], BatchInput)
        items = msgspec.convert(event["Items"], list[dict[str, Any]])
    except msgspec.ValidationError as error:
        raise RequestError(f"The batch cannot be read: {error}. Deploy examples/aws/batch.yaml again.") from None
    return batch, items


@lru_cache(maxsize=8)
def _answerer(service: Service, answer: AnswerKind, columns: str, text_column: str, language: str) -> BulkAnswerer:
    return BulkAnswerer(
        service, answer=answer, columns=_names(columns), text_column=text_column, default_language=language
    )


def _names(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]


def _picked(item: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: item.get(name) for name in names}


def _row(kept: dict[str, Any], answer: dict[str, Any] | Failure) -> dict[str, Any]:
    """Return a row of the result. Lambda cannot send texts that are not valid Unicode, so they become null."""
    row = {**kept, **({ERROR: answer.reason} if isinstance(answer, Failure) else answer)}
    if _is_unicode(row):
        return row
    broken = [name for name, value in kept.items() if not _is_unicode(value)]
    return {**kept, **dict.fromkeys(broken), ERROR: f"{', '.join(map(repr, broken))}: this is not valid Unicode."}


def _is_unicode(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _advice(rows: int, size: int) -> str:
    """Return what to lower for answers that are too large."""
    fitting = int(0.8 * rows * ANSWER_BYTES / size)
    fewer_rows = f"lower RowsPerBatch to {fitting}, or " if fitting else ""
    return (
        f"The answers to {rows} rows take {size} bytes, and Step Functions accepts {STATE_BYTES}: {fewer_rows}choose "
        "fewer columns with Keep and Columns. Then update the stack and start the run again."
    )
