"""Reject names of features and columns that Ludwig or torch cannot handle, before training starts.

Ludwig replaces some characters with `_` in the configuration and the dataset, so that the feature can no longer be
found by its original name. Source: `get_sanitized_feature_name` in `ludwig.utils.data_utils`.
"""

import re
from collections.abc import Mapping
from typing import Any

from export.features import column_of
from training.errors import ConfigError

REPLACED = re.compile(r"[(){}.:\"'\[\]]")
RESERVED = "split"
"""The column that assigns rows to training, validation and test."""


def check_names(config: Mapping[str, Any]) -> None:
    """Check the names of all features and columns.

    Args:
        config: A configuration, as read from its file.

    Raises:
        ConfigError: A name is not text, blank, reserved, or has characters that Ludwig replaces.
    """
    for feature in [*config["input_features"], *config["output_features"]]:
        for kind in ("name", "column"):
            _check(kind, feature.get(kind))
        if column_of(feature) == RESERVED:
            raise ConfigError(
                f"The feature {feature['name']!r} reads the column {RESERVED!r}, which assigns rows to training, "
                "validation and test: rename the column."
            )
    for feature in config["input_features"]:
        if feature["name"].isascii() and feature["name"].isdecimal():
            raise ConfigError(
                f"The input {feature['name']!r} is named with a number, which torch rejects at export: write "
                f"`name: input_{feature['name']}` and `column: '{column_of(feature)}'`."
            )


def _check(kind: str, name: Any) -> None:
    if name is None and kind == "column":
        return
    if not isinstance(name, str):
        found = type(name).__name__
        raise ConfigError(f"A feature has `{kind}: {name}`, which YAML reads as {found}: put it in quotes.")
    if not name.strip():
        raise ConfigError(f"A feature has a blank {kind}: set it, for example `{kind}: intent`.")
    if replaced := sorted(set(REPLACED.findall(name))):
        better = re.sub(r"\W+", "_", name).strip("_") or "feature"
        where = "it in the configuration and, if the dataset has it, the column" if kind == "name" else "the column"
        raise ConfigError(
            f"The {kind} {name!r} has {' '.join(replaced)}, which Ludwig replaces: rename {where}, "
            f"for example to {better!r}."
        )
