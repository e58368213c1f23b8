"""Training itself, with Ludwig."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.trained import DEMO_DATASET, EPOCHS, KINDS, ROWS, Run, demo_rows
from training.__main__ import main
from training.config import MINILM, minilm_folder, read_config, with_pretrained
from training.dataset import dataset_sha256, prepare
from training.errors import DatasetError, TrainingError
from training.fit import fit

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

TINY_CONFIG = """
input_features: [{name: text, type: text, encoder: parallel_cnn}]
output_features: [{name: intent, type: category}]
trainer: {epochs: 5, batch_size: 64}
"""
PLACES = {str(Path.home()), str(Path(__file__).parents[2]), str(minilm_folder().parent)}


def tiny() -> pd.DataFrame:
    """Return rows to train on in a moment, with a split of their own."""
    rows = pd.DataFrame({"text": ["hello there", "good bye"] * 30, "intent": ["greet", "leave"] * 30})
    return rows.assign(split=[0] * 40 + [1] * 10 + [2] * 10)


def tiny_config(**changes: Any) -> dict[str, Any]:
    return {
        "input_features": [{"name": "text", "type": "text", "encoder": {"type": "embed"}}],
        "output_features": [{"name": "intent", "type": "category"}],
        "trainer": {"epochs": 1, "batch_size": 64},
        **changes,
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_trains(kind: str, trained: Callable[[str], Run]) -> None:
    run = trained(kind)
    assert {"model", "training.json"} <= set(names(run.fitted.folder))
    assert "model_weights.safetensors" in names(run.fitted.folder / "model")
    assert "training_checkpoints" not in names(run.fitted.folder / "model")
    (metrics,) = run.fitted.metrics.values()
    assert metrics["loss"] > 0
    assert 0 <= metrics["token_accuracy" if kind.startswith("slots") else "accuracy"] <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_says_what_was_done_and_not_where(kind: str, trained: Callable[[str], Run]) -> None:
    run = trained(kind)
    text = (run.fitted.folder / "training.json").read_text()
    record = json.loads(text)
    config = read_config(Path(kind))
    if kind.endswith("bert"):
        config = with_pretrained(config, minilm_folder().name)
    config["trainer"]["epochs"] = EPOCHS.get(kind, 2)
    rows = demo_rows(ROWS.get(kind, 300))
    prepared, used = prepare(with_pretrained(config, MINILM) if kind.endswith("bert") else config, rows)
    assert record["config"] == {**config, "preprocessing": prepared["preprocessing"]}
    assert record["dataset_sha256"] == dataset_sha256(used)
    assert (record["rows"], record["seed"], record["metrics"]) == (len(rows), 42, run.fitted.metrics)
    assert not [place for place in {*PLACES, str(run.fitted.folder.parent)} if place in text]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_told_epoch_by_epoch(kind: str, trained: Callable[[str], Run]) -> None:
    epochs, output = EPOCHS.get(kind, 2), kind.split("-")[0]
    lines = trained(kind).log.splitlines()
    assert f"Training {output} on {ROWS.get(kind, 300)} rows ..." in lines
    told = [line for line in lines if line.startswith("  epoch ")]
    metric = "token_accuracy" if output == "slots" else "accuracy"
    for epoch, line in enumerate(told, start=1):
        assert line.startswith(f"  epoch {epoch}/{epochs}, {output}: loss ")
        assert f", validation {metric} 0." in line or f", validation {metric} 1." in line
    assert len(told) == epochs


def test_the_command_line_trains_on_utterances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With an encoder that is given by its name alone, as Ludwig also takes it."""
    (tmp_path / "config.yaml").write_text(TINY_CONFIG)
    tiny().rename(columns={"text": "utterance"}).to_csv(tmp_path / "data.csv", index=False)
    output = tmp_path / "deep" / "run"
    arguments = ["--config", str(tmp_path / "config.yaml"), "--dataset", str(tmp_path / "data.csv")]
    assert main(["fit", *arguments, "--output", str(output), "--epochs", "1", "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    record = json.loads((output / "training.json").read_text())
    assert json.loads(out) == record["metrics"]
    assert set(record["metrics"]) == {"intent"}
    assert (record["config"]["trainer"]["epochs"], record["seed"]) == (1, 7)
    assert record["config"]["preprocessing"]["split"] == {"type": "fixed", "column": "split"}
    assert f"Saved to {output}. Next: python -m export {output} bundles/run" in err
    assert names(output.parent) == ["run"]
    again = tmp_path / "again"
    assert main(["fit", *arguments, "--output", str(again), "--epochs", "1", "--seed", "7"]) == 0
    metrics = json.loads((again / "training.json").read_text())["metrics"]
    assert metrics["intent"] == pytest.approx(
        record["metrics"]["intent"], abs=1e-5
    )  # sums of threads differ in the last bits


def test_slots_are_measured_as_whole_slots_on_the_test_rows(tmp_path: Path) -> None:
    rows = pd.read_csv(DEMO_DATASET, dtype=str, keep_default_na=False).sample(150, random_state=0)
    config = read_config(Path("slots-lstm"))
    config["trainer"]["epochs"] = 1
    metrics = fit(config, rows, tmp_path / "run").metrics["slots"]
    assert {"slot_precision", "slot_recall", "slot_f1", "token_accuracy", "loss"} <= set(metrics)
    assert all(0 <= metrics[name] <= 1 for name in metrics if name.startswith("slot_"))


def test_the_folder_one_stands_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match="holds the folder that you are in: give another one"):
        fit(tiny_config(), tiny(), Path())


def test_only_a_run_is_replaced_and_only_when_asked(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(tiny_config(), tiny(), run)
    (run / "note.txt").write_text("mine")
    with pytest.raises(TrainingError, match="run exists: give another folder with --output, or --overwrite"):
        fit(tiny_config(), tiny(), run)
    assert "note.txt" in names(run)
    fit(tiny_config(), tiny(), run, seed=3, overwrite=True)
    assert "note.txt" not in names(run)
    assert json.loads((run / "training.json").read_text())["seed"] == 3
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trainer": {"epoch": 1}}, "ConfigValidationError"),
        ({"input_features": [{"name": "text", "type": "text", "encoder": {"type": "nonsense"}}]}, "nonsense"),
        ({"input_features": [{"name": "text", "type": "text", "preprocessing": {"tokenizer": "ngrams"}}]}, "ngrams"),
        ({"input_features": [{"name": "text", "type": "text", "encoder": None}]}, "cannot train"),
    ],
    ids=["unknown setting", "unknown encoder", "unknown tokenizer", "no encoder"],
)
def test_what_ludwig_refuses_is_one_error_and_nothing_is_written(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"^Ludwig cannot train this: ") as caught:
        fit(tiny_config(**changes), tiny(), tmp_path / "run")
    assert reason in str(caught.value)
    assert names(tmp_path) == []


