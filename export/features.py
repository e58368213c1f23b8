"""What the descriptions of inputs and outputs of all types share."""

from collections.abc import Mapping
from typing import Any

from export.errors import UnsupportedError

Config = Mapping[str, Any]

FILLING = {"fill_with_const", "fill_with_mode", "fill_with_mean", "fill_with_false", "fill_with_true"}
"""Strategies for missing values that need no other rows."""


SEQUENCES = {"text", "sequence"}
"""Types of inputs that are read as tokens."""


def column_of(feature: Config) -> str:
    """Return the column that a feature reads."""
    return str(feature.get("column") or feature["name"])


def part_of(feature: Config, part: str) -> Config:
    """Return a feature's `encoder` or `decoder`; Ludwig also takes its type alone, as in `encoder: rnn`."""
    found = feature.get(part) or {}
    return {"type": found} if isinstance(found, str) else found


def tagged_text(config: Config) -> Config | None:
    """Return the input whose tokens a tagger's output tags: Ludwig's main sequence.

    Ludwig takes the one that the combiner names, else the first that keeps a vector for each token. Source:
    `SequenceConcatCombiner.forward` in `ludwig.combiners.combiners`.

    Args:
        config: A whole configuration, with Ludwig's defaults.

    Returns:
        The input's description, or None if no input is a text or a sequence.
    """
    texts = [feature for feature in config["input_features"] if feature["type"] in SEQUENCES]
    main = (config.get("combiner") or {}).get("main_sequence_feature")
    named = [feature for feature in texts if feature["name"] == main]
    whole = [feature for feature in texts if part_of(feature, "encoder").get("reduce_output") is None]
    return next(iter([*named, *whole, *texts]), None)


def is_tagger(feature: Config) -> bool:
    """Tell whether an output gives a label to each token of a text."""
    return part_of(feature, "decoder").get("type") == "tagger"


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
