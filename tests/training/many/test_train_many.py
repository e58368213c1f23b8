"""`train-many` on this machine: entries that fail, are killed, resume, change, and one report of all."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from handler.bundle import read_bundle
from ludwig_serverless.cli import main
from tests.processes import ROOT
from tests.training.many.bots import BOTS, SECRET, TEXTS, write_bots
from training import train_command
from training.many import attempt
from training.many.manifest import read_manifest
from training.many.record import Record, read_record

WAIT_SECONDS = 600


def command(folder: Path, *more: str) -> list[str]:
    return ["train-many", str(folder / "bots.yaml"), "--output", str(folder / "out"), "--workers", "2", *more]


def process(folder: Path, *more: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-m", "ludwig_serverless", *command(folder, *more)]
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def record(folder: Path, name: str) -> Record:
    found = read_record(folder / "out" / name)
    assert found
    return found


def report(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads((folder / "out" / "report.json").read_text())}


def pid(folder: Path, name: str, attempt: int = 1) -> int | None:
    """Return the process of an attempt, from the entry's log."""
    with suppress(FileNotFoundError):
        for line in (folder / "out" / name / "log.txt").read_text().splitlines():
            if line.startswith(f"=== Attempt {attempt}: process "):
                return int(line.split()[4])
    return None


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for[Found](find: Callable[[], Found | None], driver: "subprocess.Popen[str] | None" = None) -> Found:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if found := find():
            return found
        assert driver is None or driver.poll() is None, driver.communicate()[1]
        time.sleep(0.02)
    raise AssertionError("nothing came")


