"""examples/aws/batch.yaml, replayed: its files in moto's S3, its workflow in moto, its function in the emulator."""

import csv
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import boto3
import pyarrow as pa
import pyarrow.parquet
import pytest

from handler.auth import new_token
from ludwig_serverless.cli import main
from scripts.ask_emulator import invoke, running_lambda
from scripts.local_aws import ThrottledError, running_function, running_moto
from scripts.replayed_map import FailedMapError, MotoWorkflow, Outcome, replay
from tests.deploy.test_batch import map_state
from tests.processes import aws_environ, tool

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator runs on Linux only"),
]
_, DIGEST = new_token()
TEXTS = [
    "fly to Paris",
    "hello",
    "bonjour",
    "hotel in New York, tomorrow",
    "",
    "فندق في عمان",
    'hello "Paris"!\nbye',
    "🛫 fly",
]
ROWS = [{"id": number, "text": TEXTS[number % len(TEXTS)]} for number in range(60)]
ROWS[17] = {"id": 17, "text": "x" * 20_000}  # over the limit of a text
FILES = {"a.csv": ROWS, "b.jsonl": [*ROWS, {"id": 60, "text": None}], "c.parquet": [*ROWS, {"id": 60, "text": None}]}


class Cloud(NamedTuple):
    """Clients of moto, the events that the function got, and what goes wrong with the next ones.

    throttled: the messages of the next calls, which are throttled.
    kills: the positions of the events during which the function's process is killed.
    """

    s3: Any
    workflow: Callable[..., MotoWorkflow]
    events: list[Any]
    throttled: list[str]
    kills: list[int]


@pytest.fixture(scope="module")
def cloud(emulator: Path, bundles: Path) -> Iterator[Cloud]:
    events: list[Any] = []
    throttled: list[str] = []
    kills: list[int] = []
    environ = {"NLU_BUNDLES": str(bundles), "NLU_TOKEN_DIGESTS": DIGEST}
    with running_lambda(emulator, environ) as url:

        def function(event: Any, _: Any) -> Any:
            if throttled:
                raise ThrottledError(throttled.pop())
            events.append(event)
            if len(events) - 1 in kills:
                kills.clear()
                return killed(url, event)
            return invoke(url, event)

        with (
            running_function(function) as lambda_address,
            running_moto(Path(tool("cloud", "python")), MOTO_PORT=lambda_address.rpartition(":")[2]) as address,
            pytest.MonkeyPatch.context() as patch,
        ):
            for name, value in aws_environ(address).items():
                patch.setenv(name, value)
            s3, states = boto3.client("s3"), boto3.client("stepfunctions")
            for bucket in ("chats", "nlu-answers"):
                s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            yield Cloud(
                s3, lambda state: MotoWorkflow(state["ItemProcessor"], address, states), events, throttled, kills
            )


