"""Describe Ludwig's input features as the handler's input features, and write the files that they need.

To add an input type, add a function here, or a module as for text, and register it in `DESCRIBERS`.
"""

import math
from collections.abc import Callable
from pathlib import Path

from export.encoders import check_encoder
from export.errors import UnsupportedError
from export.features import FILLING, Config, describer, filling
from export.model import SourceModel
from export.text import UNKNOWN, describe_text, splitting_tokenizer
from handler.inputs import (
    BagInput,
    BinaryInput,
    CategoryInput,
    DateInput,
    InputFeature,
    NumberInput,
    SetInput,
    VectorInput,
)
from handler.numbers import AnyNormalization, Linear, Log1p, Normalization


def describe_inputs(model: SourceModel, folder: Path) -> list[InputFeature]:
    """Describe every input feature, and write its vocabulary or tokenizer into the bundle's folder.

    Args:
        model: The model.
        folder: The bundle's folder.

    Returns:
        The inputs, in Ludwig's order.

    Raises:
        UnsupportedError: A feature cannot be reproduced without Ludwig.
    """
    features = []
    for index, config in enumerate(model.config["input_features"]):
        describe, metadata = describer(DESCRIBERS, config, "inputs"), model.metadata[config["name"]]
        check_encoder(config, metadata, model.architectures.get(config["name"]))
        features.append(describe(config, metadata, folder, str(index)))
    return features


def normalization(metadata: Config) -> AnyNormalization:
    """Return the normalization of a number feature (input or output) from Ludwig's metadata."""
    kind = metadata["preprocessing"].get("normalization")
    if kind == "zscore":
        return Linear(offset=float(metadata["mean"]), scale=float(metadata["std"]) or 1.0)
    if kind == "minmax":
        low, high = float(metadata["min"]), float(metadata["max"])
        return Linear(offset=low, scale=high - low)
    if kind == "iq":
        low, middle, high = (float(metadata[quartile]) for quartile in ("q1", "q2", "q3"))
        return Linear(offset=middle, scale=high - low)
    return Log1p() if kind == "log1p" else Normalization()


def _describe_number(config: Config, metadata: Config, folder: Path, key: str) -> NumberInput:
    preprocessing = metadata["preprocessing"]
    outliers: dict[str, float] = {}
    if preprocessing.get("outlier_strategy") is not None:
        if preprocessing["outlier_strategy"] not in FILLING:
            raise UnsupportedError(
                config["name"],
                f"its outlier strategy {preprocessing['outlier_strategy']!r} computes values from other rows",
                "Train with `outlier_strategy: fill_with_mean` or `fill_with_const`.",
            )
        outliers = {
            "outlier_mean": float(metadata["mean"]),
            "outlier_deviation": float(metadata["std"]),
            "outlier_threshold": float(preprocessing["outlier_threshold"]),
            "outlier_fill": float(preprocessing["computed_outlier_fill_value"]),
        }
    fill_value, how = filling(preprocessing), normalization(metadata)
    fill = math.nan if fill_value is None else float(fill_value)
    impossible = math.isnan(fill) or (isinstance(how, Log1p) and fill <= 0)
    return NumberInput(
        name=config["name"],
        column=config["column"],
        fill_value=None if impossible else fill,
        normalization=how,
        **outliers,
    )


def _describe_binary(config: Config, metadata: Config, folder: Path, key: str) -> BinaryInput:
    fill_value = filling(metadata["preprocessing"])
    return BinaryInput(
        name=config["name"],
        column=config["column"],
        fill_value=None if fill_value is None else str(fill_value),
        meanings=metadata.get("str2bool"),
    )


def _describe_category(config: Config, metadata: Config, folder: Path, key: str) -> CategoryInput:
    ids, frequencies = metadata["str2idx"], metadata["str2freq"]
    return CategoryInput(
        name=config["name"],
        column=config["column"],
        fill_value=filling(metadata["preprocessing"]),
        labels=list(metadata["idx2str"]),
        other_id=ids[UNKNOWN] if UNKNOWN in ids else ids[max(frequencies, key=frequencies.get)],
    )


def _describe_tokens(config: Config, metadata: Config, folder: Path, key: str) -> SetInput | BagInput:
    kind = SetInput if config["type"] == "set" else BagInput
    return kind(
        name=config["name"],
        column=config["column"],
        fill_value=filling(metadata["preprocessing"]),
        labels=list(metadata["idx2str"]),
        unknown_id=metadata["str2idx"][UNKNOWN],
        tokenizer=splitting_tokenizer(config["name"], metadata["preprocessing"]["tokenizer"]),
    )


def _describe_vector(config: Config, metadata: Config, folder: Path, key: str) -> VectorInput:
    size = int(metadata["vector_size"])
    fill_value = filling(metadata["preprocessing"])
    usable = fill_value is not None and len(str(fill_value).split()) == size
    return VectorInput(
        name=config["name"], column=config["column"], fill_value=str(fill_value) if usable else None, size=size
    )


def _describe_date(config: Config, metadata: Config, folder: Path, key: str) -> DateInput:
    preprocessing = metadata["preprocessing"]
    return DateInput(
        name=config["name"],
        column=config["column"],
        fill_value=filling(preprocessing) or None,  # without one, Ludwig uses the current time
        format=preprocessing.get("datetime_format"),
    )


DESCRIBERS: dict[str, Callable[[Config, Config, Path, str], InputFeature]] = {
    "text": describe_text,
    "sequence": describe_text,
    "number": _describe_number,
    "binary": _describe_binary,
    "category": _describe_category,
    "set": _describe_tokens,
    "bag": _describe_tokens,
    "vector": _describe_vector,
    "date": _describe_date,
}
