"""Read a dataset, check it against a configuration, and split it."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.features import column_of
from export.labels import clean_labels, near_equal
from export.rows import read_rows, readable_rows, with_named_columns
from handler.decoding import BEGIN
from training.config import SPLIT, Config, columns, with_fixed_split
from training.errors import DatasetError
from training.slots import check_tags

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_STRATUM = 10
FEW_ROWS = 50
SHOWN = 5
TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def read_dataset(paths: dict[int, Path]) -> "pd.DataFrame":
    """Read a dataset from one file, or from one file per split.

    Args:
        paths: The files by split (TRAIN, VALIDATION, TEST). A single file under TRAIN is a whole dataset and keeps
            its own column `split`, if it has one.

    Returns:
        The rows. If there are several files, a column `split` says which file a row is from.
    """
    import pandas as pd

    if len(paths) == 1:
        return read_rows(paths[TRAIN])
    parts = [read_rows(path).drop(columns=SPLIT, errors="ignore") for path in paths.values()]
    names = [str(name) for name in parts[0].columns]
    parts = [with_named_columns(part, names) for part in parts]
    return pd.concat(
        [part.assign(**{SPLIT: split}) for part, split in zip(parts, paths, strict=True)], ignore_index=True
    )


def prepare(config: Config, dataset: "pd.DataFrame", *, validated: bool = True) -> tuple[Config, "pd.DataFrame"]:
    """Prepare a configuration and a dataset for Ludwig, and report what was changed.

    Args:
        config: The configuration to train.
        dataset: The rows, as read from a file.
        validated: Whether a column `split` must have validation rows.

    Returns:
        The configuration, which reads the column `split` if there is one; and the usable rows, with only the columns
        that the configuration reads.

    Raises:
        DatasetError: Columns are missing, or too few rows or classes remain.
    """
    import pandas as pd

    inputs, outputs = columns(config, "input_features"), columns(config, "output_features")
    dataset = clean_labels(readable_rows(dataset, _features(config)), config)
    missing = [column for column in [*inputs, *outputs] if column not in dataset]
    if missing:
        raise DatasetError(
            f"The dataset lacks the columns {missing}, which the configuration reads; it has {list(dataset.columns)}."
        )
    dataset = _with_named_split(config, dataset)
    labeled = dataset[outputs].notna().all(axis=1) & (dataset[outputs] != "").all(axis=1)
    if not labeled.all():
        say(f"Skipped {(~labeled).sum()} of {len(dataset)} rows without a value in {' or '.join(outputs)}.")
        dataset = dataset[labeled]
    check_tags(config, dataset)
    for column in label_columns(config):
        if dataset[column].nunique() < 2:
            raise DatasetError(
                f"The column {column!r} has the values {list(dataset[column].unique())}: expected at least two "
                "different ones."
            )
    if SPLIT in dataset:
        splits = pd.to_numeric(dataset[SPLIT], errors="coerce")
        needed = {TRAIN, VALIDATION} if validated else {TRAIN}
        if not splits.isin([TRAIN, VALIDATION, TEST]).all() or not needed <= set(splits):
            raise DatasetError(
                f"The column {SPLIT!r} may contain only 0 (train), 1 (validation) and 2 (test), and needs rows for "
                f"{' and '.join(PARTS[part] for part in sorted(needed))}."
            )
        dataset, config = dataset.assign(**{SPLIT: splits.astype(int)}), with_fixed_split(config)
    else:
        config = _with_possible_split(config, dataset)
    read = [SPLIT] if SPLIT in dataset else _split_columns(config)
    kept = list(dict.fromkeys([*inputs, *outputs, *read]))
    return config, dataset[kept].reset_index(drop=True)


def test_or_all(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the test rows, or all rows if there are none.

    Args:
        rows: Rows, with or without a column `split`.
    """
    held = rows[rows[SPLIT].astype(str) == str(TEST)] if SPLIT in rows else rows.iloc[:0]
    return rows if held.empty else held


def text_key(text: str) -> str:
    """Return a text in lower case with single spaces, for comparison."""
    return " ".join(text.casefold().split())