def killed(url: str, event: Any) -> Any:
    """Invoke the function, kill its process before it answers, and return the error as Lambda does."""
    runtime = runtime_process()
    os.kill(runtime, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(invoke, url, event)
        time.sleep(0.5)  # the event is on its way to the process, which cannot read it
        os.kill(runtime, signal.SIGKILL)
        with pytest.raises(HTTPError) as failed:
            answer.result()
    return json.loads(failed.value.read())


def runtime_process() -> int:
    """Return the id of the process that runs the handler for this module's emulator."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environ = ((process / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:  # it has ended
            continue
        if b"-m\0awslambdaric" in command and b"aws-lambda-rie" not in command and DIGEST.encode() in environ:
            return int(process.name)
    raise AssertionError("no process runs the handler")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["id", "text"])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)


def replayed(cloud: Cloud, state: Any, run_input: dict[str, str]) -> list[dict[str, Any]]:
    """Run a Map state, and return the lines that it wrote."""
    details = replay(state, run_input, cloud.s3, cloud.workflow(state))
    manifest = json.loads(cloud.s3.get_object(Bucket=details["Bucket"], Key=details["Key"])["Body"].read())
    keys = [file["Key"] for file in manifest["ResultFiles"]["SUCCEEDED"]]
    lines = [cloud.s3.get_object(Bucket=details["Bucket"], Key=key)["Body"].read().splitlines() for key in keys]
    return [json.loads(line) for each in lines for line in each]


def by_batch(source: Path, output: Path, bundles: Path, *more: str) -> dict[str, list[dict[str, Any]]]:
    """Answer files with `ludwig-serverless batch`, and return the lines and the errors that it wrote, by file."""
    command = ["batch", str(source), str(output), "--bundles", str(bundles), "--processes", "1", "--format", "jsonl"]
    assert main([*command, "--keep", "id", *more]) == 0
    found: dict[str, list[dict[str, Any]]] = {}
    for position, file in enumerate(sorted(source.iterdir())):
        part = f"part-{position:05d}-000000.jsonl"
        lines = [json.loads(line) for line in (output / part).read_bytes().splitlines()]
        errors = [json.loads(line) for line in (output / "errors" / part).read_bytes().splitlines()]
        found[file.name] = lines + [{"id": each["values"]["id"], "error": each["reason"]} for each in errors]
    return found


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {str(row["id"]): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("answer", ["compact", "ludwig"])
def test_every_row_of_every_format_has_the_values_that_batch_writes(
    cloud: Cloud, tmp_path: Path, bundles: Path, answer: str
) -> None:
    (tmp_path / "in").mkdir()
    for name, rows in FILES.items():
        write_rows(tmp_path / "in" / name, rows)
        cloud.s3.upload_file(str(tmp_path / "in" / name), "chats", f"2026/{name}")
    expected = by_batch(tmp_path / "in", tmp_path / "out", bundles, "--answer", answer)
    for name, rows in FILES.items():
        cloud.events.clear()
        state = map_state(Format=name.partition(".")[2].upper(), Answer=answer, RowsPerBatch="25")
        found = replayed(cloud, state, {"key": f"2026/{name}"})
        assert by_id(found) == by_id(expected[name])
        assert len(found) == len(rows)
        assert [len(event["Items"]) for event in cloud.events] == [25, 25, len(rows) - 50]
        assert "20000 characters" in by_id(found)["17"]["error"]


def test_all_files_of_a_folder_are_answered(cloud: Cloud, tmp_path: Path) -> None:
    write_rows(tmp_path / "whole.jsonl", ROWS)
    write_rows(tmp_path / "a.jsonl", ROWS[:30])
    write_rows(tmp_path / "b.jsonl", ROWS[30:])
    for name, key in {"whole": "whole", "a": "folder/a", "b": "folder/b"}.items():
        cloud.s3.upload_file(str(tmp_path / f"{name}.jsonl"), "chats", f"{key}.jsonl")
    expected = replayed(cloud, map_state(Format="JSONL"), {"key": "whole.jsonl"})
    cloud.events.clear()
    state = map_state(Reads="folder", Format="JSONL", BytesPerBatch="1024", RowsPerBatch="20")
    assert replayed(cloud, state, {"prefix": "folder/"}) == expected
    sizes = [len(json.dumps(event)) for event in cloud.events if len(event["Items"]) > 1]
    assert len(cloud.events) > 60 / 20
    assert max(sizes) <= 1024


def test_a_throttled_batch_is_repeated(cloud: Cloud, tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ROWS[:3])
    cloud.s3.upload_file(str(tmp_path / "a.csv"), "chats", "a.csv")
    cloud.throttled.extend(["Rate Exceeded."] * 2)
    assert [row["id"] for row in replayed(cloud, map_state(), {"key": "a.csv"})] == ["0", "1", "2"]
    assert cloud.throttled == []


def test_a_batch_whose_runtime_is_killed_is_repeated(cloud: Cloud, tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ROWS)
    cloud.s3.upload_file(str(tmp_path / "a.csv"), "chats", "a.csv")
    state = map_state(RowsPerBatch="25")
    expected = replayed(cloud, state, {"key": "a.csv"})
    cloud.events.clear()
    cloud.kills.append(1)  # while it answers the second batch
    assert replayed(cloud, state, {"key": "a.csv"}) == expected
    assert [len(event["Items"]) for event in cloud.events] == [25, 25, 25, 10]
    assert cloud.kills == []


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"TextColumn": "message"}, "4 of 4 batches failed: Refused: The table has no column 'message': it has"),
        ({"RowsPerBatch": "2000", "Answer": "ludwig"}, "1 of 1 batches failed: Refused: .*: lower RowsPerBatch to "),
    ],
    ids=["column", "size"],
)  # fmt: skip
def test_a_run_with_a_wrong_parameter_stops_and_says_what_to_change(
    cloud: Cloud, tmp_path: Path, parameters: dict[str, str], reason: str
) -> None:
    write_rows(tmp_path / "a.csv", [{"id": number, "text": "hotel in New York"} for number in range(1000)])
    cloud.s3.upload_file(str(tmp_path / "a.csv"), "chats", "a.csv")
    state = map_state(BytesPerBatch="262144", **parameters)
    with pytest.raises(FailedMapError, match=reason):
        replayed(cloud, state, {"key": "a.csv"})
    assert replayed(cloud, {**state, "ToleratedFailurePercentage": 100}, {"key": "a.csv"}) == []


def test_the_largest_answer_that_the_function_gives_passes_through_step_functions(cloud: Cloud) -> None:
    state = map_state(Keep="*")
    workflow = cloud.workflow(state)

    def answered(characters: int) -> Outcome:
        items = [{"text": "fly", "note": "x" * characters}]
        return workflow({"BatchInput": state["ItemBatcher"]["BatchInput"], "Items": items})

    refused = answered(261_000)
    assert (refused.error, "fewer columns with Keep" in refused.cause) == ("Refused", True)
    size = int(refused.cause.partition("take ")[2].partition(" ")[0])
    assert answered(261_000 - (size - 260_096)).error == ""
    assert answered(261_001 - (size - 260_096)).error == "Refused"
