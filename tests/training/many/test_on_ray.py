"""`train-many --engine ray`: a real cluster of two workers, of which one is killed, writes what this machine writes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT, tool
from tests.training.many.bots import write_bots
from tests.training.many.test_train_many import pid, report, wait_for
from tests.training.test_cluster import cluster

WAIT_SECONDS = 600
NAMES = ("hotel-fr", "broken")
WEIGHTS = "run/model/model_weights.safetensors"


def train_many(folder: Path, output: str, *more: str) -> "subprocess.Popen[str]":
    line = [tool("ray", "python"), "-m", "training", "train-many", str(folder / "bots.yaml")]
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [*line, "--output", str(folder / output), *more], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
    )


def parent(number: int) -> int:
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.integration
def test_a_cluster_trains_what_this_machine_trains_although_a_worker_is_killed(tmp_path: Path) -> None:
    write_bots(tmp_path, *NAMES)
    with cluster() as address:
        driver = train_many(tmp_path, "out", "--engine", "ray", "--address", address)
        attempt = wait_for(lambda: pid(tmp_path, "hotel-fr"), driver)
        worker = parent(attempt)
        assert Path(f"/proc/{worker}/cmdline").read_bytes().startswith(b"ray::")
        os.kill(worker, signal.SIGKILL)
        err = driver.communicate(timeout=WAIT_SECONDS)[1]
    assert driver.returncode == 1, err
    assert "error: 1 of 2 entries failed: broken." in err
    rows = report(tmp_path)
    assert [rows[name]["state"] for name in NAMES] == ["finished", "failed"]
    assert [rows[name]["attempts"] for name in NAMES] == [2, 1]
    assert "contains nothing to learn" in rows["broken"]["reason"]
    local = train_many(tmp_path, "local")
    assert "Trying again" not in local.communicate(timeout=WAIT_SECONDS)[1]
    ours, theirs = (tmp_path / output / "hotel-fr" for output in ("local", "out"))
    assert (ours / WEIGHTS).read_bytes() == (theirs / WEIGHTS).read_bytes()
    here, there = (json.loads((each / "entry.json").read_text()) for each in (ours, theirs))
    assert (here["rows"], here["languages"]) == (there["rows"], there["languages"]) == (24, ["fr"])
    assert here["scores"]["intent"]["score"] == there["scores"]["intent"]["score"]
