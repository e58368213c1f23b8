"""Describe text and sequence inputs, and write the files of their tokenizers and vocabularies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from export.errors import UnsupportedError
from export.features import Config, filling
from handler.affixes import Affixes, parse_column
from handler.context import Context
from handler.ngrams import Ngrams
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
"""The tokenizers that the pinned Ludwig can train with. Only models of old versions use `ngram`."""

START, STOP, UNKNOWN = "<SOS>", "<EOS>", "<UNK>"
UNLIMITED = 10**9
"""Hugging Face reports a number above this if a tokenizer has no maximum length."""


def describe_text(config: Config, metadata: Config, folder: Path, key: str) -> TextInput:
    """Describe a text or sequence input, and write the files that its tokenizer needs.

    Args:
        config: Ludwig's configuration of the input feature.
        metadata: Ludwig's metadata of the input feature.
        folder: The bundle's folder.
        key: A part of the file names that distinguishes this input's files from those of other inputs.

    Returns:
        The description.

    Raises:
        UnsupportedError: The input's tokens cannot be reproduced without Ludwig.
    """
    name, preprocessing = config["name"], metadata["preprocessing"]
    if (preprocessing.get("prompt") or {}).get("template"):
        raise UnsupportedError(name, "its text is wrapped in a prompt template", "Train without `prompt`.")
    fill_value = filling(preprocessing)
    column, made = parse_column(config["column"])
    return TextInput(
        **(_subword_parts if preprocessing["tokenizer"] == SUBWORDS else _vocabulary_parts)(
            name, metadata, folder, key
        ),
        name=name,
        column=column,
        length=int(metadata["max_sequence_length"]),
        lowercase=bool(preprocessing["lowercase"]),
        padding=preprocessing["padding"],
        fill_value=None if fill_value is None else str(fill_value),
        affixes=made if isinstance(made, Affixes) else None,
        ngrams=made if isinstance(made, Ngrams) else None,
        context=made if isinstance(made, Context) else None,
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
        else splitting_tokenizer(name, preprocessing["tokenizer"]),
        "vocabulary": Vocabulary(
            file=file,
            unknown_id=ids[metadata.get("unknown_symbol", preprocessing.get("unknown_symbol", UNKNOWN))],
            start_id=ids[START],
            stop_id=ids[STOP],
        ),
        "padding_id": ids[metadata.get("padding_symbol", preprocessing["padding_symbol"])],
    }


def splitting_tokenizer(feature: str, name: str) -> SplittingTokenizer:
    """Return the handler's version of a tokenizer that only splits text.

    Args:
        feature: The name of the feature, for the error.
        name: Ludwig's name of the tokenizer, such as `space`.

    Returns:
        The tokenizer.

    Raises:
        UnsupportedError: The tokenizer needs Ludwig or spaCy.
    """
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
    # Ludwig has two wrappers for these tokenizers, and only this one asks Hugging Face to truncate.
    cuts = isinstance(tokenizer, HFTokenizer) and tokenizer.tokenizer.model_max_length < UNLIMITED
    return {
        "tokenizer": SubwordTokenizer(file=file, max_tokens=tokenizer.tokenizer.model_max_length if cuts else None),
        "padding_id": tokenizer.convert_token_to_id(tokenizer.get_pad_token()),
    }


def _ludwig_tokenizer(name: str, preprocessing: Config) -> Any:
    """Return Ludwig's own wrapper of a Hugging Face tokenizer, created as Ludwig creates it."""
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
            f"the files of its tokenizer {pretrained or preprocessing['tokenizer']!r} cannot be loaded ({reason})",
            "A Ludwig model does not contain them: export on a machine that can reach the Hugging Face Hub, or that "
            "has the tokenizer's folder.",
        ) from None


def _write_tokenizer(tokenizer: Any, name: str, path: Path) -> None:
    backend = getattr(tokenizer.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedError(
            name,
            "its tokenizer is written in Python only",
            "Train with a pretrained model whose tokenizer has a `tokenizer.json`.",
        )
    backend.no_truncation()
    backend.no_padding()
    path.write_text(backend.to_str(), encoding="utf-8")
