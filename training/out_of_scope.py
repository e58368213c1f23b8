"""Separate out-of-scope rows: some for training, the others to fit and test thresholds."""

import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

from export.console import say
from export.labels import clean_label, clean_labels
from export.rows import readable_rows
from training.config import SPLIT, Config
from training.dataset import TEST, TRAIN, VALIDATION, label_columns
from training.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

FEWEST_BACKGROUND = 20
"""Minimum number of out-of-scope rows to train on.

Measured on rows held out of CLINC150's train split: of 25 out-of-scope rows, `intent-light` with 20 rows per intent
rejects 15 by a threshold alone, and 20 with 50 others to learn from, at the same accuracy (90.4% and 90.7%). Ludwig's
losses for this, `entropic_open_set` and `objectosphere`, fail to train a category in 0.17.10.
"""

USUAL_LABELS = {
    "default_fallback",
    "fallback",
    "nlu_fallback",
    "none",
    "oos",
    "out_of_domain",
    "out_of_scope",
    "unknown",
}
"""Labels that datasets usually give to out-of-scope rows, in lowercase with underscores."""


def out_of_scope(
    config: Config, dataset: "pd.DataFrame", label: str | None, seed: int
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Separate out-of-scope rows for training, and for fitting and testing thresholds.

    Args:
        config: The configuration to train.
        dataset: The rows, as read from a file.
        label: The label of out-of-scope rows; None if there are none.
        seed: Seed of the assignment to parts.

    Returns:
        The rows in scope; and the out-of-scope rows, with a column `split`. It contains 0 (train) only if at least
        FEWEST_BACKGROUND rows are for training; fewer rows are more useful for the thresholds.

    Raises:
        DatasetError: No row has the label, or all rows with it are test rows.
    """
    if label is None:
        _suggest(config, dataset)
        return dataset, dataset.iloc[:0].assign(**{SPLIT: VALIDATION})
    label = clean_label(label)
    dataset = clean_labels(readable_rows(dataset, [*config["input_features"], *config["output_features"]]), config)
    labels = [column for column in label_columns(config) if column in dataset]
    outside = (dataset[labels] == label).any(axis=1)
    found = dataset[outside].reset_index(drop=True)
    splits = _outside_split(found, seed)
    if not (splits == VALIDATION).any():
        where = " or ".join(labels) or "any output"
        raise DatasetError(
            f"No row has the label {label!r} in {where}, except test rows: check --out-of-scope, or add such rows."
        )
    trained = int((splits == TRAIN).sum())
    learned = f"; the model also trains on {trained} of them" if trained else ""
    say(f"Set aside {len(found)} of {len(dataset)} rows to fit thresholds: {label!r} is out of scope{learned}.")
    return dataset[~outside], found.assign(**{SPLIT: splits.astype(int)})


def _outside_split(found: "pd.DataFrame", seed: int) -> "pd.Series[Any]":
    """Return the part of each out-of-scope row.

    Without a column `split`, half of the rows are for training, a quarter for validation and a quarter for the test. If
    too few would be for training, there are none. A column `split` is kept, but if no row of it is for validation, half
    of those for training are.
    """
    import pandas as pd

    order = pd.Series(range(len(found)), dtype=int).sample(frac=1, random_state=seed).reset_index(drop=True)
    if SPLIT not in found:
        splits = (order % 4).map({0: TRAIN, 1: VALIDATION, 2: TRAIN, 3: TEST})
        few = (order % 2).map({0: VALIDATION, 1: TEST})
        return splits if (splits == TRAIN).sum() >= FEWEST_BACKGROUND else few
    splits = pd.to_numeric(found[SPLIT], errors="coerce").where(lambda split: split.isin([VALIDATION, TEST]), TRAIN)
    if not (splits == VALIDATION).any():
        splits = splits.where((splits == TEST) | (order % 2 == 0), VALIDATION)
    is_enough = (splits == TRAIN).sum() >= FEWEST_BACKGROUND
    return splits if is_enough else splits.where(splits == TEST, VALIDATION)


def with_background(dataset: "pd.DataFrame", outside: "pd.DataFrame") -> "pd.DataFrame":
    """Return the training rows, with the out-of-scope training rows as a separate class.

    Args:
        dataset: Rows in scope, with a column `split`.
        outside: Out-of-scope rows, as `out_of_scope` returns them. Rows without a value in another column, such as slot
            tags, are skipped.
    """
    import pandas as pd

    background = outside[outside[SPLIT] == TRAIN]
    if background.empty or not set(dataset.columns) <= set(background.columns):
        return dataset
    return pd.concat([dataset, background[dataset.columns].dropna()], ignore_index=True)


def _suggest(config: Config, dataset: "pd.DataFrame") -> None:
    """Name the option for rows whose label says that the bot cannot answer them."""
    for column in label_columns(config):
        labels = dataset[column].dropna().astype(str) if column in dataset else ()
        for label in sorted({label for label in labels if _normalized(label) in USUAL_LABELS}):
            _say_once(
                f"Note: rows have the {column} {label!r}. If the bot cannot answer such messages, add --out-of-scope "
                f"{shlex.quote(label)}: then they fit its threshold, and this label is never an answer."
            )


def _normalized(label: str) -> str:
    return label.strip().lower().replace("-", "_").replace(" ", "_")


@cache
def _say_once(line: str) -> None:
    say(line)
