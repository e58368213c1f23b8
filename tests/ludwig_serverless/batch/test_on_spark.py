"""`ludwig-serverless batch --engine spark`: the files of the local engine, whatever is killed, and clear errors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.java import check_java
from ludwig_serverless.cli import main
from scripts.debian import can_install, install
from tests.ludwig_serverless.batch.test_batch import contents, table
from tests.processes import ROOT, tool

CLUSTER = "local-cluster[2,1,1024]"
"""Two executors with one core and 1 GB each, as processes of their own."""
TIMEOUT_SECONDS = 300


@pytest.fixture(scope="module")
def java() -> None:
    """Install Java if it is missing or too old."""
    try:
        check_java()
    except BatchError:
        if not can_install():
            pytest.skip("no Java runs here")
        install("default-jre-headless")


@pytest.fixture
def environ(tmp_path: Path, java: None) -> dict[str, str]:
    """Return the environment of a machine with Spark, whose files go into the test's folder."""
    code = "import pyspark; print(pyspark.__path__[0])"
    found = subprocess.run([tool("spark", "python"), "-c", code], check=True, capture_output=True, text=True)
    home = tmp_path / "spark-home"  # a local cluster writes into its folder `work`
    home.mkdir()
    for path in Path(found.stdout.strip()).iterdir():
        (home / path.name).symlink_to(path)
    (tmp_path / "tmp").mkdir()
    folders = {"SPARK_HOME": str(home), "SPARK_LOCAL_DIRS": str(tmp_path / "tmp"), "TMPDIR": str(tmp_path / "tmp")}
    return {**os.environ, **folders, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}


def command(source: Path, output: Path, bundles: Path, *more: str) -> list[str]:
    start = [tool("spark", "python"), "-m", "ludwig_serverless", "batch", str(source), str(output)]
    return [*start, "--bundles", str(bundles), "--part-rows", "100", "--engine", "spark", *more]


@pytest.mark.integration
def test_spark_writes_the_same_files_although_everything_is_killed_once(
    tmp_path: Path, bundles: Path, environ: dict[str, str]
) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "spark"
    pyarrow.parquet.write_table(table(6_000), source)
    batch = command(source, output, bundles, "--master", CLUSTER)
    with subprocess.Popen(batch, cwd=tmp_path, env=environ) as process:
        _wait_for_parts(process, output, 3)
        family = _descendants(process.pid)
        process.kill()
    while any(Path(f"/proc/{pid}/exe").exists() for pid in family):  # executors write until they notice it
        time.sleep(0.1)
    before = len(list(output.glob("part-*.parquet")))
    assert before < 40
    with subprocess.Popen(batch, cwd=tmp_path, env=environ, stdout=-1, stderr=-1, text=True) as process:
        _wait_for_parts(process, output, before + 3)
        os.kill(_descendant(process.pid, b"CoarseGrainedExecutorBackend"), signal.SIGKILL)
        _wait_for_parts(process, output, before + 8)
        os.kill(_descendant(process.pid, b"pyspark.daemon", b"pyspark.daemon"), signal.SIGKILL)
        shown, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, errors
    assert f"{(60 - before) * 100:,} rows are answered." in shown
    assert [line for line in errors.splitlines() if "rows" not in line] == [f"{output}: an earlier run is continued."]
    assert main([*_local(source, tmp_path / "local", bundles)]) == 0
    assert contents(output) == contents(tmp_path / "local")


def _local(source: Path, output: Path, bundles: Path) -> list[str]:
    return ["batch", str(source), str(output), "--bundles", str(bundles), "--part-rows", "100"]


def _wait_for_parts(process: "subprocess.Popen[str] | subprocess.Popen[bytes]", output: Path, count: int) -> None:
    while len(list(output.glob("part-*.parquet"))) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)


def _descendant(ancestor: int, part: bytes, parent_part: bytes = b"") -> int:
    """Return the id of a process below another one, by parts of its command and of its parent's command."""
    found = _descendants(ancestor)
    for pid, (parent, command) in found.items():
        if part in command and parent_part in found.get(parent, (0, b""))[1]:
            return pid
    raise AssertionError(f"no process runs {part.decode()}")


def _descendants(ancestor: int) -> dict[int, tuple[int, bytes]]:
    """Return the processes below another one, by their ids, each with its parent's id and its command."""
    processes = {pid: (parent, command) for pid, parent, command in _processes()}
    below: dict[int, tuple[int, bytes]] = {}
    while found := {pid: each for pid, each in processes.items() if each[0] in (ancestor, *below) and pid not in below}:
        below |= found
    return below


def _processes() -> Iterator[tuple[int, int, bytes]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(folder.name), parent, (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue


@pytest.mark.integration
def test_what_stops_spark_is_said_in_one_sentence(tmp_path: Path, bundles: Path, environ: dict[str, str]) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "hello\n" * 300)
    without_java = {**environ, "JAVA_HOME": str(tmp_path)}
    missing = _error(command(source, tmp_path / "a", bundles), without_java)
    assert "Spark needs Java 17 or later, and JAVA_HOME is" in missing
    connect = _error(command(source, tmp_path / "a", bundles), {**environ, "SPARK_REMOTE": "sc://localhost"})
    assert "SPARK_REMOTE is set, and --engine spark does not support Spark Connect" in connect
    bad_master = _error(command(source, tmp_path / "b", bundles, "--master", "mesos://x"), environ)
    assert "Spark cannot start: Master must either be yarn or start with spark, k8s, or local. Its own" in bad_master
    bare = tmp_path / "bare"  # a Python on the workers without this package
    bare.write_text(f'#!/bin/sh\nPYTHONPATH= exec {sys.executable} -I "$@"\n')
    bare.chmod(0o755)
    assert len(list((tmp_path / "tmp").glob("*.log"))) == 1  # it is named in the message
    damaged = _error(command(_damaged(tmp_path / "in.parquet"), tmp_path / "d", bundles), environ)
    assert damaged.startswith(f"error: {tmp_path / 'in.parquet'} cannot be read: ")
    assert (tmp_path / "d" / "part-00000-000000.parquet").exists()
    assert len(list((tmp_path / "tmp").glob("*.log"))) == 1
    lacking = _error(command(source, tmp_path / "c", bundles), {**environ, "PYSPARK_PYTHON": str(bare)})
    assert "a Python worker has no module 'pyspark'" in lacking


def _damaged(path: Path) -> Path:
    """Write a Parquet file whose second half cannot be read."""
    pyarrow.parquet.write_table(table(1_000), path, row_group_size=500, use_dictionary=False)
    start = pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(50) + content[start + 50 :])
    return path


def _error(batch: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(batch, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == 1
    *notes, last = done.stderr.splitlines()
    # At most one note, and lines of progress, of which a busy machine prints more.
    assert len([note for note in notes if "rows/s" not in note]) <= 1
    return last


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--engine", "spark", "--processes", "2"], "--processes is no option of --engine spark"),
        (["--master", "yarn"], "--master is an option of --engine spark: leave it out."),
        (["--engine", "ray", "--master", "yarn"], "the environment variable RAY_ADDRESS names a Ray cluster"),
        (["--engine", "spark"], "--engine spark needs PySpark, which is not installed: "),
        (["--engine", "ray"], "--engine ray needs Ray, which is not installed: "),
    ],
)
def test_an_engine_that_cannot_run_is_refused_before_bundles_are_read(
    tmp_path: Path, more: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", str(tmp_path / "in.csv"), str(tmp_path / "out"), "--bundles", str(tmp_path), *more]) == 1
    assert message in capsys.readouterr().err
