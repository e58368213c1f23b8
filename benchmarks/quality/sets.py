"""Find the datasets in a folder and what can be learned from them, and sample their training rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.choice.candidates import LEARNABLE

if TYPE_CHECKING:
    import pandas as pd

TEXT, SLOTS = "text", "slots"
TRAIN_FILE, TEST_FILE = "train.csv", "valid.csv"
BEGIN = "B-"
NO_SLOT = ""
"""The class of rows without slots, which a model must see too."""


@dataclass(frozen=True)
class Task:
    """A dataset and the column to learn.

    Attributes:
        folder: The dataset's folder, with train.csv and valid.csv.
        learn: The column: `intent`, `slots` or `language`.
    """

    folder: Path
    learn: str

    @property
    def set_name(self) -> str:
        """The name of the dataset's folder."""
        return self.folder.name

    def train_rows(self) -> "pd.DataFrame":
        """Return the rows to sample from, with a text and a label or tags."""
        return labeled_rows(self.folder / TRAIN_FILE, self.learn)

    def test_rows(self) -> "pd.DataFrame":
        """Return the rows to test on."""
        return labeled_rows(self.folder / TEST_FILE, self.learn)


def find_tasks(data: Path) -> list[Task]:
    """Return all datasets in a folder and their columns to learn.

    A dataset is a subfolder with train.csv and valid.csv. It needs a column `text` (or `utterance`). Of `intent`,
    `slots` and `language`, it has a task for each column with at least two values.

    Args:
        data: The folder of the datasets.
    """
    return [task for folder in sorted(data.iterdir()) if folder.is_dir() for task in _tasks_of(folder)]


def _tasks_of(folder: Path) -> Iterator[Task]:
    if not all((folder / name).is_file() for name in (TRAIN_FILE, TEST_FILE)):
        return
    columns = _read(folder / TRAIN_FILE)
    if TEXT not in columns:
        return
    for learn in LEARNABLE:
        if learn in columns and len({str(value) for value in columns[learn] if value}) > 1:
            yield Task(folder, learn)


def labeled_rows(path: Path, learn: str) -> "pd.DataFrame":
    """Return the columns `text` and `learn` of a file, without rows that lack one of them.

    Args:
        path: A data file in any format that `ludwig-serverless fit` reads.
        learn: The column of the labels or tags.
    """
    rows = _read(path)[[TEXT, learn]]
    known = (rows.notna() & (rows != "")).all(axis=1)
    return rows[known].astype(str).reset_index(drop=True)


def _read(path: Path) -> "pd.DataFrame":
    from export.rows import read_rows, with_named_columns

    return with_named_columns(read_rows(path), [TEXT, *LEARNABLE])


def sample(rows: "pd.DataFrame", learn: str, per_class: int | None, seed: int) -> "pd.DataFrame":
    """Sample rows by class, in random order. With the same seed, a smaller sample is part of a larger one.

    Args:
        rows: The rows to sample from.
        learn: The column of the labels or tags. The classes of tags are the slot types, and one for rows without slots;
            a row is added while one of its classes has too few rows.
        per_class: Rows per class, if the class has as many; None for all rows.
        seed: Seed of the random order.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    if per_class is not None:
        order = _first_of_each([classes_of(rows[learn].iloc[row], learn) for row in order], order, per_class)
    return rows.iloc[order].reset_index(drop=True)


def _first_of_each(classes: Sequence[set[str]], order: np.ndarray, per_class: int) -> np.ndarray:
    """Return the rows, in order, that have a class with fewer than `per_class` rows so far."""
    taken: dict[str, int] = {}
    chosen = []
    for row, found in zip(order, classes, strict=True):
        if any(taken.get(name, 0) < per_class for name in found):
            chosen.append(row)
            for name in found:
                taken[name] = taken.get(name, 0) + 1
    return np.array(chosen)


def classes_of(value: str, learn: str) -> set[str]:
    """Return the classes that a row counts for: its label, or the types of its slots."""
    if learn != SLOTS:
        return {value}
    return {tag.removeprefix(BEGIN) for tag in value.split() if tag.startswith(BEGIN)} or {NO_SLOT}
