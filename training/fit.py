"""Train a model with Ludwig: report progress, evaluate the model, and write a record of the run.

After an interruption, the same command resumes from the last finished epoch (see training/workspace.py).
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from export.console import say
from export.decoding import DECODING
from export.expected import EXPECTED
from export.ludwig_library import import_ludwig
from export.model import TRAINING_RECORD
from export.thresholds import THRESHOLDS
from handler.outputs import Decoding
from handler.vocabulary import FILE
from training.config import SPLIT, Config, without_paths, without_search
from training.dataset import TRAIN, dataset_sha256, prepare, tell_weaknesses
from training.errors import TrainingError
from training.evaluation.calibration import set_temperatures
from training.evaluation.crossed import Crossed
from training.evaluation.evaluate import compare_with_replaced
from training.evaluation.expected import expected_answers
from training.evaluation.languages import threshold_options
from training.evaluation.thresholds import ThresholdOptions
from training.evaluation.trained import evaluate_training, slot_decoders, summaries, thresholds_of
from training.learning import train_in
from training.out_of_scope import out_of_scope
from training.parallel.team import Team
from training.progress import interruptible
from training.schema import check_shape
from training.sizing import sized
from training.workspace import MODEL, Workspace, write_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Fitted:
    """A finished run.

    Attributes:
        folder: The run's folder.
        metrics: Metrics by output feature.
    """

    folder: Path
    metrics: dict[str, dict[str, float]]


def fit(
    config: Config,
    dataset: "pd.DataFrame",
    folder: Path,
    *,
    seed: int = 42,
    overwrite: bool = False,
    thresholds: ThresholdOptions | None = None,
    slot_decoding: Decoding = "viterbi",
    crossed: Crossed | None = None,
    entities: bytes | None = None,
    augment: int = 0,
    team: Team | None = None,
) -> Fitted:
    """Train a model and write a run.

    A run contains `model/` as Ludwig saves it, `evaluation/` with the report, `training.json`, the record of the run,
    `thresholds.json` (thresholds) and `expected.json` (see `evaluation/`). An interrupted training with the same
    settings is resumed.

    Args:
        config: The configuration to train.
        dataset: The rows.
        folder: The run's folder.
        seed: Seed of the split and of the training.
        overwrite: Whether to replace an existing run.
        thresholds: Target of the confidence thresholds, if they are requested.
        slot_decoding: How word tags become slots, in the evaluation and, through the record, in the handler.
        crossed: Cross-validated predictions of the same configuration. With them, training uses all rows except the
            test split, and the predictions provide the thresholds, the calibration and, without a test split, the
            evaluation.
        entities: The vocabulary of entities that belongs to the rows, which export puts into the bundle.
        augment: How many changed copies of each training row to train on as well (see `augmentation.py`).
        team: The workers that share the training; each of them calls this function with the same arguments.

    Returns:
        The finished run. Only the first worker of a team writes one; on the others, there are no metrics.

    Raises:
        TrainingError: The folder exists, Ludwig fails, or a worker is lost.
        ConfigError: The configuration is invalid.
        DatasetError: The rows do not match the configuration.
    """
    check_output(folder, overwrite=overwrite)
    check_shape(config)
    config = without_search(config)
    dataset, outside = out_of_scope(config, dataset, thresholds.out_of_scope if thresholds else None, seed)
    config, dataset = prepare(config, dataset, validated=crossed is None)
    config = sized(config, dataset, augment)
    options_of = threshold_options(config, thresholds)
    tell_weaknesses(config, dataset)
    api = import_ludwig()
    record = {
        "config": without_paths(config),
        "dataset_sha256": dataset_sha256(dataset),
        "rows": len(dataset),
        "seed": seed,
    }
    if (background := outside[outside[SPLIT] == TRAIN]).size:
        record["out_of_scope_sha256"] = dataset_sha256(background)
    if augment:
        record |= {"augment": augment, "entities_sha256": sha256(entities or b"").hexdigest()}
    shared: dict[str, Any] = {"overwrite": overwrite, "validated": crossed is None, "entities": entities, "team": team}
    if team and not team.is_first:
        with interruptible() as interruption, TemporaryDirectory() as temporary, team.joined():
            train_in(Workspace(Path(temporary)), api, config, (dataset, outside), record, interruption, **shared)
        return Fitted(folder, {})
    workspace = Workspace.of_run(folder)
    with interruptible() as interruption, workspace.held(), kept_if_worthwhile(workspace):
        check_output(folder, overwrite=overwrite)  # another training may have finished while Ludwig loaded
        with team.joined() if team else nullcontext():
            training = train_in(workspace, api, config, (dataset, outside), record, interruption, **shared)
        if crossed is not None:
            crossed = crossed.calibrated(training.config)
            set_temperatures(training.model, crossed.temperatures, workspace.ludwig / MODEL)
            record |= {"choice": crossed.choice}
        decoders = slot_decoders(training.config, training.model.training_set_metadata)
        if decoders:
            record[DECODING] = dict.fromkeys(decoders, slot_decoding)
        if slot_decoding == "viterbi":
            training = replace(training, decoders=decoders)
        fitted = thresholds_of(training, options_of, crossed)
        evaluation = evaluate_training(training, workspace.ludwig, folder.name, fitted, crossed)
        compare_with_replaced(workspace.ludwig, folder)
        if fitted:
            write_json(workspace.ludwig / THRESHOLDS, evaluation["thresholds"])
        if expected := expected_answers(training, crossed):
            write_json(workspace.ludwig / EXPECTED, expected)
        if entities:
            (workspace.ludwig / FILE).write_bytes(entities)
        metrics = summaries(evaluation)
        record |= {"seconds": training.seconds, "metrics": metrics}
        check_output(folder, overwrite=overwrite)
        interruption.check()
        _finish(workspace, folder, record)
    return Fitted(folder, metrics)


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Check that a run may be written to a folder.

    Raises:
        TrainingError: The folder exists, and it is not a run or `overwrite` is False.
    """
    if folder.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise TrainingError(
            f"{folder} contains the current folder: choose another one, for example --output runs/intent."
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / TRAINING_RECORD).is_file():
        raise TrainingError(
            f"{folder} exists and is not a run of `ludwig-serverless fit`: choose another folder with --output."
        )
    if not overwrite:
        raise TrainingError(
            f"{folder} already exists: choose another folder with --output, or replace it with --force."
        )


@contextmanager
def kept_if_worthwhile(workspace: Workspace) -> Iterator[None]:
    """Print how to resume an interrupted training; remove its workspace if it did not finish an epoch."""
    before = workspace.checkpoint()
    try:
        yield
    except BaseException as error:
        checkpoint, interrupted = workspace.checkpoint(), isinstance(error, KeyboardInterrupt)
        if checkpoint is None:
            workspace.remove()
            if interrupted:
                say("Interrupted before the end of the first epoch: nothing is kept.")
        elif interrupted or checkpoint != before:
            why = "Interrupted after" if interrupted else "Failed after"
            say(f"{why} epoch {checkpoint.epoch}, which is kept: re-run the same command to resume.")
        raise


def _finish(workspace: Workspace, folder: Path, record: Mapping[str, Any]) -> None:
    """Move the finished run to its folder in one step, so that an interrupted one never looks finished."""
    shutil.rmtree(workspace.ludwig / MODEL / "training_checkpoints", ignore_errors=True)
    write_json(workspace.ludwig / TRAINING_RECORD, record)
    old = workspace.folder / "replaced"
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    workspace.ludwig.rename(folder)
    workspace.remove()
