"""`fit --hyperopt`: rejected arguments, and real searches that are killed, continued, and run on a cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import tool
from tests.trained import demo_rows
from tests.training.test_cluster import cluster
from training.__main__ import main
from training.choice import folds

ROOT = Path(__file__).parents[3]
SECONDS = 300
TWO_FOLDS = """
import sys
from training.__main__ import main
from training.choice import folds
folds.FOLDS = 2
sys.exit(main(sys.argv[1:]))
"""
CONFIG = """
input_features: [{name: text, type: text, preprocessing: {tokenizer: space}, encoder: {type: embed}}]
output_features: [{name: intent, type: category}]
trainer: {epochs: 2, batch_size: 64}
"""
SECTION = """
hyperopt:
  metric: loss
  parameters:
    trainer.learning_rate: {space: grid_search, values: [0.00001, 0.01]}
    text.encoder.type: {space: choice, categories: [embed, nonsense, parallel_cnn]}
  executor: {type: optuna, num_samples: 1, sampler: random}
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with 120 rows of the demo, some of which are test rows."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    rows = demo_rows(120)[["text", "intent"]]
    rows.assign(split=[0, 0, 0, 1, 2] * 24).to_csv(path, index=False)
    return path


def command(config: Path | str, dataset: Path, output: Path, *more: str) -> list[str]:
    return ["fit", "--hyperopt", "--config", str(config), "--dataset", str(dataset), "--output", str(output), *more]


def trials_in(folder: Path) -> list[dict[str, Any]]:
    """Return the trials of a search without their durations, in the order of their numbers."""
    stored = json.loads((folder / "trials.json").read_text(encoding="utf-8"))
    return [{key: value for key, value in trial.items() if key != "seconds"} for trial in stored["trials"]]


