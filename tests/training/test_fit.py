"""Training with Ludwig."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from export.build import export_model
from export.model import load_model
from export.pretrained import cache_folder
from handler.outputs import CategoryOutput
from tests.trained import DEMO_DATASET, EPOCHS, KINDS, PRETRAINED, ROWS, Run, demo_rows
from tests.training.tiny import TINY_CONFIG, names, tiny, tiny_config
from training.__main__ import main
from training.config import MINILM, minilm_folder, read_config, with_pretrained
from training.dataset import dataset_sha256, prepare
from training.errors import ConfigError, DatasetError, TrainingError
from training.evaluation.thresholds import ThresholdOptions
from training.fit import fit
from training.sizing import sized

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

PLACES = {str(Path.home()), str(Path(__file__).parents[2]), str(cache_folder())}


def copy_name(kind: str) -> str:
    """Return the name of the copy of MiniLM that a built-in configuration trains."""
    encoder = read_config(Path(kind))["input_features"][0]["encoder"]
    return minilm_folder(encoder).name


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_trains(kind: str, trained: Callable[[str], Run]) -> None:
    run = trained(kind)
    assert {"evaluation", "model", "training.json"} <= set(names(run.fitted.folder))
    assert "model_weights.safetensors" in names(run.fitted.folder / "model")
    assert "training_checkpoints" not in names(run.fitted.folder / "model")
    (metrics,) = run.fitted.metrics.values()
    assert metrics["loss"] >= 0
    assert 0 <= metrics["token_accuracy" if kind.startswith("slots") else "accuracy"] <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_has_the_settings_but_no_local_paths(kind: str, trained: Callable[[str], Run]) -> None:
    run = trained(kind)
    text = (run.fitted.folder / "training.json").read_text()
    record = json.loads(text)
    config = read_config(Path(kind))
    del config["hyperopt"]  # only a search reads it
    if kind in PRETRAINED:
        config = with_pretrained(config, copy_name(kind))
    config["trainer"]["epochs"] = EPOCHS.get(kind, 2)
    rows = demo_rows(ROWS.get(kind, 300))
    prepared, used = prepare(with_pretrained(config, MINILM) if kind in PRETRAINED else config, rows)
    config |= {section: sized(prepared, used)[section] for section in ("input_features", "output_features", "trainer")}
    if kind in PRETRAINED:
        config = with_pretrained(config, copy_name(kind))
    assert record["config"] == {**config, "preprocessing": prepared["preprocessing"]}
    assert record["dataset_sha256"] == dataset_sha256(used)
    assert (record["rows"], record["seed"], record["metrics"]) == (len(rows), 42, run.fitted.metrics)
    assert not [place for place in {*PLACES, str(run.fitted.folder.parent)} if place in text]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_reported_after_each_epoch(kind: str, trained: Callable[[str], Run]) -> None:
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
    """With an encoder given only by its name, which Ludwig also supports."""
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
    assert f"Saved to {output}. Next: ludwig-serverless export {output} bundles/run" in err
    assert names(output.parent) == ["run"]
    again = tmp_path / "again"
    assert main(["fit", *arguments, "--output", str(again), "--epochs", "1", "--seed", "7"]) == 0
    metrics = json.loads((again / "training.json").read_text())["metrics"]
    assert metrics["intent"] == pytest.approx(
        record["metrics"]["intent"], abs=1e-5
    )  # sums of threads differ in the last bits


def test_whole_slots_are_measured_on_the_test_rows(tmp_path: Path) -> None:
    rows = pd.read_csv(DEMO_DATASET, dtype=str, keep_default_na=False).sample(150, random_state=0)
    config = read_config(Path("slots-lstm"))
    config["trainer"]["epochs"] = 1
    metrics = fit(config, rows, tmp_path / "run").metrics["slots"]
    names_of_words = {"slot_precision", "slot_recall", "slot_f1", "slot_argmax_f1", "slot_word_accuracy"}
    assert names_of_words | {"token_accuracy", "loss"} <= set(metrics)
    assert not {"sequence_accuracy", "perplexity"} & set(metrics)
    assert all(0 <= metrics[name] <= 1 for name in metrics if name.startswith("slot_"))


def test_argmax_keeps_ludwigs_tags(tmp_path: Path) -> None:
    config = read_config(Path("slots-lstm"))
    config["trainer"]["epochs"] = 1
    fitted = fit(config, demo_rows(60), tmp_path / "run", slot_decoding="argmax")
    assert "slot_argmax_f1" not in fitted.metrics["slots"]
    assert json.loads((fitted.folder / "training.json").read_text())["decoding"] == {"slots": "argmax"}


def test_the_current_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match="contains the current folder: choose another one"):
        fit(tiny_config(), tiny(), Path())


def test_only_runs_are_replaced_and_only_with_overwrite(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(tiny_config(), tiny(), run)
    (run / "note.txt").write_text("mine")
    with pytest.raises(
        TrainingError, match="run already exists: choose another folder with --output, or replace it with --force"
    ):
        fit(tiny_config(), tiny(), run)
    assert "note.txt" in names(run)
    fit(tiny_config(), tiny(), run, seed=3, overwrite=True)
    assert "compared" in json.loads((run / "evaluation" / "metrics.json").read_text())
    assert "note.txt" not in names(run)
    assert json.loads((run / "training.json").read_text())["seed"] == 3
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trainer": {"epoch": 1}}, "rejects this configuration: 'epoch' in trainer (did you mean 'epochs'?)"),
        (
            {"input_features": [{"name": "text", "type": "text", "encoder": {"type": "nonsense"}}]},
            "rejects this configuration: 'nonsense' is not known here",
        ),
        ({"input_features": [{"name": "text", "type": "text", "preprocessing": {"tokenizer": "ngrams"}}]}, "ngrams"),
        ({"input_features": [{"name": "text", "type": "text", "encoder": None}]}, "cannot train this"),
    ],
    ids=["unknown setting", "unknown encoder", "unknown tokenizer", "no encoder"],
)
def test_a_configuration_that_ludwig_rejects_writes_nothing(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"^Ludwig ") as caught:
        fit(tiny_config(**changes), tiny(), tmp_path / "run")
    assert reason in str(caught.value)
    assert names(tmp_path) == []


def test_an_invalid_configuration_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(TINY_CONFIG.replace("epochs: 5", "epochs: many"))
    tiny().to_json(tmp_path / "data.json", orient="records")
    arguments = ["--config", str(tmp_path / "config.yaml"), "--dataset", str(tmp_path / "data.json")]
    assert main(["fit", *arguments, "--output", str(tmp_path / "run")]) == 1
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if "half a minute" not in line]
    assert out == ""
    assert len(errors) == 1
    assert errors[0].startswith("error: Ludwig rejects this configuration: ")
    assert "'many' is not of type 'integer'" in errors[0]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_training_that_fails_immediately_keeps_the_old_run(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No epoch was finished, so Ludwig's files are deleted."""
    import ludwig.api

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.json").write_text("old")

    def break_off(model: Any, model_resume_path: str, **options: Any) -> None:
        Path(model_resume_path, "half-written").mkdir(parents=True)
        raise error

    monkeypatch.setattr(ludwig.api.LudwigModel, "train", break_off)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else TrainingError):
        fit(tiny_config(), tiny(), tmp_path / "run", overwrite=True)
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "training.json").read_text() == "old"


