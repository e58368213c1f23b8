"""A signal at any time stops a training, and no reported epoch is lost."""

import os
import signal
import threading
from pathlib import Path
from random import Random

import pytest
import safetensors.torch

from tests.training.tiny import tiny, tiny_config
from training import fit as fit_module
from training import workspace as workspace_module
from training.errors import TrainingError
from training.fit import fit
from training.workspace import Workspace

SIGNALS = int(os.environ.get("SIGNALS", "12"))
"""Number of random times to try; set `SIGNALS=100` for a long run."""
LONG = {"epochs": 400, "batch_size": 8, "early_stop": -1}

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("number", range(SIGNALS))
def test_a_signal_at_a_random_time_stops_the_training(number: int, tmp_path: Path) -> None:
    """The training would take minutes, so only the signal can end it early."""
    random = Random(number)
    kind = random.choice([signal.SIGINT, signal.SIGTERM])
    run = tmp_path / "run"
    timer = threading.Timer(random.uniform(0.5, 4), os.kill, [os.getpid(), kind])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(trainer=LONG), tiny(), run)
    timer.join()
    assert not run.exists()


def test_a_signal_that_ludwig_ignores_stops_the_training_at_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ludwig ignores SIGINT while it writes a checkpoint."""
    save, saved = safetensors.torch.save_file, []

    def interrupted(*arguments: object) -> None:
        saved.append(signal.getsignal(signal.SIGINT))
        os.kill(os.getpid(), signal.SIGINT)
        save(*arguments)

    monkeypatch.setattr(safetensors.torch, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_config(trainer=LONG), tiny(), tmp_path / "run")
    assert all(handler.__qualname__.startswith("MultiNodeCheckpoint.save") for handler in saved)
    assert "  epoch 1/400" in (told := capsys.readouterr().err)
    assert "  epoch 2/400" not in told


def test_a_run_that_another_training_finished_in_the_meantime_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    load = fit_module.import_ludwig

    def finish_another() -> object:
        run.mkdir()
        (run / "training.json").write_text("{}")
        return load()

    monkeypatch.setattr(fit_module, "import_ludwig", finish_another)
    with pytest.raises(TrainingError, match="exists"):
        fit(tiny_config(), tiny(), run)
    assert [path.name for path in run.iterdir()] == ["training.json"]
    assert not Workspace.of_run(run).folder.exists()


def test_a_workspace_removed_before_it_is_locked_is_recreated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.of_run(tmp_path / "run")
    lock, calls = workspace_module.lock, []

    def removed_first(descriptor: int) -> bool:
        if not calls:
            workspace.remove()
        calls.append(descriptor)
        return lock(descriptor)

    monkeypatch.setattr(workspace_module, "lock", removed_first)
    with workspace.held():
        assert len(calls) == 2
        assert workspace.folder.is_dir()
