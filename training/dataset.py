"""The rows to train on: read, checked against a configuration, and split."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.features import column_of
from export.labels import clean_label, clean_labels, near_equal
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
    """Read one dataset, or one file per split; the column `split` then says which.

    paths: by split; a single entry under TRAIN is a whole dataset, which keeps a `split` column of its own.
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
    """Return configuration and dataset so that Ludwig can train with them; say what was changed.

    Args:
        config: The configuration to train.
        dataset: Rows of any file.
        validated: Whether a column `split` must leave rows to validate on.

    Returns:
        The configuration, which reads the column `split` if there is one, and the rows with the columns that it reads.

    Raises:
        DatasetError: If columns are missing, or too few rows or classes are left.
    """
    import pandas as pd

    inputs, outputs = columns(config, "input_features"), columns(config, "output_features")
    dataset = clean_labels(readable_rows(dataset, _features(config)), config)
    missing = [column for column in [*inputs, *outputs] if column not in dataset]
    if missing:
        raise DatasetError(
            f"The dataset has the columns {list(dataset.columns)}; the configuration also reads {missing}."
        )
    dataset = _with_named_split(config, dataset)
    labelled = dataset[outputs].notna().all(axis=1) & (dataset[outputs] != "").all(axis=1)
    if not labelled.all():
        say(f"Skipped {(~labelled).sum()} of {len(dataset)} rows without a value in {' or '.join(outputs)}.")
        dataset = dataset[labelled]
    check_tags(config, dataset)
    for column in _categories(config):
        if dataset[column].nunique() < 2:
            raise DatasetError(f"{column!r} has the values {list(dataset[column].unique())}: at least two are needed.")
    if SPLIT in dataset:
        splits = pd.to_numeric(dataset[SPLIT], errors="coerce")
        needed = {TRAIN, VALIDATION} if validated else {TRAIN}
        if not splits.isin([TRAIN, VALIDATION, TEST]).all() or not needed <= set(splits):
            raise DatasetError(f"The column {SPLIT!r} must hold 0 (train), 1 (validation) and 2 (test).")
        dataset, config = dataset.assign(**{SPLIT: splits.astype(int)}), with_fixed_split(config)
    else:
        config = _with_possible_split(config, dataset)
    read = [SPLIT] if SPLIT in dataset else _split_columns(config)
    kept = list(dict.fromkeys([*inputs, *outputs, *read]))
    return config, dataset[kept].reset_index(drop=True)


