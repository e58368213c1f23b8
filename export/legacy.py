"""What models of Ludwig 0.10 and older need: a tokenizer that later versions lost, and a refusal of those that changed.

Source: `ludwig/utils/tokenizers.py` of Ludwig 0.10.4, beside that of 0.11.0 and 0.17.10.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from export.console import say
from export.errors import UnsupportedError

NGRAM = "ngram"
SUBWORDS = "hf_tokenizer"
CHANGED_IN = (0, 11)
"""The version of Ludwig that dropped torchtext, and with it `ngram`."""
CHANGED = {
    "comma": "splits on commas alone and drops empty pieces",
    "underscore": "splits on underscores alone and drops empty pieces",
    **dict.fromkeys(("bert", "clip", "gpt2bpe", "sentencepiece"), "is torchtext's"),
}
"""Tokenizers that later versions have under the same name, and what they are in the old ones."""


class LegacyNgramTokenizer:
    """Words, then pairs of neighbours: the pairs are made before the empty words between two spaces are dropped.

    Ludwig 0.10 gives `ngram_size` to this tokenizer when it builds a vocabulary, but not when it encodes: then n is 2.
    """

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        words = text.strip().split(" ")
        return [token for token in [*words, *map(" ".join, pairwise(words))] if token]


def check_tokenizers(config: Mapping[str, Any]) -> None:
    """Raise UnsupportedError if Ludwig's present tokenizer of an input is not the one that the model was trained with.

    config: `model_hyperparameters.json`.
    """
    version = str(config.get("ludwig_version", "unknown"))
    for feature, tokenizer in _tokenizers(config).items():
        if tokenizer in CHANGED and _is_legacy(version):
            raise UnsupportedError(
                feature,
                f"its tokenizer {tokenizer!r} of Ludwig {version} {CHANGED[tokenizer]}, and the Ludwig that export "
                "compares with splits in another way, so that it would answer otherwise than the model did",
                "Train the model anew with a present Ludwig; of old models, those with `space`, `space_punct`, "
                "`characters`, `ngram`, `untokenized`, `stripped` or `hf_tokenizer` can be exported.",
            )
        if tokenizer == NGRAM and not _is_legacy(version):
            raise UnsupportedError(
                feature,
                f"its tokenizer {tokenizer!r} is not Ludwig's: version {version} has none of that name, so it was "
                "added where the model was trained",
                "Train with `space`, or with `characters` for short or misspelt texts.",
            )
        if tokenizer == SUBWORDS and _is_legacy(version):
            say(
                f"{feature}: Ludwig {version} had a BERT tokenizer of its own, which cut texts at NUL and read a few "
                "rare characters otherwise; the bundle answers as a present Ludwig does (docs/legacy-models.md)."
            )


@contextmanager
def legacy_tokenizers(config: Mapping[str, Any]) -> Iterator[None]:
    """Let Ludwig know the tokenizer `ngram` for the while, if a model asks for it."""
    if NGRAM not in _tokenizers(config).values():
        yield
        return
    from ludwig.utils.tokenizers import tokenizer_registry

    tokenizer_registry[NGRAM] = LegacyNgramTokenizer
    try:
        yield
    finally:
        del tokenizer_registry[NGRAM]


def _tokenizers(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the tokenizer of each input feature that has one."""
    return {
        feature["name"]: preprocessing["tokenizer"]
        for feature in config.get("input_features", ())
        if (preprocessing := feature.get("preprocessing") or {}).get("tokenizer")
    }


def _is_legacy(version: str) -> bool:
    """Tell whether a version is older than the change; models that name none are older still."""
    numbers = version.split(".")[:2]
    return not all(number.isdecimal() for number in numbers) or tuple(map(int, numbers)) < CHANGED_IN
