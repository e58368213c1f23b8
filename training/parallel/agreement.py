"""Checks that all workers train the same: settings that can be shared, equal rows, and equal decisions."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from training.errors import ConfigError, WorkerError
from training.frozen import CACHED, is_cached
from training.parallel.team import Team


def check_settings(config: Mapping[str, Any], workers: int) -> None:
    """Check that several workers can share a training.

    Args:
        config: A complete configuration, with Ludwig's defaults.
        workers: Number of workers.

    Raises:
        ConfigError: They cannot.
    """
    trainer = config["trainer"]
    size = trainer["batch_size"]
    if not isinstance(size, int):
        raise ConfigError(
            f"{workers} workers share batches of a fixed size, but with `trainer.batch_size: {size}` Ludwig finds one "
            f"by trial: set it to a number, for example {32 * workers}."
        )
    if size < workers:
        raise ConfigError(
            f"{workers} workers share each batch, but trainer.batch_size is {size}: set it to {workers} or more, or "
            f"start at most {size} workers."
        )
    if is_cached(config):
        raise ConfigError(
            f"The configuration sets `{CACHED}: true`: its encoder runs once for each row before the training, which "
            "then takes little time, so several workers would not make it faster. Train it without --workers."
        )
    if (optimizer := trainer["optimizer"]["type"]) == "lbfgs":
        raise ConfigError(f"The optimizer {optimizer} cannot share its steps: choose another one, such as adam.")
    if (balancing := trainer.get("loss_balancing") or "none") != "none":
        raise ConfigError(f"`loss_balancing: {balancing}` works only on one worker: train without --workers.")


def agreement(team: Team, seed: int) -> Any:
    """Return a Ludwig callback that keeps the workers equal.

    It checks that all read the same rows, gives each worker its own dropout, and hands out the first worker's decisions
    after each evaluation: the learning rates and the size of the batches. The decision to stop is Ludwig's own, which
    asks all workers.

    Args:
        team: The workers.
        seed: The seed of the training.
    """
    import torch
    from ludwig.callbacks import Callback

    class Agreement(Callback):  # type: ignore[misc]
        seeded = False

        def on_preprocess_end(self, *datasets_and_metadata: Any, **kwargs: Any) -> None:
            *datasets, metadata = datasets_and_metadata
            check_equal(team.of_all(digest(datasets, metadata)))

        def on_epoch_start(self, *args: Any, **kwargs: Any) -> None:
            # Ludwig has just set the same seed everywhere; the first worker keeps it, like a training on one worker.
            if not self.seeded and not team.is_first:
                torch.manual_seed(seed + team.rank)
            self.seeded = True

        def on_eval_end(self, trainer: Any, progress_tracker: Any, save_path: str, **kwargs: Any) -> None:
            groups = trainer.optimizer.param_groups
            rates, size = team.from_first(([group["lr"] for group in groups], progress_tracker.batch_size))
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate
            progress_tracker.batch_size = size

    return Agreement()


def digest(datasets: Iterable[Any], metadata: Mapping[str, Any]) -> str:
    """Return a digest of preprocessed rows and of the vocabularies that they refer to.

    Args:
        datasets: Ludwig's datasets, or None, each with `dataset`: arrays by column.
        metadata: Ludwig's metadata of the training set.
    """
    found = hashlib.sha256()
    for dataset in datasets:
        for name, column in sorted((dataset.dataset if dataset is not None else {}).items()):
            column = np.ascontiguousarray(column)
            content = repr(column.tolist()).encode() if column.dtype == object else column.tobytes()
            found.update(f"{name} {column.shape} {column.dtype} ".encode() + content)
    words = {name: part.get("idx2str") for name, part in sorted(metadata.items()) if isinstance(part, dict)}
    found.update(json.dumps(words, default=str).encode())
    return found.hexdigest()


def check_equal(digests: list[str]) -> None:
    """Check that all workers have the same rows.

    Raises:
        WorkerError: One has not.
    """
    others = [str(rank) for rank, found in enumerate(digests) if found != digests[0]]
    if others:
        raise WorkerError(
            f"The rows of worker {', '.join(others)} differ from those of worker 0 after preprocessing: give all "
            "workers the same dataset, options and version of ludwig-serverless."
        )
