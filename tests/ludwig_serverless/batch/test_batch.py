"""`ludwig-serverless batch`: the answers of the service for every row, also after an interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet
import pytest

from handler.hexabot import Service
from handler.predictor import load_predictors
from handler.settings import Settings
from handler.understanding import Understander
from ludwig_serverless.cli import main
from tests.bundles import CRASH, INTENT, write_bundle
from tests.processes import ROOT, tool, use_empty_aws

TEXTS = ["fly to Paris", "hello", "bonjour", "hotel in New York tomorrow", "", "فندق في عمان", "hello “Paris”!"]


def table(rows: int = 50) -> pa.Table:
    return pa.table({"id": list(range(rows)), "text": [TEXTS[number % len(TEXTS)] for number in range(rows)]})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(table(), path)
    return path


def batch(source: Path, output: Path, bundles: Path, *more: str) -> int:
    command = ["batch", str(source), str(output), "--bundles", str(bundles), "--processes", "1", "--part-rows", "20"]
    return main([*command, *more])


def answers(output: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(output.glob("part-*")) for row in pyarrow.parquet.read_table(path).to_pylist()]


def test_the_compact_answer_is_the_services(source: Path, tmp_path: Path, bundles: Path) -> None:
    assert batch(source, tmp_path / "out", bundles) == 0
    settings = Settings(bundles=(), open=True)
    understander = Understander(Service(load_predictors([bundles]), settings), settings.default_language)
    found = answers(tmp_path / "out")
    assert [row["id"] for row in found] == list(range(50))
    for row in found:
        expected = understander.understand({"text": row["text"]}).answer
        assert row["predicted_intent"] == expected["intent"]["name"]
        assert row["predicted_intent_confidence"] == pytest.approx(expected["intent"]["confidence"])
        assert row["predicted_language"] == expected["language"]["value"]
        assert [(each["entity"], each["value"], each["start"]) for each in row["predicted_entities"]] == [
            (each.entity, each.value, each.start) for each in expected["entities"]
        ]


def test_ludwigs_answer_has_the_models_columns(source: Path, tmp_path: Path, bundles: Path) -> None:
    assert batch(source, tmp_path / "out", bundles, "--answer", "ludwig", "--keep", "id") == 0
    predictors = load_predictors([bundles])
    expected = [{} for _ in range(50)]
    for predictor in predictors.values():
        for row, columns in zip(expected, predictor.predict(table().to_pylist()), strict=True):
            row |= columns
    for number, row in enumerate(answers(tmp_path / "out")):
        assert row.pop("id") == number
        assert row == {name: expected[number][name] for name in row}
        assert "slots_predictions" in row


def test_columns_are_chosen(source: Path, tmp_path: Path, bundles: Path) -> None:
    assert batch(source, tmp_path / "out", bundles, "--keep", "id", "--columns", "predicted_intent") == 0
    assert {tuple(row) for row in answers(tmp_path / "out")} == {("id", "predicted_intent")}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_other_formats_have_the_same_answers(source: Path, tmp_path: Path, bundles: Path, kind: str) -> None:
    assert batch(source, tmp_path / "out", bundles, "--format", kind) == 0
    first = (tmp_path / "out" / f"part-00000-000000.{kind}").read_text(encoding="utf-8")
    if kind == "jsonl":
        row = json.loads(first.splitlines()[0])
        assert (row["predicted_intent"], row["predicted_entities"][0]["value"]) == ("book_flight", "Paris")
    else:
        assert "predicted_intent" in first.splitlines()[0]
        assert "book_flight" in first.splitlines()[1]
        assert "Paris" in first.splitlines()[1]


def test_a_row_that_fails_is_reported_and_the_others_are_answered(tmp_path: Path) -> None:
    write_bundle(tmp_path / "intent", INTENT, breaking=True)
    path = tmp_path / "in.jsonl"
    rows = [{"text": "fly"}, {"text": CRASH}, {"text": None}, {"text": "x" * 20_000}, {"text": "hello"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no object\n")
    assert batch(path, tmp_path / "out", tmp_path / "intent") == 0
    assert [row["predicted_intent"] for row in answers(tmp_path / "out")] == ["book_flight", "greeting"]
    errors = [json.loads(line) for line in (tmp_path / "out/errors/part-00000-000000.jsonl").read_text().splitlines()]
    assert [error["row"] for error in errors] == [5, 1, 2, 3]
    assert "JSON" in errors[0]["reason"]
    assert errors[1]["values"] == {"text": CRASH}
    assert "20000 characters" in errors[3]["reason"]


def test_the_same_command_does_nothing_again_and_another_one_is_refused(
    source: Path, tmp_path: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(source, tmp_path / "out", bundles) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert batch(source, tmp_path / "out", bundles) == 0
    assert "0 rows are answered" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")} == before
    assert batch(source, tmp_path / "out", bundles, "--format", "csv") == 1
    assert "belongs to another batch, which differs in format" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--text-column", "message"], "The table has no column 'message': it has id, text"),
        (["--columns", "intent"], "no column 'intent': choose from predicted_intent"),
        (["--keep", "number"], "no column 'number'"),
    ],
)
def test_a_wrong_column_is_named_before_anything_is_written(
    source: Path, tmp_path: Path, bundles: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(source, tmp_path / "out", bundles, *more) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_answers_are_not_written_into_the_input(
    tmp_path: Path, source: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(tmp_path, tmp_path / "out", bundles) == 1
    assert "inside the input" in capsys.readouterr().err


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.integration
@pytest.mark.parametrize("killed", ["worker", "main"])
def test_a_killed_run_continues_and_writes_the_same_files(tmp_path: Path, bundles: Path, killed: str) -> None:
    source = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(table(12_000), source)
    more = ["--bundles", str(bundles), "--processes", "2", "--part-rows", "200"]
    command = [sys.executable, "-m", "ludwig_serverless", "batch", str(source)]
    process = subprocess.Popen([*command, str(tmp_path / "out"), *more], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while len(list((tmp_path / "out").glob("part-*.parquet"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(_child(process.pid) if killed == "worker" else process.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if killed == "worker":
        assert "Run the same command again: it continues." in errors
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) < 60
    subprocess.run([*command, str(tmp_path / "out"), *more], cwd=ROOT, check=True)
    subprocess.run([*command, str(tmp_path / "whole"), *more], cwd=ROOT, check=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def _child(parent: int) -> int:
    """Return the id of a process that answers: a child with a thread pool of its own, and not Python's tracker."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("no process answers")