def test_warnings_about_the_rows_come_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pd.DataFrame({"text": [f"word {number}" for number in range(16)], "intent": ["a"] * 9 + ["b"] * 7})
    fit(tiny_config(), rows, tmp_path / "run")
    said = capsys.readouterr().err
    for told in (
        "Only 16 rows: a model needs hundreds, and its metrics will be imprecise.",
        "2 of 2 values of 'intent' have fewer than 10 rows, too few to learn well: a (9), b (7).",
        "Only 3 validation rows: the choice of the best epoch is mostly chance.",
    ):
        assert told in said
    assert said.index("too few to learn well") < said.index("Loading Ludwig") if "Loading Ludwig" in said else True


def test_a_split_without_test_rows_is_measured_on_validation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tiny().assign(split=[0] * 40 + [1] * 20)
    fit(tiny_config(), rows, tmp_path / "run")
    assert "No test rows (split 2)" in capsys.readouterr().err
    metrics = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    assert (metrics["rows"], metrics["source"][:20]) == (20, "the validation split")


def test_thresholds_are_fitted_on_request(tmp_path: Path) -> None:
    strange = pd.DataFrame({"text": ["hello bye"] * 8, "intent": ["oos"] * 8, "split": [0, 1, 1, 1, 2, 2, 2, 2]})
    rows = pd.concat([tiny(), strange], ignore_index=True)
    config = tiny_config(trainer={"epochs": 8, "batch_size": 8, "learning_rate": 0.01})
    run = tmp_path / "run"
    fit(config, rows, run, thresholds=ThresholdOptions(out_of_scope="oos"))
    thresholds = json.loads((run / "thresholds.json").read_text())["intent"]
    assert 0 < thresholds["default"] <= 1
    assert thresholds["measured"]["validation"]["out_of_scope"] == 4
    assert thresholds["measured"]["test"] == {
        "rows": 14,
        "answered": 10,
        "coverage": 1.0,
        "accuracy": 1.0,
        "out_of_scope": 4,
        "refused": 4,
    }
    metadata = json.loads((run / "model" / "training_set_metadata.json").read_text())
    assert set(metadata["intent"]["idx2str"]) == {"greet", "leave"}
    assert "oos" not in (run / "evaluation" / "predictions.jsonl").read_text()
    assert json.loads((run / "training.json").read_text())["rows"] == 60


