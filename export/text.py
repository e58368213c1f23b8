"""Describe text and sequence inputs: their tokenizers, their vocabularies, and the files that hold these."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from export.errors import UnsupportedError
from export.features import Config, filling
from handler.affixes import Affixes, parse_column
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
"""What the pinned Ludwig trains with: of `ngram` it only has old models."""

START, STOP, UNKNOWN = "<SOS>", "<EOS>", "<UNK>"
UNLIMITED = 10**9
"""Hugging Face says a number above this where a tokenizer has no maximum length."""


def describe_text(config: Config, metadata: Config, folder: Path, key: str) -> TextInput:
    """Describe a text or sequence input, and write the files that its tokenizer needs.

    key: tells this input's files from those of the others. Raises UnsupportedError if its tokens cannot be reproduced.
    """
    name, preprocessing = config["name"], metadata["preprocessing"]
    if (preprocessing.get("prompt") or {}).get("template"):
        raise UnsupportedError(name, "it is wrapped into a prompt template", "Train without `prompt`.")
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
    """Return the tokenizer of that name. Raises UnsupportedError if it needs Ludwig or spaCy."""
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
