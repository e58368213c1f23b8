"""`fit --workers`: a killed worker ends the training, and the same command resumes it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.processes import tool
from tests.training.tiny import names, tiny, tiny_config
from training.__main__ import main

ROOT = Path(__file__).parents[3]
MINUTES = 60


def arguments(folder: Path, **trainer: object) -> list[str]:
    config = tiny_config(trainer={"epochs": 12, "batch_size": 8, "early_stop": -1, **trainer})
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    tiny().to_csv(folder / "data.csv", index=False)
    paths = ["--config", folder / "config.yaml", "--dataset", folder / "data.csv", "--output", folder / "runs" / "run"]
    return ["fit", *map(str, paths), "--workers", "2"]


def start(folder: Path) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    command = [tool("ray", "python"), "-m", "training", *arguments(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def worker_of(process: subprocess.Popen[str], rank: int) -> int:
    """Return the process of a worker."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next(int(pid) for pid in children if f"\0RANK={rank}\0" in Path(f"/proc/{pid}/environ").read_text())


@pytest.mark.integration
def test_a_training_with_a_killed_worker_resumes(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        assert process.stderr
        for line in process.stderr:
            if "  epoch 2/12" in line:
                os.kill(worker_of(process, 1), signal.SIGKILL)
                break
        said = process.stderr.read()
    assert process.returncode == 1, said
    assert "error: Worker 1 of 2 was lost (signal 9): re-run the same command to resume from epoch " in said
    assert "Traceback" not in said
    assert names(tmp_path / "runs") == [".run-training"]
    with start(tmp_path) as process:
        out, said = process.communicate(timeout=8 * MINUTES)
    assert process.returncode == 0, said
    assert "Resuming from epoch " in said
    assert said.count("  epoch 12/12") == 1
    assert '"accuracy": 1.0' in out
    assert names(tmp_path / "runs") == ["run"]


def test_workers_need_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [option for option in arguments(tmp_path) if option not in ("--config", str(tmp_path / "config.yaml"))]
    assert main(given) == 1
    assert "--workers requires a configuration: add --config" in capsys.readouterr().err


def test_workers_of_torchrun_are_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    assert main(arguments(tmp_path)) == 1
    assert "torchrun has started 4 workers: remove --workers and --backend" in capsys.readouterr().err