def test_a_bad_configuration_is_one_line_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(TINY_CONFIG.replace("epochs: 5", "epochs: many"))
    tiny().to_json(tmp_path / "data.json", orient="records")
    arguments = ["--config", str(tmp_path / "config.yaml"), "--dataset", str(tmp_path / "data.json")]
    assert main(["fit", *arguments, "--output", str(tmp_path / "run")]) == 1
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if "half a minute" not in line]
    assert out == ""
    assert len(errors) == 1
    assert errors[0].startswith("error: Ludwig cannot train this: ConfigValidationError: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_training_that_breaks_off_leaves_the_old_run(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ludwig wrote up to then is thrown away."""
    import ludwig.api

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.json").write_text("old")

    def break_off(model: Any, output_directory: str, **options: Any) -> None:
        Path(output_directory, "half-written").mkdir(parents=True)
        raise error

    monkeypatch.setattr(ludwig.api.LudwigModel, "train", break_off)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else TrainingError):
        fit(tiny_config(), tiny(), tmp_path / "run", overwrite=True)
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "training.json").read_text() == "old"


def test_tags_that_fit_no_words_are_refused(tmp_path: Path) -> None:
    rows = demo_rows(20)
    rows.loc[3, "slots"] = "O"
    with pytest.raises(DatasetError, match="row 3: "):
        fit(read_config(Path("slots-lstm")), rows, tmp_path / "run")
    assert names(tmp_path) == []
