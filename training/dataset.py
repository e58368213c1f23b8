"""The rows to train on: read, checked against a configuration, and split."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from export.console import say
from export.rows import read_rows, with_text_column
from training.config import SPLIT, Config, columns, with_fixed_split
from training.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_STRATUM = 10
TRAIN, VALIDATION, TEST = 0, 1, 2


def read_dataset(paths: dict[int, Path]) -> "pd.DataFrame":
    """Read one dataset, or one file for each split, which then stands in the column `split`.

    paths: by split; a single entry under TRAIN is a whole dataset, which keeps a `split` column of its own.
    """
    import pandas as pd

    if len(paths) == 1:
        return read_rows(paths[TRAIN])
    parts = [read_rows(path).assign(**{SPLIT: split}) for split, path in paths.items()]
    return pd.concat(parts, ignore_index=True)


def prepare(config: Config, dataset: "pd.DataFrame") -> tuple[Config, "pd.DataFrame"]:
    """Return configuration and dataset so that Ludwig can train with them; say what was changed.

    Raises DatasetError if columns are missing, or too few rows or classes are left.
    """
    import pandas as pd

    inputs, outputs = columns(config, "input_features"), columns(config, "output_features")
    dataset = with_text_column(dataset, inputs)
    missing = [column for column in [*inputs, *outputs] if column not in dataset]
    if missing:
        raise DatasetError(
            f"The dataset has the columns {list(dataset.columns)}; the configuration also reads {missing}."
        )
    labelled = dataset[outputs].notna().all(axis=1) & (dataset[outputs] != "").all(axis=1)
    if not labelled.all():
        say(f"Left out {(~labelled).sum()} of {len(dataset)} rows: no value in {' or '.join(outputs)}.")
        dataset = dataset[labelled]
    for feature, column in zip(config["output_features"], outputs, strict=True):
        if feature["type"] == "category" and dataset[column].nunique() < 2:
            raise DatasetError(f"{column!r} has the values {list(dataset[column].unique())}: at least two are needed.")
    if SPLIT in dataset:
        splits = pd.to_numeric(dataset[SPLIT], errors="coerce")
        if not splits.isin([TRAIN, VALIDATION, TEST]).all() or not {TRAIN, VALIDATION} <= set(splits):
            raise DatasetError(f"The column {SPLIT!r} must hold 0 (train), 1 (validation) and 2 (test).")
        dataset, config = dataset.assign(**{SPLIT: splits.astype(int)}), with_fixed_split(config)
    else:
        config = _with_possible_split(config, dataset)
    kept = [*inputs, *outputs, *([SPLIT] if SPLIT in dataset else [])]
    return config, dataset[kept].reset_index(drop=True)


def dataset_sha256(dataset: "pd.DataFrame") -> str:
    """Return a digest of the rows, whatever file they came from."""
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
    return {**config, "preprocessing": {**config["preprocessing"], SPLIT: {**split, "type": "random"}}}