def test_broken_data_fails_at_once_and_the_report_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bots(tmp_path, "broken", "crooked")
    assert main(command(tmp_path)) == 1
    err = capsys.readouterr().err
    assert "2 entries, 2 to train, 0 finished and unchanged." in err
    assert "error: 2 of 2 entries failed: broken, crooked." in err
    assert "Trying again" not in err  # the same data would fail again
    rows = report(tmp_path)
    assert {row["state"] for row in rows.values()} == {"failed"}
    assert "contains nothing to learn" in rows["broken"]["reason"]
    assert "is not a readable zip file" in rows["crooked"]["reason"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "0 finished, 2 failed" in page
    assert 'href="broken/log.txt"' in page
    with (tmp_path / "out" / "report.csv").open() as file:
        assert [(row["name"], row["attempts"]) for row in csv.DictReader(file)] == [("broken", "1"), ("crooked", "1")]
    log = (tmp_path / "out" / "broken" / "log.txt").read_text()
    assert "Read 2 rows from" in log
    assert SECRET not in log + err + page
    assert SECRET in (tmp_path / "out" / "broken" / "runs" / "import.json").read_text()


def test_the_runs_of_other_data_or_options_are_kept(tmp_path: Path) -> None:
    write_bots(tmp_path, "broken")
    assert main(command(tmp_path)) == 1
    assert main(command(tmp_path)) == 1
    assert (record(tmp_path, "broken").attempts, pid(tmp_path, "broken", 2) is None) == (2, False)
    previous = tmp_path / "out" / "broken" / "runs-previous"
    assert not previous.exists()
    (tmp_path / "bots.yaml").write_text("bots: {broken: {files: broken.csv, budget-minutes: 7}}")
    assert main(command(tmp_path)) == 1
    assert record(tmp_path, "broken").attempts == 1
    assert (previous / "data.csv").is_file()


def test_a_check_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bots(tmp_path, "broken")
    assert main(command(tmp_path, "--check")) == 0
    assert "1 entry, 1 to train" in capsys.readouterr().err
    (tmp_path / "bots.yaml").write_text("bots: {a: {files: gone.csv}}")
    assert main(command(tmp_path)) == 1
    assert "has one problem, and nothing was started:\n  a: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_commands_do_not_train_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.many.train_many import _held

    write_bots(tmp_path, "broken")
    (tmp_path / "out").mkdir()
    with _held(tmp_path / "out"):
        assert main(command(tmp_path)) == 1
    assert "Another `train-many` is running in" in capsys.readouterr().err


@pytest.mark.ludwig
@pytest.mark.integration
def test_bots_are_killed_and_resumed_and_those_that_change_are_trained_again(tmp_path: Path) -> None:
    write_bots(tmp_path, *BOTS)
    # An attempt is killed: it is tried again. Then everything is killed while another entry is in training.
    with process(tmp_path) as driver:
        os.kill(wait_for(lambda: pid(tmp_path, "hotel-fr"), driver), signal.SIGKILL)
        wait_for(lambda: record(tmp_path, "hotel-fr").state == "finished", driver)
        running = wait_for(lambda: pid(tmp_path, "hotel-en"), driver)
        driver.kill()
    wait_for(lambda: not is_alive(running))
    before = record(tmp_path, "hotel-fr")
    assert before.attempts == 2
    assert record(tmp_path, "hotel-en").state == "running"
    weights = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "hotel-fr").rglob("*") if path.is_file()}
    assert weights

    # The same command resumes: what is finished stays as it is, and broken data stops nothing.
    resumed = process(tmp_path)
    err = resumed.communicate(timeout=WAIT_SECONDS)[1]
    assert resumed.returncode == 1
    assert "error: 1 of 4 entries failed: broken." in err
    assert record(tmp_path, "hotel-fr") == before
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    rows = report(tmp_path)
    assert {name: row["state"] for name, row in rows.items()} == {
        "hotel-en": "finished", "hotel-fr": "finished", "bank-fr": "finished", "broken": "failed",
    }  # fmt: skip
    assert rows["hotel-en"]["languages"] == ["en"]
    assert rows["hotel-fr"]["languages"] == ["fr"]
    assert rows["hotel-en"]["rows"] == 24
    assert rows["hotel-en"]["attempts"] == 2
    assert rows["hotel-en"]["scores"]["intent"]["score"] > 0.5
    assert (tmp_path / "out" / rows["hotel-en"]["scores"]["intent"]["report"]).is_file()
    bundle = tmp_path / "out" / "hotel-en" / "bundles" / "intent"
    assert read_bundle(bundle).parity.passed
    size = sum(path.stat().st_size for path in bundle.iterdir())
    assert rows["hotel-en"]["bundle_bytes"] == size

    # An entry whose options changed is trained again, and no other. One that the manifest does not name stays.
    content = yaml.safe_load((tmp_path / "bots.yaml").read_text())
    content["bots"]["bank-fr"]["seed"] = 9
    del content["bots"]["broken"]
    (tmp_path / "bots.yaml").write_text(yaml.safe_dump(content))
    last = process(tmp_path)
    err = last.communicate(timeout=WAIT_SECONDS)[1]
    assert last.returncode == 0, err
    assert "3 entries, 1 to train, 2 finished and unchanged." in err
    assert "[1/1] bank-fr finished in " in err
    assert "All 3 entries are finished." in err
    run = json.loads((tmp_path / "out" / "bank-fr" / "run" / "training.json").read_text())
    assert run["seed"] == 9
    logs = "".join(path.read_text() for path in (tmp_path / "out").rglob("log.txt"))
    assert SECRET not in logs + err
    assert not [text for texts in TEXTS.values() for some in texts.values() for text in some if text in logs + err]


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), KeyError(SECRET), OSError(28, "No space left on device", SECRET)]
)
def test_an_unexpected_error_is_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(options: object) -> None:
        raise error

    monkeypatch.setattr(train_command, "_train", fail)
    write_bots(tmp_path, "broken")
    entry = read_manifest(tmp_path / "bots.yaml", tmp_path / "out")[0]
    found = attempt._trained(Record("broken", "", [*entry.command], []))
    err = capsys.readouterr().err
    assert found["state"] == "failed"
    assert not found["is_final"]
    assert found["reason"].split(" at test_train_many.py:")[0] in ("ValueError", "KeyError", "No space left on device")
    assert "in fail" in err
    assert SECRET not in err + found["reason"]


def test_ctrl_c_ends_the_trainings(tmp_path: Path) -> None:
    write_bots(tmp_path, "hotel-fr")
    with process(tmp_path) as driver:
        running = wait_for(lambda: pid(tmp_path, "hotel-fr"), driver)
        driver.send_signal(signal.SIGINT)
        assert "Interrupted. Run the same command again to resume." in driver.communicate(timeout=WAIT_SECONDS)[1]
    assert driver.returncode == 130
    assert not is_alive(running)