def test_outputs_of_other_types_have_ludwigs_metrics(tmp_path: Path) -> None:
    outputs = [{"name": "polite", "type": "binary"}, {"name": "words", "type": "number"}]
    rows = tiny().assign(polite=["yes", "no"] * 30, words=["2", "2.5"] * 30)
    metrics = fit(tiny_config(output_features=outputs), rows, tmp_path / "run").metrics
    assert (set(metrics), metrics["words"]["loss"] > 0) == ({"polite", "words"}, True)
    evaluation = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    assert (evaluation["outputs"], evaluation["ludwig"]) == ({}, metrics)
    assert "nothing to plot" in (tmp_path / "run" / "evaluation" / "report.html").read_text()
    answers = (tmp_path / "run" / "evaluation" / "predictions.jsonl").read_text().splitlines()
    assert {"polite", "polite_predictions", "words_predictions"} <= json.loads(answers[0]).keys()


def test_a_language_always_gets_a_threshold_and_its_words(tmp_path: Path) -> None:
    config = tiny_config(output_features=[{"name": "language", "type": "category"}])
    run = tmp_path / "run"
    fit(config, tiny().rename(columns={"intent": "language"}), run)
    fitted = json.loads((run / "thresholds.json").read_text())["language"]
    assert (fitted["fitted"]["accuracy"], fitted["default"] >= 0.5) == (0.98, True)
    assert set(fitted["measured"]) == {"validation", "test"}
    bundle = export_model(load_model(run), tmp_path / "language")
    (output,) = bundle.outputs
    assert isinstance(output, CategoryOutput)
    assert output.evidence is not None
    assert msgspec.to_builtins(output.evidence) == fitted["evidence"]
    assert set(fitted["evidence"]["words"]) <= set(output.labels)
    assert bundle.parity.passed
    expected = json.loads((run / "expected.json").read_text())["language"]
    assert msgspec.to_builtins(output.expected) == expected
    validated = fitted["measured"]["validation"]["rows"]
    assert sum(expected["labels"].values()) == sum(expected["confidence"]) == validated


def test_thresholds_without_a_category_are_rejected(tmp_path: Path) -> None:
    config = tiny_config(output_features=[{"name": "polite", "type": "binary"}])
    rows = tiny().assign(polite=["yes", "no"] * 30)
    with pytest.raises(ConfigError, match="Only a category can have a threshold, but the outputs are of type binary"):
        fit(config, rows, tmp_path / "run", thresholds=ThresholdOptions(0.9))


def test_tags_that_do_not_match_the_words_are_rejected(tmp_path: Path) -> None:
    rows = demo_rows(20)
    rows.loc[3, "slots"] = "O"
    with pytest.raises(DatasetError, match="row 4: "):
        fit(read_config(Path("slots-lstm")), rows, tmp_path / "run")
    assert names(tmp_path) == []


def test_spaces_around_labels_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The metrics and thresholds of `fit` and `evaluate` stay the same."""
    config = tiny_config(trainer={"epochs": 8, "batch_size": 8, "learning_rate": 0.01})
    spaced = tiny().assign(
        intent=[f" {label}" if number % 2 else label for number, label in enumerate(tiny()["intent"])]
    )
    found = {}
    for name, rows in (("clean", tiny()), ("spaced", spaced)):
        run = fit(config, rows, tmp_path / name, thresholds=ThresholdOptions(0.9))
        metadata = json.loads((run.folder / "model" / "training_set_metadata.json").read_text())
        found[name] = (
            run.metrics["intent"]["accuracy"],
            json.loads((run.folder / "thresholds.json").read_text())["intent"]["measured"]["test"]["accuracy"],
            sorted(metadata["intent"]["idx2str"]),
        )
    assert found["spaced"] == found["clean"] == (1.0, 1.0, ["greet", "leave"])
    assert "'intent': removed extra white space in 30 rows, such as ' leave'." in capsys.readouterr().err
    spaced.to_csv(tmp_path / "new.csv", index=False)
    asked = ["--dataset", str(tmp_path / "new.csv"), "--output", str(tmp_path / "evaluation")]
    assert main(["evaluate", str(tmp_path / "spaced"), *asked]) == 0
    assert json.loads(capsys.readouterr().out)["intent"]["accuracy"] == 1.0


def test_names_that_ludwig_replaces_are_rejected_before_it_loads(tmp_path: Path) -> None:
    config = tiny_config(output_features=[{"name": "user.intent", "type": "category"}])
    with pytest.raises(ConfigError, match=r"The name 'user\.intent' has \., which Ludwig replaces"):
        fit(config, tiny().rename(columns={"intent": "user.intent"}), tmp_path / "run")
    assert names(tmp_path) == []
