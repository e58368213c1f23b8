"""Train a model with Ludwig: progress while it runs, metrics at its end, and a record of what was done."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.ludwig_library import import_ludwig
from export.model import TRAINING_RECORD
from training.config import SPLIT, Config
from training.dataset import TEST, dataset_sha256, prepare
from training.errors import TrainingError
from training.slots import spread_tags

if TYPE_CHECKING:
    import pandas as pd
    from ludwig.api import LudwigModel

MODEL = "model"
MAIN_METRIC = {"category": "accuracy", "sequence": "token_accuracy"}


@dataclass(frozen=True)
class Fitted:
    """A finished training: the run's folder, and its metrics by output feature."""

    folder: Path
    metrics: dict[str, dict[str, float]]


def fit(config: Config, dataset: "pd.DataFrame", folder: Path, *, seed: int = 42, overwrite: bool = False) -> Fitted:
    """Train a model into a run's folder: `model/` as Ludwig saves it, and `training.json`, the record of the run.

    Raises TrainingError if the folder is taken, ConfigError or DatasetError if configuration and rows do not fit.
    """
    check_output(folder, overwrite=overwrite)
    config, dataset = prepare(config, dataset)
    api = import_ludwig(cpu_only=False)
    started = time.monotonic()
    workspace = folder.absolute().with_name(f".{folder.name}-training")
    shutil.rmtree(workspace, ignore_errors=True)
    try:
        with _failures_explained():
            model = api.LudwigModel(config, backend=config.get("backend", "local"), callbacks=[_progress(config)])
        rows = spread_tags(model.config_obj.to_dict(), dataset)
        names = ", ".join(feature["name"] for feature in config["output_features"])
        say(f"Training {names} on {len(rows)} rows ...")
        with _failures_explained():
            results = model.train(
                dataset=rows,
                output_directory=str(workspace),
                random_seed=seed,
                skip_save_processed_input=True,
                skip_save_log=True,
            )
            metrics = _test_metrics(model, config, rows, results)
        record = {
            "config": _without_paths(config),
            "dataset_sha256": dataset_sha256(dataset),
            "rows": len(dataset),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
            "metrics": metrics,
        }
        _save(Path(results.output_directory), folder, record)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    return Fitted(folder, metrics)


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Raise TrainingError if a run's folder is taken; only a run is ever replaced."""
    if folder.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise TrainingError(f"{folder} holds the folder that you are in: give another one, as --output runs/intent.")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / TRAINING_RECORD).is_file():
        raise TrainingError(f"{folder} exists and is no run of `training fit`: give another folder with --output.")
    if not overwrite:
        raise TrainingError(f"{folder} exists: give another folder with --output, or --overwrite to replace it.")


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Ludwig, and the libraries under it, raise all kinds
        raise TrainingError(f"Ludwig cannot train this: {type(error).__name__}: {error}") from error


def _progress(config: Config) -> Any:
    """Return a Ludwig callback that prints a line for each evaluation."""
    from ludwig.callbacks import Callback

    epochs = config.get("trainer", {}).get("epochs", "?")
    started = time.monotonic()

    class Progress(Callback):  # type: ignore[misc]
        def on_eval_end(self, trainer: Any, progress_tracker: Any, save_path: str, **kwargs: Any) -> None:
            parts = [f"epoch {progress_tracker.epoch}/{epochs}"]
            for feature in config["output_features"]:
                name, metric = feature["name"], MAIN_METRIC.get(feature["type"], "loss")
                training = progress_tracker.train_metrics[name]
                validation = progress_tracker.validation_metrics[name]
                parts.append(f"{name}: loss {training['loss'][-1].value:.3f}")
                if validation.get(metric):
                    parts.append(f"validation {metric} {validation[metric][-1].value:.3f}")
            say(f"  {', '.join(parts)}  ({time.monotonic() - started:.0f} s)")

    return Progress()


def _test_metrics(
    model: "LudwigModel", config: Config, rows: "pd.DataFrame", results: Any
) -> dict[str, dict[str, float]]:
    """Return the metrics on rows that were not trained on: the test split, or the best of validation without one."""
    if SPLIT in rows and (rows[SPLIT] == TEST).any():
        test = rows[rows[SPLIT] == TEST].drop(columns=SPLIT).reset_index(drop=True)
        found, _, _ = model.evaluate(dataset=test, skip_save_eval_stats=True, skip_save_predictions=True)
        metrics = {feature["name"]: _numbers(found[feature["name"]]) for feature in config["output_features"]}
        for feature in config["output_features"]:
            if feature["type"] == "sequence":
                metrics[feature["name"]] |= _span_metrics(model, feature, test)
        return metrics
    statistics = results.train_stats.test or results.train_stats.validation
    return {
        feature["name"]: _numbers(
            {metric: values[-1] for metric, values in statistics.get(feature["name"], {}).items() if values}
        )
        for feature in config["output_features"]
    }


def _span_metrics(model: "LudwigModel", feature: Mapping[str, Any], test: "pd.DataFrame") -> dict[str, float]:
    """Return precision, recall and F1 of whole slots: accuracy of tokens counts padding, and flatters."""
    from seqeval.metrics import f1_score, precision_score, recall_score

    expected = [tags.split() for tags in test[feature.get("column", feature["name"])]]
    predictions, _ = model.predict(dataset=test, skip_save_predictions=True)
    answers = predictions[f"{feature['name']}_predictions"]
    found = [_word_tags(tags, len(row)) for tags, row in zip(answers, expected, strict=True)]
    return {
        "slot_precision": float(precision_score(expected, found, zero_division=0)),
        "slot_recall": float(recall_score(expected, found, zero_division=0)),
        "slot_f1": float(f1_score(expected, found, zero_division=0)),
    }


def _word_tags(tags: Sequence[str], count: int) -> list[str]:
    """Return the tags of a row's tokens, without `<SOS>`; special symbols, and tokens cut off, are outside."""
    answered = [tag if tag.startswith(("B-", "I-")) else "O" for tag in tags[1 : 1 + count]]
    return answered + ["O"] * (count - len(answered))


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))}
    return {name: value for name, value in numbers.items() if isfinite(value)}


def _without_paths(config: Config) -> Config:
    """Return a configuration whose pretrained models are named, not placed: a record travels to other machines."""
    record = json.loads(json.dumps(config))
    for feature in record["input_features"]:
        encoder = feature.get("encoder")
        name = encoder.get("pretrained_model_name_or_path") if isinstance(encoder, dict) else None
        if name and Path(name).is_absolute():
            encoder["pretrained_model_name_or_path"] = Path(name).name
    return dict(record)


def _save(ludwig_folder: Path, folder: Path, record: Mapping[str, Any]) -> None:
    """Move the finished run into place, so that a broken-off one never looks finished."""
    shutil.rmtree(ludwig_folder / MODEL / "training_checkpoints", ignore_errors=True)
    (ludwig_folder / TRAINING_RECORD).write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(ludwig_folder, folder)