def _with_named_split(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Return the dataset with the column of a fixed split under the name `split`.

    Raises:
        DatasetError: If the configuration's split reads a column that the dataset lacks.
    """
    if SPLIT in dataset:
        return dataset
    for column in _split_columns(config):
        if column not in dataset:
            raise DatasetError(
                f"preprocessing.split reads the column {column!r}, and the dataset has {list(dataset.columns)}: "
                "name one of these, or remove preprocessing.split from the configuration."
            )
        if config["preprocessing"][SPLIT].get("type") == "fixed":
            return dataset.rename(columns={column: SPLIT})
    return dataset


def _split_columns(config: Config) -> list[str]:
    """Return the column that the configuration's split reads, in a list that may be empty."""
    split = config.get("preprocessing", {}).get(SPLIT, {})
    column = split.get("column", SPLIT if split.get("type") == "fixed" else None)
    return [] if column is None else [str(column)]


def out_of_scope(
    config: Config, dataset: "pd.DataFrame", label: str | None, seed: int
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Return the rows to train on, and those that are out of scope, with a column `split`: validation or test.

    label: what rows out of scope have in place of a label. Raises DatasetError if none has it, or all are of the test.
    """
    import pandas as pd

    if label is None:
        return dataset, dataset.iloc[:0].assign(**{SPLIT: VALIDATION})
    label = clean_label(label)
    dataset = clean_labels(readable_rows(dataset, _features(config)), config)
    labels = [column for column in _categories(config) if column in dataset]
    outside = (dataset[labels] == label).any(axis=1)
    found = dataset[outside].reset_index(drop=True)
    if SPLIT in found:
        splits = pd.to_numeric(found[SPLIT], errors="coerce").where(lambda split: split == TEST, VALIDATION)
    else:
        order = pd.Series(range(len(found)), dtype=int).sample(frac=1, random_state=seed)
        splits = (order % 2).map({0: VALIDATION, 1: TEST}).reset_index(drop=True)
    if not (splits == VALIDATION).any():
        where = " or ".join(labels) or "any output"
        raise DatasetError(f"No row outside of the test split has {label!r} in {where}: --out-of-scope needs some.")
    say(f"Left out {len(found)} of {len(dataset)} rows to fit thresholds on: {label!r} is out of scope.")
    return dataset[~outside], found.assign(**{SPLIT: splits.astype(int)})


def with_split(config: Config, dataset: "pd.DataFrame", seed: int, *, validated: bool = True) -> "pd.DataFrame":
    """Return a dataset with a column `split`, made as Ludwig makes it where there is none.

    Args:
        config: With Ludwig's defaults filled in.
        dataset: Rows that `prepare` returned.
        seed: Of the split.
        validated: Whether rows to validate on are needed.

    Raises:
        DatasetError: If nothing is left to train on, or to validate on where that is needed.
    """
    from ludwig.backend import LocalBackend
    from ludwig.data.split import get_splitter

    if SPLIT not in dataset:
        split = config["preprocessing"][SPLIT]
        try:
            parts = get_splitter(**split).split(dataset.copy(), LocalBackend(), seed)
        except ValueError as error:  # of scikit-learn: too few rows of a class
            say(f"Split at random: {str(error).removesuffix('.')}.")
            parts = get_splitter(**{**split, "type": "random"}).split(dataset.copy(), LocalBackend(), seed)
        dataset = dataset.assign(**{SPLIT: TRAIN})
        for part, rows in enumerate(parts):
            if rows is not None:
                dataset.loc[rows.index, SPLIT] = part
    counts = dataset[SPLIT].value_counts()
    if empty := [PARTS[part] for part in ((TRAIN, VALIDATION) if validated else (TRAIN,)) if part not in counts]:
        raise DatasetError(
            f"The split leaves no rows for {' and '.join(empty)}: give more rows, or other probabilities."
        )
    if validated and counts[VALIDATION] < SMALLEST_STRATUM:
        say(f"Only {counts[VALIDATION]} rows validate: the best epoch is chosen nearly by chance.")
    return dataset


def tell_weaknesses(config: Config, dataset: "pd.DataFrame") -> None:
    """Say what makes a dataset too small to learn from, or to measure on."""
    if len(dataset) < FEW_ROWS:
        say(f"Only {len(dataset)} rows: a model needs hundreds, and its figures will be rough.")
    for column in _categories(config):
        counts = dataset[column].value_counts()
        tell_near_equal(column, Counter(dataset[column]))
        few = counts[counts < SMALLEST_STRATUM]
        if not few.empty:
            say(
                f"{len(few)} of {len(counts)} values of {column!r} have fewer than {SMALLEST_STRATUM} rows, and will "
                f"hardly be learnt: {_listed([f'{label} ({count})' for label, count in few.items()])}."
            )
    for column in _tags(config):
        names = Counter(
            tag[len(BEGIN) :] for tags in dataset[column] for tag in str(tags).split() if tag.startswith(BEGIN)
        )
        tell_near_equal(column, names)
    if SPLIT in dataset and (dataset[SPLIT] == VALIDATION).any() and not (dataset[SPLIT] == TEST).any():
        say("No row is of the test split (2): the model is measured on validation, which flatters a little.")


def tell_near_equal(name: str, counts: Mapping[str, int]) -> None:
    """Say which labels look like one label that is written in several ways.

    Args:
        name: What has the labels.
        counts: The rows of each label.
    """
    for group in near_equal(counts)[:SHOWN]:
        listed = ", ".join(f"{label!r} ({counts[label]})" for label in group)
        say(f"{name!r} has labels that differ only in case, separators or encoding: {listed}. Are they one label?")


def _features(config: Config) -> list[Config]:
    return [*config["input_features"], *config["output_features"]]


def _categories(config: Config) -> list[str]:
    """Return the columns of the labels."""
    return [column_of(feature) for feature in config["output_features"] if feature["type"] == "category"]


def _tags(config: Config) -> list[str]:
    """Return the columns of the tags."""
    return [column_of(feature) for feature in config["output_features"] if feature["type"] == "sequence"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def dataset_sha256(dataset: "pd.DataFrame") -> str:
    """Return a digest of the rows, independent of the file format."""
    return hashlib.sha256(dataset.to_csv(index=False).encode("utf-8", "surrogatepass")).hexdigest()


def _with_possible_split(config: Config, dataset: "pd.DataFrame") -> Config:
    """Return a configuration whose split the dataset allows: small classes cannot be spread over three parts."""
    split = config.get("preprocessing", {}).get(SPLIT, {})
    if split.get("type") != "stratify" or split.get("column") not in dataset:
        return config
    counts = dataset[split["column"]].value_counts()
    small = counts[counts < SMALLEST_STRATUM]
    if small.empty:
        return config
    say(
        f"Split at random, not by {split['column']!r}: {len(small)} of its {len(counts)} values have fewer than "
        f"{SMALLEST_STRATUM} rows ({', '.join(map(str, small.index[:5]))})."
    )
    at_random = {key: value for key, value in split.items() if key != "column"} | {"type": "random"}
    return {**config, "preprocessing": {**config["preprocessing"], SPLIT: at_random}}
