"""Choose the best configuration for a dataset and train it on all rows."""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.rows import with_named_columns
from handler.outputs import Decoding
from training.choice.candidates import CANDIDATES, LEARNABLE, Candidate, Prefer, find_candidates
from training.choice.comparing import MINUTE, Contender, compare, described, tell
from training.choice.folds import deal, without_test
from training.choice.trials import Trial, try_fold
from training.config import SPLIT, Config, with_calibration
from training.dataset import TEST, TRAIN, prepare
from training.errors import DatasetError
from training.evaluation.crossed import Crossed
from training.evaluation.thresholds import ThresholdOptions
from training.fit import Fitted, check_output, fit
from training.out_of_scope import out_of_scope

if TYPE_CHECKING:
    import pandas as pd

TEXT, LANGUAGE, SLOTS = "text", "language", "slots"
MOSTLY = 0.8
ENGLISH = re.compile(r"\b(?:the|a|to|is|i|my|me|what|you|do|in|of|can|how|please|for)\b", re.IGNORECASE)
OFTEN = 0.4


@dataclass(frozen=True)
class ChoiceOptions:
    """Options of `choose_and_fit`.

    Attributes:
        prefer: `fast` tries only light models; `accurate` also tries those that take long to train.
        budget_minutes: Time limit for the trials and the final training together, in minutes.
        calibrate: Whether to calibrate the probabilities of labels.
        thresholds: Target of the confidence thresholds; None fits none.
        slot_decoding: How word tags become slots.
        seed: Seed of the folds and of each training.
        only: Name of the only candidate to train, whatever the rows and `prefer` are; "" compares all that suit.
        augment: How many changed copies of each training row to try: the best candidate is compared with itself plus
            copies, and the copies stay if they improve its answers to held-out rows, none of which is a copy.
    """

    prefer: Prefer = "balanced"
    budget_minutes: float = 10.0
    calibrate: bool = False
    thresholds: ThresholdOptions | None = None
    slot_decoding: Decoding = "viterbi"
    seed: int = 42
    only: str = ""
    augment: int = 0


def choose_and_fit(
    learn: str,
    dataset: "pd.DataFrame",
    folder: Path,
    options: ChoiceOptions,
    *,
    overwrite: bool = False,
    entities: bytes | None = None,
) -> Fitted:
    """Compare the candidates for a dataset, train the best one on all rows, and write a run.

    Args:
        learn: Column to predict: `intent`, `slots` or `language`.
        dataset: The rows. Test rows (2 in a column `split`) are never used for training.
        folder: The run's folder. Trials are stored in `.NAME-trials` next to it until the run is finished.
        options: How to choose.
        overwrite: Whether to replace an existing run.
        entities: The vocabulary of entities that belongs to the rows, which export puts into the bundle.

    Returns:
        The finished run.

    Raises:
        DatasetError: The rows cannot be used for training.
        TrainingError: The folder exists, or Ludwig fails.
    """
    check_output(folder, overwrite=overwrite)
    is_english = looks_english(dataset)
    label = options.thresholds.out_of_scope if options.thresholds else None
    first = _bare(learn)
    inside, outside = out_of_scope(first, dataset, label, options.seed)
    _, rows = prepare(first, inside, validated=False)
    trainable = without_test(rows).reset_index(drop=True)
    candidates, left = find_candidates(learn, len(trainable), is_english=is_english, prefer=options.prefer)
    if options.only:
        candidates, left = [each for each in CANDIDATES if each.config == options.only], []
    trials = folder.absolute().with_name(f".{folder.name}-trials")
    trials.mkdir(parents=True, exist_ok=True)
    winner, choice = _compared(learn, candidates, trainable, trials, options, left, entities)
    crossed = _crossed(winner, choice)
    say(f"Training {winner.candidate.name} on all {len(trainable)} rows ...")
    config = winner.candidate.read()
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
        entities=entities,
        augment=winner.candidate.augment,
    )
    shutil.rmtree(trials, ignore_errors=True)
    return fitted


def what_to_learn(dataset: "pd.DataFrame", output: Path) -> str:
    """Return the column to predict if the user does not specify one.

    Args:
        dataset: The rows.
        output: The run's folder; if its name is one of the columns, that column is chosen.

    Raises:
        DatasetError: The dataset has no column that a model can predict.
    """
    found = [name for name in LEARNABLE if name in with_named_columns(dataset, LEARNABLE)]
    if not found:
        raise DatasetError(
            f"The dataset has the columns {list(dataset.columns)}: expected {', '.join(LEARNABLE)}, or --config."
        )
    learn = output.name if output.name in found else found[0]
    if others := [name for name in found if name != learn]:
        say(f"Learning {learn}. For another column, add --learn {' or --learn '.join(others)}.")
    return learn


def looks_english(dataset: "pd.DataFrame") -> bool:
    """Return whether most texts are English, by the column `language` or, without it, by common English words."""
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
    entities: bytes | None,
) -> tuple[Contender, dict[str, Any]]:
    """Compare candidates on the folds of the rows; return the winner and the comparison's result."""
    started, folds = time.monotonic(), deal(rows, TEXT, learn, options.seed)

    def attempt(candidate: Candidate, number: int) -> Trial:
        return try_fold(
            candidate.read(),
            rows,
            folds[number],
            trials / f"{candidate.name.replace(' ', '')}-{number + 1}",
            seed=options.seed,
            slot_decoding=options.slot_decoding,
            augment=candidate.augment,
            entities=entities,
        )

    winner, contenders = compare(
        candidates, folds, attempt, budget_minutes=options.budget_minutes, prefer=options.prefer
    )
    if options.augment:
        pair = [winner.candidate, winner.candidate.augmented(options.augment)]
        left_minutes = options.budget_minutes - (time.monotonic() - started) / MINUTE
        # The winner's trials are stored, so only those with copies take time.
        others = [each for each in contenders if each is not winner]
        winner, both = compare(pair, folds, attempt, budget_minutes=left_minutes, prefer=options.prefer)
        contenders = [*others, *both]
    choice = described(winner, contenders, learn=learn, prefer=options.prefer, left=left)
    tell(choice)
    return winner, choice


def _crossed(winner: Contender, choice: dict[str, Any]) -> Crossed:
    """Return the winner's cross-validated answers."""
    names = list(winner.trials[0].baselines)
    baselines = {name: [each for trial in winner.trials for each in trial.baselines[name]] for name in names}
    scored_rows = (
        "the training rows, each answered by a model with the same configuration that was not trained on it: the final "
        "model was trained on all rows, so no rows are left to measure it on"
    )
    return Crossed(winner.records, baselines, scored_rows, choice)


def _bare(learn: str) -> Config:
    """Return the input and output features that all candidates for a column share."""
    kind = "sequence" if learn == SLOTS else "category"
    return {
        "input_features": [{"name": TEXT, "type": "text"}],
        "output_features": [{"name": learn, "type": kind}],
    }


def _parts(rows: "pd.DataFrame") -> Any:
    """Return the split column for the final training: test rows stay test rows, all others are training rows."""
    return rows[SPLIT].where(rows[SPLIT] == TEST, TRAIN) if SPLIT in rows else TRAIN
