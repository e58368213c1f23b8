"""Choose a configuration for a dataset, and train it on all rows."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.rows import with_named_columns
from handler.outputs import Decoding
from training.choice.candidates import LEARNABLE, Candidate, Prefer, find_candidates
from training.choice.comparing import Contender, compare, described, tell
from training.choice.folds import deal, without_test
from training.choice.trials import Trial, try_fold
from training.config import SPLIT, Config, with_calibration
from training.dataset import TEST, TRAIN, out_of_scope, prepare
from training.errors import DatasetError
from training.evaluation.crossed import Crossed
from training.evaluation.thresholds import ThresholdOptions
from training.fit import Fitted, check_output, fit

if TYPE_CHECKING:
    import pandas as pd

TEXT, LANGUAGE, SLOTS = "text", "language", "slots"
MOSTLY = 0.8
ENGLISH = re.compile(r"\b(?:the|a|to|is|i|my|me|what|you|do|in|of|can|how|please|for)\b", re.IGNORECASE)
OFTEN = 0.4


@dataclass(frozen=True)
class ChoiceOptions:
    """How to choose.

    Attributes:
        prefer: `fast` tries light models only, `accurate` also those that take long.
        budget_minutes: For the trials and the last training together.
        calibrate: Whether probabilities of labels are calibrated.
        thresholds: What thresholds are fitted for, if they are.
        slot_decoding: How the tags of words become slots.
        seed: Of everything random.
    """

    prefer: Prefer = "balanced"
    budget_minutes: float = 10.0
    calibrate: bool = False
    thresholds: ThresholdOptions | None = None
    slot_decoding: Decoding = "viterbi"
    seed: int = 42


def choose_and_fit(
    learn: str, dataset: "pd.DataFrame", folder: Path, options: ChoiceOptions, *, overwrite: bool = False
) -> Fitted:
    """Compare the candidates for a dataset, train the best one on all rows, and write a run.

    Args:
        learn: `intent`, `slots` or `language`, a column of the dataset.
        dataset: Rows of any file; those that a column `split` keeps for the test (2) are never trained on.
        folder: The run's folder. Trials are kept in `.NAME-trials` beside it until the run is finished.
        options: How to choose.
        overwrite: Replace a run that is there.

    Returns:
        The finished run.

    Raises:
        DatasetError: If the rows cannot be learned from.
        TrainingError: If the folder is taken, or Ludwig fails.
    """
    check_output(folder, overwrite=overwrite)
    is_english = looks_english(dataset)
    label = options.thresholds.out_of_scope if options.thresholds else None
    first = _bare(learn)
    inside, outside = out_of_scope(first, dataset, label, options.seed)
    _, rows = prepare(first, inside, validated=False)
    trainable = without_test(rows).reset_index(drop=True)
    candidates, left = find_candidates(learn, len(trainable), is_english=is_english, prefer=options.prefer)
    trials = folder.absolute().with_name(f".{folder.name}-trials")
    trials.mkdir(parents=True, exist_ok=True)
    winner, choice = _compared(learn, candidates, trainable, trials, options, left)
    crossed = _crossed(winner, choice)
    say(f"Training {winner.candidate.config} on all {len(trainable)} rows ...")
    config = winner.candidate.read(len(trainable))
    import pandas as pd

    fitted = fit(
        with_calibration(config) if options.calibrate and learn != SLOTS else config,
        pd.concat([rows.assign(**{SPLIT: _parts(rows)}), outside], ignore_index=True),
        folder,
        seed=options.seed,
        overwrite=overwrite,
        thresholds=options.thresholds if learn == "intent" else None,
        slot_decoding=options.slot_decoding,
        crossed=crossed,
    )
    shutil.rmtree(trials, ignore_errors=True)
    return fitted


def what_to_learn(dataset: "pd.DataFrame", output: Path) -> str:
    """Return what a dataset teaches, where the user does not say: by its columns and the name of the output.

    Raises:
        DatasetError: If it has none of the columns that can be learned.
    """
    found = [name for name in LEARNABLE if name in with_named_columns(dataset, LEARNABLE)]
    if not found:
        raise DatasetError(
            f"The dataset has the columns {list(dataset.columns)}: expected {', '.join(LEARNABLE)}, or --config."
        )
    learn = output.name if output.name in found else found[0]
    if others := [name for name in found if name != learn]:
        say(f"Learning {learn}; for others, give --learn {' or --learn '.join(others)}.")
    return learn


def looks_english(dataset: "pd.DataFrame") -> bool:
    """Tell whether most texts are English: by the column `language`, or else by words that English sentences have."""
    rows = with_named_columns(dataset, [TEXT, LANGUAGE])
    if LANGUAGE in rows and (known := [str(each).casefold() for each in rows[LANGUAGE] if each]):
        return sum(each.startswith("en") for each in known) >= MOSTLY * len(known)
    if TEXT not in rows:
        return False
    texts = [str(each) for each in rows[TEXT] if each]
    return sum(each.isascii() and bool(ENGLISH.search(each)) for each in texts) >= OFTEN * len(texts)


def _compared(
    learn: str,
    candidates: list[Candidate],
    rows: "pd.DataFrame",
    trials: Path,
    options: ChoiceOptions,
    left: list[str],
) -> tuple[Contender, dict[str, Any]]:
    """Compare candidates on the folds of the rows. Returns the winner, and what was found."""
    folds = deal(rows, TEXT, learn, options.seed)

    def attempt(candidate: Candidate, number: int) -> Trial:
        return try_fold(
            candidate.read(len(rows) - len(folds[number])),
            rows,
            folds[number],
            trials / f"{candidate.config}-{number + 1}",
            seed=options.seed,
            slot_decoding=options.slot_decoding,
        )

    winner, contenders = compare(
        candidates, folds, attempt, budget_minutes=options.budget_minutes, prefer=options.prefer
    )
    choice = described(winner, contenders, learn=learn, prefer=options.prefer, left=left)
    tell(choice)
    return winner, choice


def _crossed(winner: Contender, choice: dict[str, Any]) -> Crossed:
    """Return the winner's answers of all rounds."""
    names = list(winner.trials[0].baselines)
    baselines = {name: [each for trial in winner.trials for each in trial.baselines[name]] for name in names}
    told = (
        "the training rows, each answered by a model of the same kind that was not trained on it: the final model has "
        "learned from all rows, so that none is left to measure it on"
    )
    return Crossed(winner.records, baselines, told, choice)


def _bare(learn: str) -> Config:
    """Return the features that every candidate for something has."""
    kind = "sequence" if learn == SLOTS else "category"
    return {
        "input_features": [{"name": TEXT, "type": "text"}],
        "output_features": [{"name": learn, "type": kind}],
    }


def _parts(rows: "pd.DataFrame") -> Any:
    """Return the split to train with: rows of the test stay there, all others are trained on."""
    return rows[SPLIT].where(rows[SPLIT] == TEST, TRAIN) if SPLIT in rows else TRAIN
