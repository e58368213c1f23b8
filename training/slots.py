"""Convert slot tags from one per word, as datasets have them, to one per token, as Ludwig trains on them."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from export.features import column_of, is_tagger, tagged_text
from export.rows import with_affix_columns
from export.text import SPLITTING
from handler.affixes import parse_column
from handler.alignment import word_positions, word_spans
from handler.decoding import BEGIN, INSIDE, OUTSIDE
from handler.ngrams import Ngrams
from handler.tokenizers import Span, raw_spans
from training.config import Config
from training.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    import pandas as pd

SUBWORDS = "hf_tokenizer"
SHOWN = 5


def ludwig_rows(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Return a dataset as Ludwig reads it: one tag per token, and the affix columns that the inputs need."""
    return with_affix_columns(spread_tags(config, dataset), config)


def spread_tags(config: Config, dataset: "pd.DataFrame") -> "pd.DataFrame":
    """Return a dataset with one slot tag per token of the text, as a tagger learns them.

    Args:
        config: A configuration with Ludwig's defaults filled in, because the tokenizer may be one of them.
        dataset: Rows with one tag per word.

    Raises:
        ConfigError: The tokenizer or the padding does not support slots.
        DatasetError: Rows have more or fewer tags than words. The message lists them.
    """
    for text, slots in _tagged(config):
        text_column, slots_column = parse_column(column_of(text))[0], column_of(slots)
        _check_padding(text, slots)
        spans = _token_spans(text)
        rows = list(zip(dataset[text_column], dataset[slots_column], strict=True))
        _check_counts(dataset, text_column, slots_column)
        spread = [" ".join(_spread(words, tags.split(), spans(words))) for words, tags in rows]
        dataset = dataset.assign(**{slots_column: spread})
    return dataset


def _tagged(config: Config) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return one pair for each tagger: the configurations of the tagged text and of the tagger."""
    text = tagged_text(config)
    return [(dict(text), slots) for slots in config["output_features"] if text is not None and is_tagger(slots)]


def _check_padding(text: Mapping[str, Any], slots: Mapping[str, Any]) -> None:
    """Check that tags and text are padded on the same side: otherwise tags are not at the positions of their tokens."""
    sides = [feature.get("preprocessing", {}).get("padding", "right") for feature in (text, slots)]
    if sides[0] != sides[1]:
        raise ConfigError(
            f"The text {text['name']!r} has `padding: {sides[0]}` and {slots['name']!r} has `padding: {sides[1]}`, so "
            "tags and tokens do not line up: set the same `padding` for both in `preprocessing`."
        )


def check_tags(config: Config, dataset: "pd.DataFrame") -> None:
    """Check that each row has one tag per word of its text.

    Args:
        config: A configuration, with or without Ludwig's defaults.
        dataset: Rows whose index is their position in the file, from 0, for error messages.

    Raises:
        DatasetError: A row has more or fewer tags than words. The message lists the rows, counted from 1.
    """
    for text, slots in _tagged(config):
        _check_counts(dataset, parse_column(column_of(text))[0], column_of(slots))


def _check_counts(dataset: "pd.DataFrame", text_column: str, column: str) -> None:
    rows = list(zip(dataset.index + 1, dataset[text_column], dataset[column], strict=True))
    for number, text, slots in rows:
        if not isinstance(text, str) or not isinstance(slots, str):
            raise DatasetError(
                f"Row {number} has {text!r} in {text_column!r} and {slots!r} in {column!r}; expected a text and "
                "space-separated tags."
            )
    wrong = [
        f"row {number}: {len(words)} words, {len(tags)} tags ({text[:60]!r})"
        for number, text, slots in rows
        if len(words := text.split()) != len(tags := slots.split())
    ]
    if wrong:
        raise DatasetError(
            f"{len(wrong)} rows (the first row below the header is 1) need one tag in {column!r} for each word of the "
            "text: " + "; ".join(wrong[:SHOWN]) + (" ..." if len(wrong) > SHOWN else ".")
        )


def _spread(text: str, tags: Sequence[str], token_spans: Iterable[Span]) -> list[str]:
    """Return the tag of each token, from the tag of each word: the inverse of `handler.alignment.word_tags`.

    Args:
        text: The raw text.
        tags: One tag per word.
        token_spans: Spans of the tokens, in reading order.

    Returns:
        One tag per token. The first token of a word has the word's tag, because the handler reads it there. Other
        tokens that overlap the word have the same tag with `I-` instead of `B-`. Tokens between words are outside.
    """
    spans, words = list(token_spans), word_spans(text)
    begun: dict[int, int] = {}
    for word, position in enumerate(word_positions(text, enumerate(spans))):
        if position is not None:
            begun.setdefault(position, word)
    # Assign each token: to the word that it begins, else to the word that it overlaps, else to no word.
    ends = [end for _, end in words]
    spread: list[str] = []
    for position, (start, end) in enumerate(spans):
        word = begun.get(position, bisect_right(ends, start))
        if position in begun:
            spread.append(tags[word])
        elif start < end and word < len(words) and words[word][0] < end:
            spread.append(INSIDE + tags[word][len(BEGIN) :] if tags[word].startswith(BEGIN) else tags[word])
        else:
            spread.append(OUTSIDE)
    return spread


def _token_spans(text: Mapping[str, Any]) -> Callable[[str], list[Span]]:
    """Return a function that finds the spans of a text feature's tokens in a raw text."""
    preprocessing = text["preprocessing"]
    name = preprocessing["tokenizer"]
    made = parse_column(column_of(text))[1]
    if isinstance(made, Ngrams):
        raise ConfigError("Slots cannot be trained on n-grams, which lose the order of words: read the text itself.")
    if made is not None and name != "space":
        raise ConfigError(f"Slots cannot be trained on affixes with the tokenizer {name!r}: use `space`.")
    if name == SUBWORDS:
        spans = _subword_spans(text["name"], preprocessing["pretrained_model_name_or_path"])
    elif name in SPLITTING:
        splitter = SPLITTING[name]()
        spans = lambda words: list(splitter.spans(words))  # noqa: E731
    else:
        raise ConfigError(f"Slots cannot be trained with the tokenizer {name!r}: use one of {[*SPLITTING, SUBWORDS]}.")
    if not preprocessing["lowercase"]:
        return spans
    return lambda words: raw_spans(words, spans(words.lower()))


def _subword_spans(feature: str, pretrained: str) -> Callable[[str], list[Span]]:
    from ludwig.utils.tokenizers import get_tokenizer_from_registry

    tokenizer = get_tokenizer_from_registry(SUBWORDS)(pretrained_model_name_or_path=pretrained).tokenizer
    special = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    before = [*special, 0].index(0)
    if before != 1:  # Ludwig adds exactly one start symbol before the tags
        raise ConfigError(
            f"The tokenizer of {feature!r} adds {before} special tokens before a text, but slots need exactly one, "
            "such as BERT's [CLS]: use another pretrained model."
        )

    def spans(text: str) -> list[Span]:
        encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        return [(start, end) for start, end in encoding["offset_mapping"]]

    return spans
