"""Slot tags: one for each word in a dataset, one for each token in what Ludwig trains on."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from export.features import column_of
from export.rows import with_affix_columns
from export.text import SPLITTING
from handler.affixes import parse_column
from handler.tokenizers import Span, lowered_origins
from training.config import Config
from training.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    import pandas as pd

WORD = re.compile(r"\S+")
SUBWORDS = "hf_tokenizer"
SHOWN = 5


def ludwig_rows(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Return a dataset as Ludwig reads it: tags spread over tokens, and the columns of affixes that inputs ask for."""
    return with_affix_columns(spread_tags(config, dataset), config)


def spread_tags(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Return a dataset whose slot tags stand one for each token of the text, as a tagger learns them.

    The tag of a word goes to its first token; the others of that word go on with it (`I-` for a slot).
    config: with Ludwig's defaults filled in, since the tokenizer may be one of them.
    Raises DatasetError, naming rows, if a row has not one tag for each word.
    """
    for text, slots in _tagged(config):
        text_column, slots_column = parse_column(column_of(text))[0], column_of(slots)
        spans = _token_spans(text)
        rows = list(zip(dataset[text_column], dataset[slots_column], strict=True))
        _check_counts(rows, slots_column)
        spread = [" ".join(_spread(words, tags.split(), spans(words))) for words, tags in rows]
        dataset = dataset.assign(**{slots_column: spread})
    return dataset


def word_positions(config: Config, output: str) -> Callable[[str], list[int | None]] | None:
    """Return what tells where in a tagger's answer the words of a text stand: the undoing of `spread_tags`.

    A word's tag is that of its first token; None stands for a word without any. Returns None for an output that tags
    no text.
    """
    for text, slots in _tagged(config):
        if slots["name"] == output:
            spans = _token_spans(text)
            return lambda words: _first_tokens(words, spans(words))
    return None


def _tagged(config: Config) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the text input and the output of slots, if the configuration has both."""
    pairs = [
        (text, slots)
        for slots in config["output_features"]
        if slots.get("decoder", {}).get("type") == "tagger"
        for text in config["input_features"]
        if text["type"] in {"text", "sequence"}
    ]
    return pairs[:1]


def _first_tokens(text: str, token_spans: Iterable[Span]) -> list[int | None]:
    """Return the position of each word's first token, counted behind the start symbol."""
    words = [match.span() for match in WORD.finditer(text)]
    positions: dict[int, int] = {}
    for position, span in enumerate(token_spans, start=1):
        word = _word_at(words, span)
        if word is not None:
            positions.setdefault(word, position)
    return [positions.get(word) for word in range(len(words))]


def _word_at(words: Sequence[Span], token: Span) -> int | None:
    """Return the word that a token begins in."""
    start, end = token
    return next((i for i, (first, last) in enumerate(words) if first < max(end, start + 1) and last > start), None)


def _check_counts(rows: Sequence[tuple[Any, Any]], column: str) -> None:
    """Check that each row has a tag for each word."""
    for number, row in enumerate(rows):
        if not all(isinstance(value, str) for value in row):
            raise DatasetError(f"Row {number} must have a text, and tags with spaces between in {column!r}: {row}.")
    wrong = [
        f"row {number}: {len(words)} words, {len(tags)} tags ({text[:60]!r})"
        for number, (text, slots) in enumerate(rows)
        if len(words := text.split()) != len(tags := slots.split())
    ]
    if wrong:
        raise DatasetError(
            f"{len(wrong)} rows have not one tag in {column!r} for each word of the text: "
            + "; ".join(wrong[:SHOWN])
            + (" ..." if len(wrong) > SHOWN else ".")
        )


def _spread(text: str, tags: Sequence[str], token_spans: Iterable[Span]) -> list[str]:
    """Return the tag of each token, from the tag of each word."""
    words = [match.span() for match in WORD.finditer(text)]
    spread: list[str] = []
    previous = -1
    for span in token_spans:
        word = _word_at(words, span)
        if word is None:
            spread.append("O")
        elif word == previous and tags[word].startswith("B-"):
            spread.append(f"I-{tags[word][2:]}")
        else:
            spread.append(tags[word])
        previous = -1 if word is None else word
    return spread


def _token_spans(feature: Mapping[str, Any]) -> Callable[[str], list[Span]]:
    """Return what tells where the tokens of a text feature lie in a raw text."""
    preprocessing = feature["preprocessing"]
    name = preprocessing["tokenizer"]
    if parse_column(column_of(feature))[1] is not None and name != "space":
        raise ConfigError(f"Slots cannot be trained on affixes with the tokenizer {name!r}: use `space`.")
    if name == SUBWORDS:
        spans = _subword_spans(preprocessing["pretrained_model_name_or_path"])
    elif name in SPLITTING:
        splitter = SPLITTING[name]()
        spans = lambda text: list(splitter.spans(text))  # noqa: E731
    else:
        raise ConfigError(f"Slots cannot be trained with the tokenizer {name!r}: use one of {[*SPLITTING, SUBWORDS]}.")
    if not preprocessing["lowercase"]:
        return spans

    def lowered_spans(text: str) -> list[Span]:
        origins = lowered_origins(text)
        return [(origins[start], origins[end]) for start, end in spans(text.lower())]

    return lowered_spans


def _subword_spans(pretrained: str) -> Callable[[str], list[Span]]:
    from ludwig.utils.tokenizers import get_tokenizer_from_registry

    tokenizer = get_tokenizer_from_registry(SUBWORDS)(pretrained_model_name_or_path=pretrained).tokenizer

    def spans(text: str) -> list[Span]:
        encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        return [(start, end) for start, end in encoding["offset_mapping"]]

    return spans
