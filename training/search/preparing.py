"""Prepare a search: check its options and its folder, deal the rows into folds, and read the trials so far."""

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.features import column_of
from handler.extras import how_to_install
from handler.outputs import Decoding
from training.choice.folds import deal, without_test
from training.config import Config, text_column, without_paths
from training.dataset import dataset_sha256, prepare, tell_weaknesses
from training.errors import TrainingError
from training.out_of_scope import out_of_scope
from training.search.results import BEST, TRIALS, Results, differences, read_results
from training.search.running import Setting
from training.search.section import Section, read_section
from training.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

NEVER = -1
"""The value of trainer.early_stop that trains all epochs."""


@dataclass(frozen=True)
class SearchOptions:
    """Options of `search`.

    Attributes:
        trials: Number of trials instead of the section's `num_samples`; None for the section's.
        budget_minutes: Time limit in minutes; None for the section's `time_budget_s`, or none.
        seed: Seed of the folds, of each training and of the suggestions.
        slot_decoding: How word tags become slots.
        augment: How many changed copies of each training row to train on as well.
        out_of_scope: Label of rows that the bot cannot answer, which the search leaves out.
        address: Address of the head node of a Ray cluster; None searches on this machine.
        cpus: Number of CPUs of the cluster to reserve for each trial.
        gpus: Number of GPUs of the cluster to reserve for each trial.
    """

    trials: int | None = None
    budget_minutes: float | None = None
    seed: int = 42
    slot_decoding: Decoding = "viterbi"
    augment: int = 0
    out_of_scope: str | None = None
    address: str | None = None
    cpus: int = 1
    gpus: int = 0


def check_search(config: Config, folder: Path, options: SearchOptions, *, overwrite: bool) -> Section:
    """Check that a search can start, without reading the rows.

    Args:
        config: The configuration, with a section `hyperopt`.
        folder: The output folder.
        options: How to search.
        overwrite: Whether to discard an earlier search in the folder.

    Returns:
        The section.

    Raises:
        ConfigError: The section is missing or invalid.
        TrainingError: Optuna is not installed, or the folder contains something else.
    """
    section = read_section(config, on_cluster=options.address is not None, samples=options.trials)
    if find_spec("optuna") is None:
        raise TrainingError(f"A search needs Optuna, which is not installed: {how_to_install('training')}.")
    is_search = (folder / TRIALS).is_file()
    if folder.exists() and not is_search and (not folder.is_dir() or any(folder.iterdir())):
        raise TrainingError(f"{folder} exists and does not contain a search: choose another folder with --output.")
    if is_search and not overwrite:
        read_results(folder)
    return section


def setting_of(
    config: Config, section: Section, dataset: "pd.DataFrame", options: SearchOptions, entities: bytes | None
) -> Setting:
    """Return what all trainings share.

    Args:
        config: The configuration, without its section `hyperopt`.
        section: The section.
        dataset: The rows; only usable ones are kept, without test rows.
        options: How to search.
        entities: The vocabulary of entities.

    Raises:
        DatasetError: The rows do not match the configuration.
    """
    inside, _ = out_of_scope(config, dataset, options.out_of_scope, options.seed)
    prepared, rows = prepare(config, inside, validated=False)
    tell_weaknesses(prepared, rows)
    rows = without_test(rows).reset_index(drop=True)
    label = next(column_of(each) for each in config["output_features"] if each["name"] == section.output)
    return Setting(
        section=section,
        rows=rows,
        folds=deal(rows, text_column(config), label, options.seed),
        seed=options.seed,
        slot_decoding=options.slot_decoding,
        augment=options.augment,
        entities=entities if options.augment else None,
        validated=config.get("trainer", {}).get("early_stop") != NEVER,
    )


def claimed(config: Config, setting: Setting, folder: Path, workspace: Workspace, *, overwrite: bool) -> Results:
    """Return the results so far, and write empty ones for a new search.

    Args:
        config: The configuration, without its section `hyperopt`.
        setting: What all trainings share.
        folder: The output folder.
        workspace: The folder for the trainings, which a new search clears.
        overwrite: Whether to discard an earlier search.

    Raises:
        TrainingError: The folder contains a search with other settings.
    """
    settings = _settings(config, setting)
    found = None if overwrite else read_results(folder)
    if found is None:
        workspace.clear()
        answered = sum(map(len, setting.folds))
        section = setting.section
        results = Results(settings, section.output, section.metric, section.goal, answered, len(setting.folds))
        results.write(folder)
        (folder / BEST).unlink(missing_ok=True)
        return results
    if changed := differences(found.settings, settings):
        raise TrainingError(
            f"{folder} contains a search with other settings ({', '.join(changed)}): use its settings to continue it, "
            "choose another --output, or discard it with --force."
        )
    if found.trials:
        say(f"Continuing the search in {folder}, which has {len(found.trials)} finished trials.")
    return found


def _settings(config: Config, setting: Setting) -> dict[str, Any]:
    """Return everything that determines the trials; their number and the time limit only determine when it ends."""
    section, augment = setting.section, setting.augment
    parameters = {each.name: {**each.__dict__, "values": list(each.values)} for each in section.parameters}
    return {
        "configuration": sha256(json.dumps(without_paths(config), sort_keys=True, default=str).encode()).hexdigest(),
        "rows": dataset_sha256(setting.rows),
        "parameters": parameters,
        "objective": f"{section.goal} {section.metric} of {section.output}",
        "sampler": section.sampler,
        "pruner": section.pruner,
        "seed": setting.seed,
        "--slot-decoding": setting.slot_decoding,
        "--augment": augment,
        "entities": sha256(setting.entities or b"").hexdigest() if augment else "",
    }