def finished_trials(folder: Path) -> int:
    return len(trials_in(folder)) if (folder / "trials.json").exists() else 0


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a search that ran through."""
    folder = tmp_path_factory.mktemp("whole") / "found"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "FOLDS", 2)
        assert main(command("intent-light", dataset, folder, "--trials", "2")) == 0
    return folder


@pytest.mark.parametrize(
    ("config", "more", "message"),
    [
        (CONFIG, [], "--hyperopt needs a section 'hyperopt' with parameters in the configuration, for example `hyper"),
        (
            CONFIG + SECTION,
            ["--confidence-threshold", "0.9"],
            "--confidence-threshold has no effect on a search: add it",
        ),
        (
            CONFIG + SECTION,
            ["--keep-correct", "0.9"],
            "--keep-correct has no effect on a search: add it to the command",
        ),
        (CONFIG + SECTION, ["--per-intent"], "--per-intent has no effect on a search"),
        (CONFIG + SECTION, ["--prefer", "fast"], "--prefer cannot be combined with --config: remove one of them."),
        ("intent-light", ["--epochs", "3"], "--epochs cannot be combined with a search that tries trainer.epochs"),
        (CONFIG + SECTION.replace("optuna", "ray"), [], "executor.type is ray: add --backend ray"),
    ],
)
def test_arguments_without_effect_are_rejected(
    config: str, more: list[str], message: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "\n" in config:
        (tmp_path / "config.yaml").write_text(config)
        config = str(tmp_path / "config.yaml")
    assert main(command(config, dataset, tmp_path / "found", *more)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "found").exists()


def test_trials_need_a_search(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fit", "--config", "intent-light", "--dataset", str(dataset), "--output", str(tmp_path / "run")]
    assert main([*given, "--trials", "3"]) == 1
    assert "--trials has no effect without --hyperopt" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*given, "--hyperopt", "--trials", "0"])
    assert "expected a number of trials, such as 20, got '0'" in capsys.readouterr().err


def test_a_folder_with_something_else_is_kept(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(command("intent-light", dataset, tmp_path, "--force")) == 1
    assert "exists and does not contain a search: choose another folder" in capsys.readouterr().err
    (tmp_path / "trials.json").write_text("[]")
    assert main(command("intent-light", dataset, tmp_path)) == 1
    assert "is not readable as the trials of a search" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_missing_packages_are_reported(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.search.preparing.find_spec", lambda name: None)
    assert main(command("intent-light", dataset, tmp_path / "found")) == 1
    assert "A search needs Optuna, which is not installed: run `" in capsys.readouterr().err


@pytest.mark.ludwig
def test_a_search_tries_values_and_writes_the_best_configuration(whole: Path, dataset: Path) -> None:
    own, *others = trials_in(whole)
    assert own["parameters"] == {
        "text.column": "text+ngrams25",
        "text.encoder.embeddings_trainable": False,
        "trainer.learning_rate": 0.01,
        "trainer.epochs": 3,
    }
    assert [trial["number"] for trial in others] == [1, 2]
    stored = json.loads((whole / "trials.json").read_text(encoding="utf-8"))
    assert (stored["rows"], stored["folds"]) == (96, 2)  # without the 24 test rows
    for trial in (own, *others):
        assert trial["state"] == "complete"
        assert len(trial["scores"]) == 2
        assert trial["score"] == pytest.approx(trial["right"].count("1") / 96, abs=1e-6)
    best = max((own, *others), key=lambda trial: trial["score"])
    written = yaml.safe_load((whole / "best.yaml").read_text(encoding="utf-8"))
    assert "hyperopt" not in written
    assert written["trainer"]["learning_rate"] == best["parameters"]["trainer.learning_rate"]
    assert written["input_features"][0]["column"] == best["parameters"]["text.column"]
    assert "3 complete" in (whole / "report.html").read_text(encoding="utf-8")
    assert not list(whole.parent.glob(".*"))


@pytest.mark.ludwig
@pytest.mark.integration
def test_a_killed_search_continues_with_the_same_trials(whole: Path, dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    given = [sys.executable, "-c", TWO_FOLDS, *command("intent-light", dataset, folder, "--trials", "2")]
    with subprocess.Popen(given, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + SECONDS
        workspace = tmp_path / ".found-search"
        while finished_trials(folder) < 2 or not (workspace / "trial-2-1.json").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stderr
        process.stderr.close()
    assert finished_trials(folder) == 2
    continued = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert continued.returncode == 0, continued.stderr
    assert "which has 2 finished trials." in continued.stderr
    assert "Trial 1 of 2" not in continued.stderr
    assert trials_in(folder) == trials_in(whole)
    assert (folder / "best.yaml").read_bytes() == (whole / "best.yaml").read_bytes()


@pytest.mark.ludwig
@pytest.mark.integration
def test_a_cluster_runs_two_trials_at_once(whole: Path, dataset: Path, tmp_path: Path) -> None:
    """The first trials are drawn at random, so they are those of one machine, whichever is finished first."""
    folder, environ = tmp_path / "found", {**os.environ, "PYTHONWARNINGS": "ignore"}
    with cluster() as address:
        more = ["--trials", "2", "--backend", "ray", "--address", address]
        given = [tool("ray", "python"), "-c", TWO_FOLDS, *command("intent-light", dataset, folder, *more)]
        finished = subprocess.run(
            given, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=2 * SECONDS, check=False
        )
    assert finished.returncode == 0, finished.stderr
    assert "3 machines with 2 CPUs and 0 GPUs, 2 trials at once." in finished.stderr
    starts = [finished.stderr.index(f"Trial {number} of 2: ") for number in range(3)]
    first_end = min(finished.stderr.index(f"Trial {number} of 2: accuracy") for number in (0, 1))
    assert starts[1] < first_end < starts[2]
    expected, found = trials_in(whole), trials_in(folder)
    assert [trial["parameters"] for trial in found] == [trial["parameters"] for trial in expected]
    for trial, other in zip(found, expected, strict=True):
        assert trial["state"] == "complete"
        assert trial["score"] == pytest.approx(other["score"], abs=0.03)
    assert (folder / "best.yaml").exists()


@pytest.mark.ludwig
def test_a_finished_search_needs_other_settings_or_more_trials(
    whole: Path, dataset: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "FOLDS", 2)
    before = trials_in(whole)
    assert main(command("intent-light", dataset, whole, "--trials", "2")) == 0
    assert "All trials are finished: for more, increase --trials." in capsys.readouterr().err
    assert main(command("intent-light", dataset, whole, "--seed", "1")) == 1
    error = capsys.readouterr().err
    assert "contains a search with other settings (seed): use its settings to continue it" in error
    assert trials_in(whole) == before
    assert main(command("intent-light", dataset, whole, "--trials", "3", "--budget-minutes", "0.0001")) == 0
    assert "Stopped at the time limit, with 1 trials left: re-run the same command" in capsys.readouterr().err
    assert trials_in(whole) == before


@pytest.mark.ludwig
def test_a_trial_that_fails_is_recorded_and_the_others_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration has no early_stop, so Ludwig stops early, which needs validation rows."""
    monkeypatch.setattr(folds, "FOLDS", 2)
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG + SECTION)
    assert main(command(config, dataset, tmp_path / "found", "--trials", "2", "--seed", "3")) == 0
    error = capsys.readouterr().err
    trials = trials_in(tmp_path / "found")
    states = {trial["parameters"].get("text.encoder.type"): trial["state"] for trial in trials}
    assert "failed" in states.values()
    assert states["nonsense"] == "failed"
    assert "'nonsense' is not known here" in next(trial["error"] for trial in trials if trial["state"] == "failed")
    assert states["embed"] == "complete"
    assert "validation accuracy" in error
    config.write_text(CONFIG + SECTION.replace("learning_rate", "learning_rat"))
    assert main(command(config, dataset, tmp_path / "other")) == 1
    assert "'learning_rat' in trainer (did you mean 'learning_rate'?)" in capsys.readouterr().err
