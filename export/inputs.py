"""Describe Ludwig's input features as the handler's, and write the files that they need.

Adding an input type is adding a function here and naming it in `DESCRIBERS`.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from export.errors import UnsupportedError
from export.model import SourceModel
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
from handler.text import TextInput, Vocabulary
from handler.tokenizers import (
    CharactersTokenizer,
    CommaTokenizer,
    NgramTokenizer,
    PiecesTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SplittingTokenizer,
    StrippedTokenizer,
    SubwordTokenizer,
    UnderscoreTokenizer,
    UntokenizedTokenizer,
)

Config = Mapping[str, Any]

SPLITTING: dict[str, Callable[[], SplittingTokenizer]] = {
    "space": SpaceTokenizer,
    "space_punct": SpacePunctTokenizer,
    "ngram": NgramTokenizer,
    "characters": CharactersTokenizer,
    "comma": CommaTokenizer,
    "underscore": UnderscoreTokenizer,
    "untokenized": UntokenizedTokenizer,
    "stripped": StrippedTokenizer,
}
PIECES = ("bert", "gpt2bpe", "sentencepiece", "clip")
SUBWORDS = "hf_tokenizer"
TRAINABLE = [*(name for name in SPLITTING if name != "ngram"), *PIECES, SUBWORDS]
"""What the pinned Ludwig trains with: of `ngram` it only has old models."""

START, STOP, UNKNOWN = "<SOS>", "<EOS>", "<UNK>"
UNLIMITED = 10**9
"""Hugging Face says a number above this where a tokenizer has no maximum length."""

FILLING = {"fill_with_const", "fill_with_mode", "fill_with_mean", "fill_with_false", "fill_with_true"}
"""Strategies for missing values that need no other rows."""


def describe_inputs(model: SourceModel, folder: Path) -> list[InputFeature]:
    """Describe every input feature, and write its vocabulary or tokenizer into a bundle's folder.

    Raises UnsupportedError for a feature that cannot be reproduced without Ludwig.
    """
    features = []
    for index, config in enumerate(model.config["input_features"]):
        describe = DESCRIBERS.get(config["type"])
        if describe is None:
            raise UnsupportedError(
                config["name"],
                f"inputs of type {config['type']!r} are not supported",
                f"Supported are {', '.join(DESCRIBERS)}.",
            )
        metadata = model.metadata[config["name"]]
        if metadata["preprocessing"].get("cache_encoder_embeddings"):
            raise UnsupportedError(
                config["name"],
                "its encoder's answers were cached before training, so that the model does not hold the encoder",
                "Train with `cache_encoder_embeddings: false`.",
            )
        features.append(describe(config, metadata, folder, str(index)))
    return features


def normalization(metadata: Config) -> AnyNormalization:
    """Describe how Ludwig normalises a number feature, input or output."""
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


def _describe_text(config: Config, metadata: Config, folder: Path, key: str) -> TextInput:
    name, preprocessing = config["name"], metadata["preprocessing"]
    if (preprocessing.get("prompt") or {}).get("template"):
        raise UnsupportedError(name, "it is wrapped into a prompt template", "Train without `prompt`.")
    fill_value = _fill_value(preprocessing)
    return TextInput(
        **(_subword_parts if preprocessing["tokenizer"] == SUBWORDS else _vocabulary_parts)(
            name, metadata, folder, key
        ),
        name=name,
        column=config["column"],
        length=int(metadata["max_sequence_length"]),
        lowercase=bool(preprocessing["lowercase"]),
        padding=preprocessing["padding"],
        fill_value=None if fill_value is None else str(fill_value),
    )


def _vocabulary_parts(name: str, metadata: Config, folder: Path, key: str) -> dict[str, Any]:
    preprocessing = metadata["preprocessing"]
    file = f"vocabulary-{key}.json"
    (folder / file).write_bytes(msgspec.json.encode(metadata["idx2str"]) + b"\n")
    ids = metadata["str2idx"]
    pieces = preprocessing["tokenizer"] in PIECES
    return {
        "tokenizer": _pieces_tokenizer(name, preprocessing, folder, key)
        if pieces
        else _splitting_tokenizer(name, preprocessing["tokenizer"]),
        "vocabulary": Vocabulary(
            file=file,
            unknown_id=ids[metadata.get("unknown_symbol", preprocessing.get("unknown_symbol", UNKNOWN))],
            start_id=ids[START],
            stop_id=ids[STOP],
        ),
        "padding_id": ids[metadata.get("padding_symbol", preprocessing["padding_symbol"])],
    }


def _splitting_tokenizer(feature: str, name: str) -> SplittingTokenizer:
    tokenizer = SPLITTING.get(name)
    if tokenizer is None:
        raise UnsupportedError(
            feature,
            f"its tokenizer {name!r} cannot be reproduced without Ludwig",
            f"Train with one of {', '.join(TRAINABLE)}.",
        )
    return tokenizer()


def _pieces_tokenizer(name: str, preprocessing: Config, folder: Path, key: str) -> PiecesTokenizer:
    file = f"tokenizer-{key}.json"
    _write_tokenizer(_ludwig_tokenizer(name, preprocessing), name, folder / file)
    return PiecesTokenizer(file=file)


def _subword_parts(name: str, metadata: Config, folder: Path, key: str) -> dict[str, Any]:
    from ludwig.utils.tokenizers import HFTokenizer

    tokenizer = _ludwig_tokenizer(name, metadata["preprocessing"])
    file = f"tokenizer-{key}.json"
    _write_tokenizer(tokenizer, name, folder / file)
    # Of Ludwig's two wrappers only this one asks Hugging Face to truncate.
    cuts = isinstance(tokenizer, HFTokenizer) and tokenizer.tokenizer.model_max_length < UNLIMITED
    return {
        "tokenizer": SubwordTokenizer(file=file, max_tokens=tokenizer.tokenizer.model_max_length if cuts else None),
        "padding_id": tokenizer.convert_token_to_id(tokenizer.get_pad_token()),
    }


def _ludwig_tokenizer(name: str, preprocessing: Config) -> Any:
    """Return Ludwig's own wrapper of a Hugging Face tokenizer, made as Ludwig makes it."""
    from ludwig.utils.tokenizers import get_tokenizer_from_registry

    pretrained = preprocessing.get("pretrained_model_name_or_path")
    try:
        return get_tokenizer_from_registry(preprocessing["tokenizer"])(
            vocab_file=preprocessing.get("vocab_file"), pretrained_model_name_or_path=pretrained
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedError(
            name,
            f"the files of its tokenizer {pretrained or preprocessing['tokenizer']!r} cannot be had ({reason})",
            "A Ludwig model does not hold them: export where the hub is reached, or where the folder still is.",
        ) from None


def _write_tokenizer(tokenizer: Any, name: str, path: Path) -> None:
    backend = getattr(tokenizer.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedError(
            name, "its tokenizer exists in Python only", "Train with a model whose tokenizer has a `tokenizer.json`."
        )
    backend.no_truncation()
    backend.no_padding()
    path.write_text(backend.to_str(), encoding="utf-8")


def _describe_number(config: Config, metadata: Config, folder: Path, key: str) -> NumberInput:
    preprocessing = metadata["preprocessing"]
    outliers: dict[str, float] = {}
    if preprocessing.get("outlier_strategy") is not None:
        if preprocessing["outlier_strategy"] not in FILLING:
            raise UnsupportedError(
                config["name"],
                f"its outliers are handled by {preprocessing['outlier_strategy']!r}, which needs other rows",
                "Train with `outlier_strategy: fill_with_mean` or `fill_with_const`.",
            )
        outliers = {
            "outlier_mean": float(metadata["mean"]),
            "outlier_deviation": float(metadata["std"]),
            "outlier_threshold": float(preprocessing["outlier_threshold"]),
            "outlier_fill": float(preprocessing["computed_outlier_fill_value"]),
        }
    fill_value, how = _fill_value(preprocessing), normalization(metadata)
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
    fill_value = _fill_value(metadata["preprocessing"])
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
        fill_value=_fill_value(metadata["preprocessing"]),
        labels=list(metadata["idx2str"]),
        other_id=ids[UNKNOWN] if UNKNOWN in ids else ids[max(frequencies, key=frequencies.get)],
    )


def _describe_tokens(config: Config, metadata: Config, folder: Path, key: str) -> SetInput | BagInput:
    kind = SetInput if config["type"] == "set" else BagInput
    return kind(
        name=config["name"],
        column=config["column"],
        fill_value=_fill_value(metadata["preprocessing"]),
        labels=list(metadata["idx2str"]),
        unknown_id=metadata["str2idx"][UNKNOWN],
        tokenizer=_splitting_tokenizer(config["name"], metadata["preprocessing"]["tokenizer"]),
    )


def _describe_vector(config: Config, metadata: Config, folder: Path, key: str) -> VectorInput:
    size = int(metadata["vector_size"])
    fill_value = _fill_value(metadata["preprocessing"])
    usable = fill_value is not None and len(str(fill_value).split()) == size
    return VectorInput(
        name=config["name"], column=config["column"], fill_value=str(fill_value) if usable else None, size=size
    )


def _describe_date(config: Config, metadata: Config, folder: Path, key: str) -> DateInput:
    preprocessing = metadata["preprocessing"]
    return DateInput(
        name=config["name"],
        column=config["column"],
        fill_value=_fill_value(preprocessing) or None,  # without one, Ludwig answers for the moment of the question
        format=preprocessing.get("datetime_format"),
    )


def _fill_value(preprocessing: Config) -> str | float | None:
    """Return what stands for a missing value, or None where Ludwig has nothing that serves a single row."""
    if preprocessing["missing_value_strategy"] not in FILLING:
        return None
    value = preprocessing.get("computed_fill_value")
    return value if value is None or isinstance(value, (str, float)) else str(value)


DESCRIBERS: dict[str, Callable[[Config, Config, Path, str], InputFeature]] = {
    "text": _describe_text,
    "sequence": _describe_text,
    "number": _describe_number,
    "binary": _describe_binary,
    "category": _describe_category,
    "set": _describe_tokens,
    "bag": _describe_tokens,
    "vector": _describe_vector,
    "date": _describe_date,
}
