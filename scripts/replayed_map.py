"""Replay a Distributed Map of Step Functions: read and batch rows, run workflows, and write the results.

No imitation of AWS runs a Distributed Map with batches. moto runs the workflow of each batch, with its retries and
choices, and this module does what Step Functions does around it. Source: AWS's documentation of ItemReader,
ItemBatcher and ResultWriter.
"""

import csv
import io
import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

TICK_SECONDS = 0.02


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        output: The output of its workflow; None if that failed.
        error: The name of the error; "" if there was none.
        cause: The reason of the error.
    """

    output: Any
    error: str = ""
    cause: str = ""


class FailedMapError(Exception):
    """Raised if more batches failed than the state tolerates. The results of the others are written."""


Workflow = Callable[[Mapping[str, Any]], Outcome]


def replay(state: Mapping[str, Any], run_input: Mapping[str, Any], s3: Any, workflow: Workflow) -> dict[str, str]:
    """Run a Map state.

    Args:
        state: The state, in the Amazon States Language.
        run_input: The input of the run.
        s3: A client of S3.
        workflow: Runs the workflow of a batch.

    Returns:
        The output of the state: the bucket and the key of the manifest of the results.

    Raises:
        FailedMapError: More batches failed than the state tolerates.
    """
    events = list(batches(read_items(state["ItemReader"], run_input, s3), state["ItemBatcher"]))
    outcomes = [workflow(event) for event in events]
    details = write_results(state["ResultWriter"], list(zip(events, outcomes, strict=True)), s3)
    failed = [outcome for outcome in outcomes if outcome.error]
    if 100 * len(failed) > state["ToleratedFailurePercentage"] * len(outcomes):
        raise FailedMapError(f"{len(failed)} of {len(outcomes)} batches failed: {failed[0].error}: {failed[0].cause}")
    return details


def read_items(reader: Mapping[str, Any], run_input: Mapping[str, Any], s3: Any) -> Iterator[dict[str, Any]]:
    """Read the rows of the file or of the files that an ItemReader names.

    Args:
        reader: The ItemReader.
        run_input: The input of the run, to which paths such as `$.key` refer.
        s3: A client of S3.

    Yields:
        The rows.
    """
    asked = {
        name.removesuffix(".$"): run_input[value.removeprefix("$.")] if name.endswith(".$") else value
        for name, value in reader["Parameters"].items()
    }
    config = reader["ReaderConfig"]
    if reader["Resource"].endswith(":s3:getObject"):
        keys = [asked["Key"]]
    else:
        if config.get("Transformation") != "LOAD_AND_FLATTEN":
            raise ValueError("expected LOAD_AND_FLATTEN, without which the items are the files and not their rows")
        pages = s3.get_paginator("list_objects_v2").paginate(**asked)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    for key in keys:
        yield from READERS[config["InputType"]](s3.get_object(Bucket=asked["Bucket"], Key=key)["Body"].read())


def _read_csv(content: bytes) -> Iterator[dict[str, Any]]:
    yield from csv.DictReader(io.StringIO(content.decode(), newline=""), restval="")


def _read_json_lines(content: bytes) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, filter(str.strip, content.decode().split("\n")))


def _read_parquet(content: bytes) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    yield from pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()


READERS = {"CSV": _read_csv, "JSONL": _read_json_lines, "PARQUET": _read_parquet}


def batches(items: Iterator[dict[str, Any]], batcher: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Put rows into batches, as an ItemBatcher does.

    Args:
        items: The rows.
        batcher: The ItemBatcher.

    Yields:
        The input of the workflow of each batch.
    """
    batch: list[dict[str, Any]] = []

    def event(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"BatchInput": batcher["BatchInput"], "Items": rows}

    for item in items:
        too_large = len(json.dumps(event([*batch, item])).encode()) > batcher["MaxInputBytesPerBatch"]
        if batch and (too_large or len(batch) == batcher["MaxItemsPerBatch"]):
            yield event(batch)
            batch = []
        batch.append(item)
    if batch:
        yield event(batch)


def write_results(writer: Mapping[str, Any], results: list[tuple[dict[str, Any], Outcome]], s3: Any) -> dict[str, str]:
    """Write the outputs of workflows as JSON Lines, one line for each element, and the failures in files of their own.

    Args:
        writer: The ResultWriter.
        results: The input and the outcome of each workflow.
        s3: A client of S3.

    Returns:
        The bucket and the key of the manifest.
    """
    if writer["WriterConfig"] != {"OutputType": "JSONL", "Transformation": "FLATTEN"}:
        raise ValueError(f"expected lines of flat results, found {writer['WriterConfig']}")
    bucket, run = writer["Parameters"]["Bucket"], f"{writer['Parameters']['Prefix']}/{uuid.uuid4()}"
    lines = {
        "SUCCEEDED": [row for _, outcome in results if not outcome.error for row in outcome.output],
        "FAILED": [
            {"Input": json.dumps(event), "Error": outcome.error, "Cause": outcome.cause, "Status": "FAILED"}
            for event, outcome in results
            if outcome.error
        ],
    }
    files: dict[str, list[dict[str, Any]]] = {"PENDING": []}
    for status, rows in lines.items():
        key, content = f"{run}/{status}_0.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()
        files[status] = [{"Key": key, "Size": len(content)}] if rows else []
        if rows:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    manifest = {"DestinationBucket": bucket, "ResultFiles": files}
    s3.put_object(Bucket=bucket, Key=f"{run}/manifest.json", Body=json.dumps(manifest).encode())
    return {"Bucket": bucket, "Key": f"{run}/manifest.json"}


class MotoWorkflow:
    """Runs the workflow of batches in moto, which interprets the Amazon States Language.

    moto invokes functions at the port that its environment variable MOTO_PORT names.
    """

    def __init__(self, processor: Mapping[str, Any], address: str, client: Any) -> None:
        """Create the state machine.

        Args:
            processor: The ItemProcessor of a Map state.
            address: The URL of moto's server.
            client: A client of Step Functions, for that address.
        """
        config = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        headers = {"content-type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/config", config, headers)).close()
        states = {name: value for name, value in processor.items() if name != "ProcessorConfig"}
        self._client = client
        self._machine = client.create_state_machine(
            name=f"batch-{uuid.uuid4()}",
            definition=json.dumps(states),
            roleArn="arn:aws:iam::123456789012:role/batches",
        )["stateMachineArn"]

    def __call__(self, event: Mapping[str, Any]) -> Outcome:
        """Run the workflow of a batch to its end.

        Args:
            event: The input.
        """
        name = str(uuid.uuid4())
        arn = self._client.start_execution(stateMachineArn=self._machine, name=name, input=json.dumps(event))
        while (found := self._client.describe_execution(executionArn=arn["executionArn"]))["status"] == "RUNNING":
            time.sleep(TICK_SECONDS)
        if found["status"] == "SUCCEEDED":
            return Outcome(json.loads(found["output"]))
        return Outcome(None, found.get("error") or found["status"], found.get("cause") or "")
