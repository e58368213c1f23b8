"""Read Ludwig's feature configurations: columns, encoders, taggers and missing values."""

from collections.abc import Mapping
from typing import Any

from export.errors import UnsupportedError

Config = Mapping[str, Any]

FILLING = {"fill_with_const", "fill_with_mode", "fill_with_mean", "fill_with_false", "fill_with_true"}
"""Missing-value strategies that work on a single row."""


SEQUENCES = {"text", "sequence"}
"""Types of inputs that are tokenized."""


def column_of(feature: Config) -> str:
    """Return the column that a feature reads."""
    return str(feature.get("column") or feature["name"])


def part_of(feature: Config, part: str) -> Config:
    """Return a feature's `encoder` or `decoder` section; Ludwig also accepts just its type, as in `encoder: rnn`."""
    found = feature.get(part) or {}
    return {"type": found} if isinstance(found, str) else found


def tagged_text(config: Config) -> Config | None:
    """Return the input whose tokens a tagger labels: Ludwig's main sequence.

    This is the input that the combiner names, else the first one that keeps a vector per token. Source:
    `SequenceConcatCombiner.forward` in `ludwig.combiners.combiners`.

    Args:
        config: A complete configuration, with Ludwig's defaults filled in.

    Returns:
        The configuration of the input, or None if no input is a text or a sequence.
    """
    texts = [feature for feature in config["input_features"] if feature["type"] in SEQUENCES]
    main = (config.get("combiner") or {}).get("main_sequence_feature")
    named = [feature for feature in texts if feature["name"] == main]
    whole = [feature for feature in texts if part_of(feature, "encoder").get("reduce_output") is None]
    return next(iter([*named, *whole, *texts]), None)


def is_tagger(feature: Config) -> bool:
    """Return whether an output has a label for each token of a text."""
    return part_of(feature, "decoder").get("type") == "tagger"


def describer[Describer](describers: Mapping[str, Describer], config: Config, role: str) -> Describer:
    """Return the function that describes features of the type of this feature.

    Args:
        describers: The functions, by feature type.
        config: Ludwig's configuration of the feature.
        role: `inputs` or `outputs`, for the message.

    Returns:
        The function.

    Raises:
        UnsupportedError: The type is not supported.
    """
    if config["type"] not in describers:
        raise UnsupportedError(
            config["name"],
            f"{role} of type {config['type']!r} are not supported",
            f"Supported types: {', '.join(describers)}.",
        )
    return describers[config["type"]]


def filling(preprocessing: Config) -> str | float | None:
    """Return the fill value for missing values, or None if Ludwig computes it from other rows or drops the row.

    Args:
        preprocessing: The feature's `preprocessing` in Ludwig's metadata.

    Returns:
        The fill value.
    """
    if preprocessing["missing_value_strategy"] not in FILLING:
        return None
    value = preprocessing.get("computed_fill_value")
    return value if value is None or isinstance(value, (str, float)) else str(value)