@pytest.mark.integration
def test_s3_is_read_and_written(
    source: Path, tmp_path: Path, bundles: Path, aws_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_empty_aws(aws_address, monkeypatch)
    client = boto3.client("s3")
    client.create_bucket(Bucket="chats", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.upload_file(str(source), "chats", "2026/11/in.parquet")
    command = [sys.executable, "-m", "ludwig_serverless", "batch", "s3://chats/2026/", "s3://chats/answers"]
    more = ["--bundles", str(bundles), "--processes", "1", "--part-rows", "20"]
    subprocess.run([*command, *more], cwd=ROOT, check=True)
    assert batch(source, tmp_path / "out", bundles) == 0
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="chats", Prefix="answers/part-")["Contents"]]
    found = {key.removeprefix("answers/"): client.get_object(Bucket="chats", Key=key)["Body"].read() for key in keys}
    assert found == {name: content for name, content in contents(tmp_path / "out").items() if name.startswith("part-")}
    again = subprocess.run([*command, *more], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "0 rows are answered" in again.stdout


@pytest.mark.integration
def test_ray_writes_the_same_files_although_an_actor_is_killed_and_continues(tmp_path: Path, bundles: Path) -> None:
    source = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(table(10_000), source)
    python, environ = tool("ray", "python"), {**os.environ, "PYTHONWARNINGS": "ignore"}
    more = ["--bundles", str(bundles), "--processes", "2", "--part-rows", "100"]
    command = [python, "-m", "ludwig_serverless", "batch", str(source), str(tmp_path / "ray"), "--engine", "ray", *more]
    with subprocess.Popen(command, cwd=ROOT, env=environ) as process:
        while len(list((tmp_path / "ray").glob("part-*.parquet"))) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(_actor(), signal.SIGKILL)
        assert process.wait(300) == 0
    assert main(["batch", str(source), str(tmp_path / "local"), *more]) == 0
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    (tmp_path / "ray" / "part-00000-000007.parquet").unlink()
    again = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
    assert "100 rows are answered" in again.stdout
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def _actor() -> int:
    """Return the id of a process that Ray named after the actor."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if command.read_bytes().startswith(b"ray::MapWorker"):
                return int(command.parent.name)
        except OSError:  # it has ended
            continue
    raise AssertionError("no actor answers")