def _with_named_split(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Rename the column of a fixed split to `split`.

    Raises:
        DatasetError: The dataset lacks the column that the configuration's split reads.
    """
    if SPLIT in dataset:
        return dataset
    for column in _split_columns(config):
        if column not in dataset:
            raise DatasetError(
                f"preprocessing.split reads the column {column!r}, but the dataset has {list(dataset.columns)}: use "
                "one of these columns, or remove preprocessing.split from the configuration."
            )
        if config["preprocessing"][SPLIT].get("type") == "fixed":
            return dataset.rename(columns={column: SPLIT})
    return dataset


def _split_columns(config: Config) -> list[str]:
    """Return the column that the configuration's split reads, as a list with one or no element."""
    split = config.get("preprocessing", {}).get(SPLIT, {})
    column = split.get("column", SPLIT if split.get("type") == "fixed" else None)
    return [] if column is None else [str(column)]


def with_split(config: Config, dataset: "pd.DataFrame", seed: int, *, validated: bool = True) -> "pd.DataFrame":
    """Return a dataset with a column `split`; without one, split it as Ludwig does (`ludwig.data.split`).

    Args:
        config: A configuration with Ludwig's defaults filled in.
        dataset: Rows that `prepare` returned.
        seed: Seed of the split.
        validated: Whether validation rows are required.

    Raises:
        DatasetError: The split has no training rows, or lacks required validation rows.
    """
    from ludwig.backend import LocalBackend
    from ludwig.data.split import get_splitter

    if SPLIT not in dataset:
        split = config["preprocessing"][SPLIT]
        try:
            parts = get_splitter(**split).split(dataset.copy(), LocalBackend(), seed)
        except ValueError as error:  # from scikit-learn: a class has too few rows
            say(f"Splitting at random instead of by label: {str(error).removesuffix('.')}.")
            parts = get_splitter(**{**split, "type": "random"}).split(dataset.copy(), LocalBackend(), seed)
        dataset = dataset.assign(**{SPLIT: TRAIN})
        for part, rows in enumerate(parts):
            if rows is not None:
                dataset.loc[rows.index, SPLIT] = part
    counts = dataset[SPLIT].value_counts()
    if empty := [PARTS[part] for part in ((TRAIN, VALIDATION) if validated else (TRAIN,)) if part not in counts]:
        raise DatasetError(
            f"The split leaves no rows for {' and '.join(empty)}: add rows, or change the probabilities of the split."
        )
    if validated and counts[VALIDATION] < SMALLEST_STRATUM:
        say(f"Only {counts[VALIDATION]} validation rows: the choice of the best epoch is mostly chance.")
    return dataset


def tell_weaknesses(config: Config, dataset: "pd.DataFrame") -> None:
    """Print warnings about a dataset that is too small for training or for reliable metrics.

    Args:
        config: The configuration to train.
        dataset: Rows that `prepare` returned.
    """
    if len(dataset) < FEW_ROWS:
        say(f"Only {len(dataset)} rows: a model needs hundreds, and its metrics will be imprecise.")
    for column in label_columns(config):
        counts = dataset[column].value_counts()
        tell_near_equal(column, Counter(dataset[column]))
        few = counts[counts < SMALLEST_STRATUM]
        if not few.empty:
            say(
                f"{len(few)} of {len(counts)} values of {column!r} have fewer than {SMALLEST_STRATUM} rows, too few to "
                f"learn well: {_listed([f'{label} ({count})' for label, count in few.items()])}."
            )
    for column in _tags(config):
        names = Counter(
            tag[len(BEGIN) :] for tags in dataset[column] for tag in str(tags).split() if tag.startswith(BEGIN)
        )
        tell_near_equal(column, names)
    if SPLIT in dataset and (dataset[SPLIT] == VALIDATION).any() and not (dataset[SPLIT] == TEST).any():
        say("No test rows (split 2): the metrics come from the validation rows and are slightly optimistic.")


def tell_near_equal(name: str, counts: Mapping[str, int]) -> None:
    """Print a warning for labels that look like different spellings of one label.

    Args:
        name: The column of the labels.
        counts: Number of rows of each label.
    """
    for group in near_equal(counts)[:SHOWN]:
        listed = ", ".join(f"{label!r} ({counts[label]})" for label in group)
        say(
            f"{name!r} has labels that differ only in case, separators or encoding: {listed}. If they mean the same, "
            "use one spelling."
        )


def _features(config: Config) -> list[Config]:
    return [*config["input_features"], *config["output_features"]]


def label_columns(config: Config) -> list[str]:
    """Return the columns of the outputs that are labels."""
    return [column_of(feature) for feature in config["output_features"] if feature["type"] == "category"]


def _tags(config: Config) -> list[str]:
    """Return the columns of the outputs that are tags."""
    return [column_of(feature) for feature in config["output_features"] if feature["type"] == "sequence"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def dataset_sha256(dataset: "pd.DataFrame") -> str:
    """Return a digest of the rows, independent of the file format."""
    return hashlib.sha256(dataset.to_csv(index=False).encode("utf-8", "surrogatepass")).hexdigest()


def _with_possible_split(config: Config, dataset: "pd.DataFrame") -> Config:
    """Return a configuration with a random split instead of a stratified one if classes are too small for it."""
    split = config.get("preprocessing", {}).get(SPLIT, {})
    if split.get("type") != "stratify" or split.get("column") not in dataset:
        return config
    counts = dataset[split["column"]].value_counts()
    small = counts[counts < SMALLEST_STRATUM]
    if small.empty:
        return config
    say(
        f"Splitting at random instead of by {split['column']!r}: {len(small)} of its {len(counts)} values have fewer "
        f"than {SMALLEST_STRATUM} rows ({', '.join(map(str, small.index[:5]))})."
    )
    at_random = {key: value for key, value in split.items() if key != "column"} | {"type": "random"}
    return {**config, "preprocessing": {**config["preprocessing"], SPLIT: at_random}}
