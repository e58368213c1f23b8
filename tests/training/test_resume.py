"""Interrupted trainings that resume."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trained import ROOT
from tests.training.tiny import TINY_CONFIG, names, tiny, tiny_config
from training.__main__ import main
from training.errors import BusyError
from training.fit import fit
from training.workspace import Workspace

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

LONG = "trainer: {epochs: 12, batch_size: 8, early_stop: -1}"
"""Long enough to interrupt, but finishes in seconds."""


def start(folder: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    """Start a long training in a separate process."""
    (folder / "config.yaml").write_text(
        TINY_CONFIG.replace("parallel_cnn", "embed").replace("trainer: {epochs: 5, batch_size: 64}", LONG)
    )
    tiny().to_csv(folder / "data.csv", index=False)
    command = [sys.executable, "-m", "training", *arguments(folder, output), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def arguments(folder: Path, output: Path) -> list[str]:
    given = ["--config", folder / "config.yaml", "--dataset", folder / "data.csv", "--output", output]
    return ["fit", *map(str, given)]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read the output of a process until it contains this text."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
    pytest.fail(f"the process ended without saying {text!r}: {said}")


def epochs_told(said: str) -> list[int]:
    return [int(line.split()[1].split("/")[0]) for line in said.splitlines() if line.startswith("  epoch ")]


def test_a_killed_training_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also from a copy of its workspace in another folder."""
    first, second = tmp_path / "here" / "run", tmp_path / "there" / "run"
    with start(tmp_path, first) as process:
        wait_for(process, "  epoch 2/12")
        process.send_signal(signal.SIGKILL)
    assert names(first.parent) == [".run-training"]
    shutil.copytree(first.parent, second.parent)

    assert main(arguments(tmp_path, second)) == 0
    said = capsys.readouterr().err
    (resumed,) = [line for line in said.splitlines() if line.startswith("Resuming from epoch ")]
    epoch = int(resumed.split()[3].rstrip(";"))
    assert 2 <= epoch < 12
    assert epochs_told(said) == list(range(epoch + 1, 13))
    assert names(second.parent) == ["run"]
    assert {"evaluation", "model", "training.json"} <= set(names(second))
    metrics = json.loads((second / "evaluation" / "metrics.json").read_text())
    assert len(metrics["learning"]["outputs"]["intent"]["validation"]["loss"]) == 12


def test_sigterm_prints_how_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "runs" / "run"
    with start(tmp_path, run) as process:
        wait_for(process, "  epoch 1/12")
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "which is kept: re-run the same command to resume." in said
    assert "Traceback" not in said

    assert main([*arguments(tmp_path, run), "--seed", "8", "--epochs", "3"]) == 1
    error = capsys.readouterr().err
    assert "has a training that was interrupted after epoch" in error
    assert "config.trainer.epochs was 12, is 3; seed was 42, is 8. Use its settings to resume it" in error
    assert "re-run the same command" not in error

    assert main([*arguments(tmp_path, run), "--seed", "8", "--epochs", "3", "--overwrite"]) == 0
    said = capsys.readouterr().err
    assert "Discarding an interrupted training with other settings: " in said
    assert epochs_told(said) == [1, 2, 3]
    assert names(run.parent) == ["run"]


def interrupt_at(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send Ctrl-C when a training prints this text."""

    def say(line: str) -> None:
        if text in line:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("training.progress.say", say)


def test_a_resumed_training_gives_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learning rate schedule resumes too; Ludwig alone would restart it."""
    schedule = {"warmup_evaluations": 3, "decay": "linear"}
    trainer = {"epochs": 6, "batch_size": 8, "learning_rate": 0.003, "validation_field": "intent"}
    trainer |= {"validation_metric": "loss", "learning_rate_scheduler": schedule}  # the last epoch is the best
    config = tiny_config(trainer=trainer)
    whole = fit(config, tiny(), tmp_path / "whole").metrics["intent"]
    interrupt_at("epoch 2/6", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(config, tiny(), tmp_path / "run")
    resumed = fit(config, tiny(), tmp_path / "run").metrics["intent"]
    assert resumed == pytest.approx(whole, abs=1e-5)


def test_an_incomplete_checkpoint_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_at("epoch 1/3", monkeypatch)
    config = tiny_config(trainer={"epochs": 3, "batch_size": 64})
    with pytest.raises(KeyboardInterrupt):
        fit(config, tiny(), tmp_path / "run")
    workspace = Workspace.of_run(tmp_path / "run")
    checkpoint = workspace.checkpoint()
    assert checkpoint is not None
    newer = workspace.folder / "checkpoint-999"
    shutil.copytree(checkpoint.folder, newer)
    (newer / "training_progress.json").write_text("{")
    assert workspace.checkpoint() == checkpoint
    (checkpoint.folder / "whole.json").unlink()
    assert workspace.checkpoint() is None


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    with Workspace.of_run(tmp_path / "run").held(), pytest.raises(BusyError, match="Another training is using"):
        fit(tiny_config(), tiny(), tmp_path / "run")
