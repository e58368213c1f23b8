"""Hyperparameter search: pass the configuration's section `hyperopt` to Ludwig, which searches with Ray Tune.

The output folder contains `best.yaml`, a configuration to train, and `trials.json`, the parameters and the score of
each trial, the best first.
"""

import copy
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from export.console import say
from export.ludwig_library import import_ludwig
from handler.extras import how_to_install
from training.config import Config, with_fixed_split
from training.dataset import prepare, tell_weaknesses, with_split
from training.errors import ConfigError, TrainingError
from training.linear_start import asking_outputs
from training.schema import check_shape, complete_config
from training.sizing import sized
from training.slots import ludwig_rows
from training.tag_vectors import feature_with_context
from training.token_vectors import asking_feature

if TYPE_CHECKING:
    import pandas as pd

SECTION = "hyperopt"
BEST, TRIALS = "best.yaml", "trials.json"
PACKAGES = ("ray", "dask")


def check_search(config: Config, folder: Path, *, overwrite: bool) -> None:
    """Check that a search can start.

    Args:
        config: The configuration, with a section `hyperopt`.
        folder: The output folder.
        overwrite: Whether to replace the folder of an earlier search.

    Raises:
        ConfigError: The configuration has no parameters to try.
        TrainingError: Ray is not installed, or the folder exists.
    """
    section = config.get(SECTION)
    if not isinstance(section, dict) or not section.get("parameters"):
        raise ConfigError(
            f"--hyperopt needs a section {SECTION!r} with parameters in the configuration, for example "
            "`hyperopt: {goal: maximize, metric: accuracy, output_feature: intent, parameters: {trainer.learning_rate: "
            "{space: choice, categories: [0.01, 0.001]}}, executor: {num_samples: 2}}`."
        )
    if any(find_spec(name) is None for name in PACKAGES):
        raise TrainingError(f"A search needs Ray, which is not installed: {how_to_install('ray')}.")
    if folder.exists() and any(folder.iterdir()) and not ((folder / TRIALS).is_file() and overwrite):
        remedy = "replace it with --force" if (folder / TRIALS).is_file() else "it does not contain a search"
        raise TrainingError(f"{folder} already exists: choose another folder with --output ({remedy}).")


def search(config: Config, dataset: "pd.DataFrame", folder: Path, *, seed: int = 42, overwrite: bool = False) -> Path:
    """Run a hyperparameter search and write its results.

    Args:
        config: The configuration, with a section `hyperopt`.
        dataset: The rows.
        folder: The output folder.
        seed: Seed of the split and of the trials.
        overwrite: Whether to replace the folder of an earlier search.

    Returns:
        Path of the best configuration, `best.yaml`.

    Raises:
        ConfigError: The configuration is invalid.
        TrainingError: The search cannot start, Ludwig fails, or no trial has a score.
    """
    check_search(config, folder, overwrite=overwrite)
    check_shape(config)
    if feature_with_context(config) or asking_feature(config) or asking_outputs(config):
        raise ConfigError(
            "--hyperopt does not support configurations that start from a linear model: run `fit` without it."
        )
    config, dataset = prepare(config, dataset)
    config = sized(config, dataset)
    tell_weaknesses(config, dataset)
    api = import_ludwig()
    from ludwig.hyperopt.run import hyperopt

    workspace = folder.absolute().with_name(f".{folder.name}-search")
    shutil.rmtree(workspace, ignore_errors=True)
    try:
        plain = {name: section for name, section in config.items() if name != SECTION}
        full = complete_config(api, config)
        rows = ludwig_rows(full, with_split(full, dataset, seed))
        found = hyperopt(
            with_fixed_split(config),
            dataset=rows,
            output_directory=str(workspace),
            backend="local",
            random_seed=seed,
            skip_save_log=True,
        )
    except TrainingError:
        raise
    except Exception as error:  # Ludwig, Ray and their libraries raise many types
        raise TrainingError(f"Ludwig's search failed: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    trials = [{"score": float(trial.metric_score), "parameters": trial.parameters} for trial in found.ordered_trials]
    return _write(folder, plain, [trial for trial in trials if trial["score"] == trial["score"]])


def _write(folder: Path, config: Config, trials: list[dict[str, Any]]) -> Path:
    """Write the best configuration and all trials. Returns the path of the configuration."""
    from ludwig.hyperopt.utils import substitute_parameters

    if not trials:
        raise TrainingError("No trial finished with a score: see Ray's messages above.")
    best = substitute_parameters(copy.deepcopy(config), trials[0]["parameters"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRIALS).write_text(json.dumps(trials, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    path = folder / BEST
    path.write_text(yaml.safe_dump(best, sort_keys=False, allow_unicode=True), encoding="utf-8")
    say(f"Best of {len(trials)} trials: {trials[0]['parameters']}, score {trials[0]['score']:.4f}.")
    return path
