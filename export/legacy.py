"""Support models of Ludwig 0.10 and older: restore the removed `ngram` tokenizer and reject tokenizers that changed.

Source: `ludwig/utils/tokenizers.py` in Ludwig 0.10.4, compared with 0.11.0 and 0.17.10.
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
"""The Ludwig version that removed torchtext and the `ngram` tokenizer."""
CHANGED = {
    "comma": "splits on commas alone and drops empty pieces",
    "underscore": "splits on underscores alone and drops empty pieces",
    **dict.fromkeys(("bert", "clip", "gpt2bpe", "sentencepiece"), "comes from torchtext"),
}
"""Tokenizers that behave differently in later versions, and what they do in the old ones."""


class LegacyNgramTokenizer:
    """Ludwig 0.10's `ngram` tokenizer: words, then pairs of adjacent words.

    Pairs are formed before empty words (between two spaces) are dropped. Ludwig 0.10 passes `ngram_size` to this
    tokenizer when it builds a vocabulary, but not when it encodes, where n is always 2.
    """

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        words = text.strip().split(" ")
        return [token for token in [*words, *map(" ".join, pairwise(words))] if token]


def check_tokenizers(config: Mapping[str, Any]) -> None:
    """Check that the installed Ludwig tokenizes each input the way the model was trained.

    Args:
        config: The content of `model_hyperparameters.json`.

    Raises:
        UnsupportedError: A tokenizer has changed since, or does not exist in Ludwig.
    """
    version = str(config.get("ludwig_version", "unknown"))
    for feature, tokenizer in _tokenizers(config).items():
        if tokenizer in CHANGED and _is_legacy(version):
            raise UnsupportedError(
                feature,
                f"its tokenizer {tokenizer!r} in Ludwig {version} {CHANGED[tokenizer]}, but the current Ludwig splits "
                "text differently, so the bundle would give other answers than the original model",
                "Retrain the model with the current Ludwig. Old models with the tokenizers `space`, `space_punct`, "
                "`characters`, `ngram`, `untokenized`, `stripped` or `hf_tokenizer` can be exported.",
            )
        if tokenizer == NGRAM and not _is_legacy(version):
            raise UnsupportedError(
                feature,
                f"its tokenizer {tokenizer!r} is not part of Ludwig {version}, so it is a custom tokenizer that was "
                "registered where the model was trained",
                "Train with `space`, or with `characters` for short or misspelled texts.",
            )
        if tokenizer == SUBWORDS and _is_legacy(version):
            say(
                f"{feature}: Ludwig {version} had its own BERT tokenizer, which truncated texts at NUL and treated "
                "some rare characters differently; the bundle matches the current Ludwig (docs/legacy-models.md)."
            )


@contextmanager
def legacy_tokenizers(config: Mapping[str, Any]) -> Iterator[None]:
    """Register the `ngram` tokenizer with Ludwig inside the block, if a model uses it."""
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
    """Return whether a version is older than the change; models without a version are older still."""
    numbers = version.split(".")[:2]
    return not all(number.isdecimal() for number in numbers) or tuple(map(int, numbers)) < CHANGED_IN
