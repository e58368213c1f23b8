"""Describe Ludwig's input features as the handler's, and write the files that they need.

Adding an input type is adding a function here and naming it in `DESCRIBERS`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from export.errors import UnsupportedError
from export.model import SourceModel
from handler.inputs import InputFeature, TextInput, Vocabulary
from handler.tokenizers import (
    CharactersTokenizer,
    CommaTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SplittingTokenizer,
    StrippedTokenizer,
    SubwordTokenizer,
    UnderscoreTokenizer,
    UntokenizedTokenizer,
)

SPLITTING: dict[str, Callable[[], SplittingTokenizer]] = {
    "space": SpaceTokenizer,
    "space_punct": SpacePunctTokenizer,
    "characters": CharactersTokenizer,
    "comma": CommaTokenizer,
    "underscore": UnderscoreTokenizer,
    "untokenized": UntokenizedTokenizer,
    "stripped": StrippedTokenizer,
}
START, STOP = "<SOS>", "<EOS>"
UNLIMITED = 10**9
"""Hugging Face says a number above this where a tokenizer has no maximum length."""


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
        features.append(describe(config, model.metadata[config["name"]], folder, str(index)))
    return features


def _describe_text(config: Mapping[str, Any], metadata: Mapping[str, Any], folder: Path, key: str) -> TextInput:
    name, preprocessing = config["name"], metadata["preprocessing"]
    if preprocessing.get("cache_encoder_embeddings"):
        raise UnsupportedError(
            name,
            "its encoder's answers were cached before training, so that the model does not hold the encoder",
            "Train with `cache_encoder_embeddings: false`.",
        )
    if (preprocessing.get("prompt") or {}).get("template"):
        raise UnsupportedError(name, "it is wrapped into a prompt template", "Train without `prompt`.")
    subwords = preprocessing["tokenizer"] == "hf_tokenizer"
    return TextInput(
        **(_subword_parts if subwords else _vocabulary_parts)(name, metadata, folder, key),
        name=name,
        column=config["column"],
        length=int(metadata["max_sequence_length"]),
        lowercase=bool(preprocessing["lowercase"]),
        padding=preprocessing["padding"],
        fill_value=_fill_value(preprocessing),
    )


def _vocabulary_parts(name: str, metadata: Mapping[str, Any], folder: Path, key: str) -> dict[str, Any]:
    preprocessing = metadata["preprocessing"]
    tokenizer = SPLITTING.get(preprocessing["tokenizer"])
    if tokenizer is None:
        raise UnsupportedError(
            name,
            f"its tokenizer {preprocessing['tokenizer']!r} cannot be reproduced without Ludwig",
            f"Train with one of {', '.join([*SPLITTING, 'hf_tokenizer'])}.",
        )
    file = f"vocabulary-{key}.json"
    (folder / file).write_bytes(msgspec.json.encode(metadata["idx2str"]) + b"\n")
    ids = metadata["str2idx"]
    return {
        "tokenizer": tokenizer(),
        "vocabulary": Vocabulary(
            file=file,
            unknown_id=ids[metadata.get("unknown_symbol", preprocessing["unknown_symbol"])],
            start_id=ids[START],
            stop_id=ids[STOP],
        ),
        "padding_id": ids[metadata.get("padding_symbol", preprocessing["padding_symbol"])],
    }


def _subword_parts(name: str, metadata: Mapping[str, Any], folder: Path, key: str) -> dict[str, Any]:
    from ludwig.utils.tokenizers import HFTokenizer, get_tokenizer_from_registry

    preprocessing = metadata["preprocessing"]
    tokenizer = get_tokenizer_from_registry("hf_tokenizer")(
        pretrained_model_name_or_path=preprocessing["pretrained_model_name_or_path"]
    )
    backend = getattr(tokenizer.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedError(
            name,
            f"the tokenizer of {preprocessing['pretrained_model_name_or_path']!r} exists in Python only",
            "Train with a model whose tokenizer has a `tokenizer.json`.",
        )
    backend.no_truncation()
    backend.no_padding()
    file = f"tokenizer-{key}.json"
    (folder / file).write_text(backend.to_str(), encoding="utf-8")
    # Of Ludwig's two wrappers only this one asks Hugging Face to truncate.
    cuts = isinstance(tokenizer, HFTokenizer) and tokenizer.tokenizer.model_max_length < UNLIMITED
    return {
        "tokenizer": SubwordTokenizer(file=file, max_tokens=tokenizer.tokenizer.model_max_length if cuts else None),
        "padding_id": tokenizer.convert_token_to_id(tokenizer.get_pad_token()),
    }


def _fill_value(preprocessing: Mapping[str, Any]) -> str | None:
    """Return what stands for a missing value, or None where Ludwig has nothing that serves a single row."""
    if preprocessing["missing_value_strategy"] not in {"fill_with_const", "fill_with_mode"}:
        return None
    value = preprocessing.get("computed_fill_value")
    return None if value is None else str(value)


DESCRIBERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], Path, str], InputFeature]] = {
    "text": _describe_text,
    "sequence": _describe_text,
}
