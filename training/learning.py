"""Train a model with Ludwig in a workspace, from its checkpoint if it has one."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from export.console import say
from training.augmentation import with_copies
from training.config import Config, with_fixed_split
from training.dataset import with_split
from training.errors import TrainingError
from training.evaluation.calibration import keep_temperatures
from training.evaluation.trained import Training
from training.frozen import encode_in_small_batches, is_cached, with_encoders
from training.linear_start import asking_outputs, linear_start, without_linear_start
from training.out_of_scope import with_background
from training.parallel.agreement import agreement, check_settings
from training.parallel.team import Team
from training.progress import Interruption, watch
from training.schema import complete_config
from training.slots import ludwig_rows
from training.tag_vectors import tagger_start
from training.token_vectors import forget_files
from training.word_vectors import vectors_for
from training.workspace import MODEL, Workspace

if TYPE_CHECKING:
    import pandas as pd

VECTORS = "vectors"


def train_in(
    workspace: Workspace,
    api: Any,
    config: Config,
    rows: tuple["pd.DataFrame", "pd.DataFrame"],
    record: Mapping[str, Any],
    interruption: Interruption,
    *,
    overwrite: bool,
    validated: bool = True,
    entities: bytes | None = None,
    team: Team | None = None,
) -> Training:
    """Train in a workspace, from its checkpoint if it has one.

    Args:
        workspace: Where Ludwig writes; the caller must hold its lock.
        api: The module `ludwig.api`.
        config: A configuration that `prepare` and `sized` returned.
        rows: The rows to train on, and the out-of-scope rows.
        record: The settings of the training, with `seed`, and `augment` if rows are copied; a checkpoint with other
            settings is not resumed.
        interruption: Checked after each batch.
        overwrite: Whether to discard an interrupted training with other settings.
        validated: Whether the split needs validation rows.
        entities: The vocabulary of entities, whose words are values for the copies.
        team: The workers that share the training, which must be connected, or None to train alone. On workers other
            than the first, the workspace is a temporary one, and the model that is returned is not the best one.

    Raises:
        TrainingError: Ludwig fails, a worker is lost, or the workspace has a training with other settings.
    """
    dataset, outside = rows
    started = time.monotonic()
    is_first = team is None or team.is_first
    starting = asking_outputs(config)
    config = without_linear_start(config)
    with _failures_explained():
        full = complete_config(api, config)
        if team:
            check_settings(full, team.size)
        dataset = with_background(with_split(full, dataset, record["seed"], validated=validated), outside)
        copies = record.get("augment")
        learned = with_copies(full, dataset, copies, record["seed"], entities) if copies else dataset
        read = ludwig_rows(full, learned)
    if team:
        team.hand_out(workspace)
    checkpoint = workspace.begin(record, overwrite=overwrite)
    before = checkpoint.seconds if checkpoint else 0.0  # read now: later checkpoints replace this one
    names = ", ".join(feature["name"] for feature in config["output_features"])
    say(f"Training {names} on {len(read)} rows ...")
    if checkpoint:
        say(f"Resuming from epoch {checkpoint.epoch}; to train from the beginning, delete {workspace.folder}.")
    cached = is_cached(full)
    with _failures_explained():
        starts = [linear_start(starting)] if starting else tagger_start(config)
        vectors = vectors_for(config)
        if vectors is not None:
            config = vectors(config, read, workspace.folder / VECTORS)
        callbacks = [watch(config, workspace, checkpoint, interruption), *(starts if not checkpoint else [])]
        model = _model(api, config, callbacks, team, record["seed"])
        if cached:
            encode_in_small_batches(model)
        model.train(
            dataset=read,
            model_resume_path=str(workspace.ludwig),
            random_seed=record["seed"],
            skip_save_processed_input=True,
            skip_save_log=True,
            skip_save_model=not is_first,
            skip_save_progress=not is_first,
        )
        interruption.check()
        if is_first:
            keep_temperatures(model, workspace.ludwig / MODEL)
        if vectors is not None and is_first:
            forget_files(workspace.ludwig / MODEL)
        if cached:
            model = with_encoders(api, model, workspace.ludwig / MODEL)
    seconds = before + time.monotonic() - started
    return Training(model, model.config_obj.to_dict(), dataset, outside, round(seconds, 1))


def _model(api: Any, config: Config, callbacks: list[Any], team: Team | None, seed: int) -> Any:
    """Return an untrained Ludwig model, which shares its batches with the other workers of a team."""
    if team is None:
        return api.LudwigModel(with_fixed_split(config), backend=config.get("backend", "local"), callbacks=callbacks)
    from training.parallel.strategy import TeamBackend

    # Only the first worker's weights start as a linear model; the others receive them before the first step.
    callbacks = [*(callbacks if team.is_first else callbacks[:1]), agreement(team, seed)]
    return api.LudwigModel(with_fixed_split(config), backend=TeamBackend(team), callbacks=callbacks)


@contextmanager
def _failures_explained() -> Iterator[None]:
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:  # Ludwig and its libraries raise many types
        raise TrainingError(f"Ludwig cannot train this: {type(error).__name__}: {error}") from error
