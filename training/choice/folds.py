"""Folds of a dataset: each is answered by models that were trained on the others."""

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
"""Fewer rows are cross-validated; of more, one part is enough to compare candidates by."""
FOLDS = 5
PARTS = 10
"""Of many rows, one in so many compares the candidates."""
FEWEST_HELD = 200
Fold = np.ndarray


def deal(rows: "pd.DataFrame", text: str, label: str, seed: int) -> list[Fold]:
    """Return the folds of a dataset, as positions of the rows that are held out.

    Args:
        rows: Rows with labels or tags, without those of the test.
        text: The column of the texts.
        label: The column of the labels, or of tags.
        seed: Of the deal.

    Returns:
        Five folds that hold each row once, or a single one where rows are many: those that a column `split` marks for
        validation, or a tenth. Each label is in each fold as often as possible; rows that are the same, but for the
        values of slots, are in one fold.
    """
    if len(rows) >= FEW_ROWS:
        given = np.flatnonzero((rows[SPLIT] == VALIDATION).to_numpy()) if SPLIT in rows else np.array([], dtype=int)
        return [given] if len(given) >= FEWEST_HELD else _dealt(rows, text, label, seed, PARTS)[:1]
    return _dealt(rows, text, label, seed, FOLDS)


def without_test(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows that are not kept for the test."""
    return rows[rows[SPLIT] != TEST] if SPLIT in rows else rows


def _dealt(rows: "pd.DataFrame", text: str, label: str, seed: int, count: int) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold

    group_of = _groups(rows, text, label)
    if len(set(group_of)) < count:
        say(f"The rows are so alike that there are only {len(set(group_of))} different ones: scores will flatter.")
        group_of = list(range(len(rows)))
    strata = [_stratum(value) for value in rows[label]]
    splitter = StratifiedGroupKFold(min(count, len(rows)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of labels with fewer rows than there are folds
        return [held for _, held in splitter.split(group_of, strata, group_of) if len(held)]


def _groups(rows: "pd.DataFrame", text: str, label: str) -> list[int]:
    """Return a number for each row; rows that belong together have the same."""
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
    """Return what is spread evenly over the folds: the label, or the first slot of a row's tags."""
    return next((tag for tag in str(value).split() if tag.startswith("B-")), str(value)) if " " in value else value
