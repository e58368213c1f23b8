"""Divide a dataset into folds for cross-validation: a model trained on all other folds answers each fold."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from export.console import say
from training.config import SPLIT
from training.dataset import TEST, VALIDATION
from training.imports.examples import Example
from training.imports.splits import groups

if TYPE_CHECKING:
    import pandas as pd

FEW_ROWS = 4000
"""Datasets with fewer rows are cross-validated; for larger ones, a single held-out part is enough."""
FOLDS = 5
PARTS = 10
"""Large datasets hold out one part in this many."""
FEWEST_HELD = 200
"""Minimum number of given validation rows to hold these out instead."""
Fold = np.ndarray


def deal(rows: "pd.DataFrame", text: str, label: str, seed: int) -> list[Fold]:
    """Divide the rows of a dataset into folds.

    Args:
        rows: Rows with labels or tags, without test rows.
        text: Column of the texts.
        label: Column of the labels or tags.
        seed: Seed of the random assignment.

    Returns:
        The positions of each fold's rows. A small dataset has five folds, and each row is in exactly one. A large
        dataset has a single fold: its validation rows by the column `split`, or a tenth of the rows. Labels are spread
        evenly over the folds. Rows that differ only in their slot values are in the same fold.
    """
    if len(rows) >= FEW_ROWS:
        given = np.flatnonzero((rows[SPLIT] == VALIDATION).to_numpy()) if SPLIT in rows else np.array([], dtype=int)
        return [given] if len(given) >= FEWEST_HELD else _dealt(rows, text, label, seed, PARTS)[:1]
    return _dealt(rows, text, label, seed, FOLDS)


def without_test(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return all rows except the test rows."""
    return rows[rows[SPLIT] != TEST] if SPLIT in rows else rows


def _dealt(rows: "pd.DataFrame", text: str, label: str, seed: int, count: int) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold

    group_of = _groups(rows, text, label)
    if len(set(group_of)) < count:
        say(f"Only {len(set(group_of))} rows differ from each other: expect scores that are too high.")
        group_of = list(range(len(rows)))
    strata = [_stratum(value) for value in rows[label]]
    splitter = StratifiedGroupKFold(min(count, len(rows)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label has fewer rows than there are folds
        return [held for _, held in splitter.split(group_of, strata, group_of) if len(held)]


def _groups(rows: "pd.DataFrame", text: str, label: str) -> list[int]:
    """Return a group number for each row; rows of one group must be in the same fold."""
    is_tags = label == "slots"
    examples = [
        Example("", number, str(each or ""), tags=str(tags) if is_tags else "")
        for number, (each, tags) in enumerate(zip(rows[text], rows[label], strict=True))
    ]
    numbers = [0] * len(examples)
    for number, group in enumerate(groups(examples)):
        for position in group:
            numbers[position] = number
    return numbers


def _stratum(value: str) -> str:
    """Return the value to spread evenly over the folds: the label, or the first slot of a row's tags."""
    return next((tag for tag in str(value).split() if tag.startswith("B-")), str(value)) if " " in value else value
