"""What the descriptions of inputs and outputs of all types share."""

from collections.abc import Mapping
from typing import Any

from export.errors import UnsupportedError

Config = Mapping[str, Any]

FILLING = {"fill_with_const", "fill_with_mode", "fill_with_mean", "fill_with_false", "fill_with_true"}
"""Strategies for missing values that need no other rows."""


def column_of(feature: Config) -> str:
    """Return the column that a feature reads."""
    return str(feature.get("column") or feature["name"])


def describer[Describer](describers: Mapping[str, Describer], config: Config, role: str) -> Describer:
    """Return what describes features of this one's type.

    role: `inputs` or `outputs`. Raises UnsupportedError if there is nothing.
    """
    if config["type"] not in describers:
        raise UnsupportedError(
            config["name"],
            f"{role} of type {config['type']!r} are not supported",
            f"Supported are {', '.join(describers)}.",
        )
    return describers[config["type"]]


def filling(preprocessing: Config) -> str | float | None:
    """Return what stands for a missing value, or None where Ludwig has nothing that serves a single row."""
    if preprocessing["missing_value_strategy"] not in FILLING:
        return None
    value = preprocessing.get("computed_fill_value")
    return value if value is None or isinstance(value, (str, float)) else str(value)
