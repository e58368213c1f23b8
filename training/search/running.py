"""Run the trainings of trials: each one trains on all folds except one, and answers that fold.

A runner starts trainings and returns their answers as they finish. `LocalRunner` runs them one after another in this
process; `ClusterRunner` in `on_cluster.py` runs them on the workers of a Ray cluster.
"""

import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from handler.outputs import Decoding
from training.choice.folds import Fold
from training.choice.trials import try_fold
from training.config import Config
from training.errors import TrainingError
from training.evaluation.answers import Records
from training.search.scoring import trimmed
from training.search.section import Section

if TYPE_CHECKING:
    import pandas as pd


class Answers(NamedTuple):
    """The result of one training.

    Attributes:
        trial: Number of the trial.
        records: The answers to the fold, without the messages; empty after an error.
        seconds: Duration of the training.
        error: Why it failed; "".
    """

    trial: int
    records: Records
    seconds: float
    error: str


@dataclass(frozen=True)
class Setting:
    """What all trainings of a search share.

    Attributes:
        section: The section `hyperopt`.
        rows: Rows that `prepare` returned, without test rows.
        folds: The folds; each is answered by a model that was not trained on it.
        seed: Seed of each training.
        slot_decoding: How word tags become slots.
        augment: How many changed copies of each training row to train on as well.
        entities: The vocabulary of entities, whose words are values for the copies.
        validated: Whether a tenth of the training rows are validation rows, for configurations that stop early.
    """

    section: Section
    rows: "pd.DataFrame"
    folds: list[Fold]
    seed: int
    slot_decoding: Decoding
    augment: int
    entities: bytes | None
    validated: bool


class Runner(Protocol):
    """Runs trainings."""

    @property
    def slots(self) -> int:
        """Number of trainings that it runs at once."""

    def start(self, trial: int, fold: int, config: Config) -> None:
        """Start the training of a trial for a fold."""

    def next(self) -> Answers:
        """Wait until a training has finished, and return its answers."""

    def forget(self, trial: int) -> None:
        """Remove what the runner stores of a finished trial."""


class LocalRunner:
    """Runs trainings in this process, one at a time. Finished folds of an interrupted trial are kept."""

    slots = 1

    def __init__(self, setting: Setting, workspace: Path) -> None:
        """Remove trainings that did not finish: resumed from a checkpoint, they could end differently.

        Args:
            setting: What all trainings share.
            workspace: Folder for the trainings.
        """
        self._setting, self._workspace = setting, workspace
        self._waiting: deque[tuple[int, int, Config]] = deque()
        for unfinished in workspace.glob(".*-training"):
            shutil.rmtree(unfinished)

    def start(self, trial: int, fold: int, config: Config) -> None:
        """Put a training into the queue."""
        self._waiting.append((trial, fold, config))

    def next(self) -> Answers:
        """Run the next training of the queue."""
        trial, fold, config = self._waiting.popleft()
        return answer_fold(self._setting, trial, fold, config, self._workspace)

    def forget(self, trial: int) -> None:
        """Remove the stored answers of a finished trial."""
        for path in self._workspace.glob(f"trial-{trial}-*"):
            path.unlink()


def answer_fold(setting: Setting, trial: int, fold: int, config: Config, workspace: Path) -> Answers:
    """Train a trial's configuration without a fold, and answer that fold.

    Args:
        setting: What all trainings share.
        trial: Number of the trial.
        fold: Index of the fold.
        config: The configuration with the trial's values.
        workspace: Folder for the training.
    """
    try:
        found = try_fold(
            config,
            setting.rows,
            setting.folds[fold],
            workspace / f"trial-{trial}-{fold + 1}",
            seed=setting.seed,
            slot_decoding=setting.slot_decoding,
            augment=setting.augment,
            entities=setting.entities,
            validated=setting.validated,
            with_baseline=False,
        )
    except TrainingError as error:
        return Answers(trial, [], 0.0, str(error))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a value may break Ludwig anywhere; the other trials can still run
        return Answers(trial, [], 0.0, f"{type(error).__name__}: {error}")
    return Answers(trial, trimmed(setting.section, found.records), found.seconds, "")
