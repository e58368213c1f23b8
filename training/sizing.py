"""Replace `auto` in a configuration by numbers that depend on the dataset: its size and the length of its texts."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from export.features import column_of, is_tagger, part_of, tagged_text
from export.text import SPLITTING, SUBWORDS
from handler.affixes import Affixes, parse_column
from handler.context import Context
from training.config import SPLIT, Config
from training.dataset import TRAIN

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"
TRANSFORMERS = ("auto_transformer", "bert")
LONGEST = 1024
LONGEST_SUBWORDS = 256
LONGEST_WORDS = 167
SHARE, MARGIN = 99.5, 1.1
"""`max_sequence_length` is this percentile of the texts' lengths, times this margin."""
TAGGED_MARGIN, SHORTEST_TAGGED = 1.5, 26
"""Slots beyond the sequence's end are lost, so a tagged text gets a larger margin, and at least this length."""
LENGTHS = ("sequence_length", "max_sequence_length")
"""Settings of a feature's length. Ludwig never makes a sequence longer than its longest training row, except with
`sequence_length`, so tagged texts use that one: a message may be longer than all training rows."""
DEFAULT_BATCH = 32
FEW_ROWS, SMALL_BATCH = 2000, 32
VERY_FEW_ROWS, SMALLEST_BATCH = 500, 16
"""Small batches give small datasets more steps in each epoch, and each epoch has the cost of a checkpoint."""


class Need(NamedTuple):
    """How long a network has to train.

    Attributes:
        steps: Number of batches that it needs.
        fewest_epochs: Minimum number of epochs, for large datasets.
        most_epochs: Maximum number of epochs: each one writes a checkpoint, so more of them cost more than they help.
    """

    steps: int
    fewest_epochs: int
    most_epochs: int

    def epochs(self, rows: int, batch_size: int) -> int:
        """Return the number of epochs that makes enough batches, within the limits."""
        needed = math.ceil(self.steps / math.ceil(max(rows, 1) / batch_size))
        return int(np.clip(needed, self.fewest_epochs, self.most_epochs))


ON_VECTORS = Need(1000, 8, 30)
"""A layer on frozen or fitted vectors."""
FINE_TUNED = Need(2500, 3, 5)
"""A pretrained transformer that is trained: it needs few epochs, and each one takes long."""
FINE_TUNED_TAGGER = Need(200, 3, 12)
"""The same with a tagger, whose random layer learns a label for each token."""
RATE, ROWS_OF_RATE, HIGHEST_RATE = 1e-4, 1500, 3e-4
"""Learning rate of a transformer that is trained, the number of rows up to which it holds, and the highest one.

Few rows are fitted before the transformer changes much, and a low rate keeps what it knows. Many rows have more to
teach. The rate grows with the square root of their number.
"""
FROM_NOTHING = {
    "embed": Need(2500, 25, 120),
    "rnn": Need(1200, 20, 120),
    "cnnrnn": Need(700, 15, 100),
    "parallel_cnn": Need(600, 5, 100),
}
"""Networks that start from random weights, by the type of the first encoder."""


def sized(config: Config, dataset: "pd.DataFrame", copies: int = 0) -> Config:
    """Return a configuration with numbers in place of `auto`.

    `max_sequence_length: auto` of a text input becomes the smallest length that fits nearly all rows: Ludwig computes
    padding, too, and its mean of a transformer's outputs counts it, except with MiniLM (see `export.pooling`).
    `sequence_length: auto` of a tagged text and of its tags leaves room for longer messages.
    `trainer.epochs: auto` becomes the number of epochs that makes as many batches as the network needs: an epoch of few
    rows is only a few batches. Then `trainer.batch_size` is the largest: few rows get smaller batches.
    `trainer.learning_rate: auto` of a transformer that is trained grows with the number of rows.

    Args:
        config: A configuration without Ludwig's defaults. `trainer.batch_size: auto` is Ludwig's own and stays, like
            `trainer.learning_rate: auto` of other networks.
        dataset: All rows, with the source columns of the inputs. With a column `split`, only training rows count.
        copies: Number of changed copies of each training row (see training/augmentation.py): an epoch of more rows is
            more batches, so fewer epochs are enough.
    """
    if SPLIT in dataset:
        dataset = dataset[dataset[SPLIT] == TRAIN]
    length = _tagged_length(config, dataset)
    tagged = None if length is None else (str((tagged_text(config) or {})["name"]), length)
    rows = len(dataset) * (1 + copies)
    trainer = _with_rate(config, _with_epochs(config, rows), rows)
    return {
        **config,
        "input_features": [
            _with_lengths(feature, partial(_input_length, feature, dataset, tagged))
            for feature in config["input_features"]
        ],
        "output_features": [_output_with_lengths(feature, length) for feature in config["output_features"]],
        **({"trainer": trainer} if trainer else {}),
    }


def _with_epochs(config: Config, rows: int) -> dict[str, Any]:
    """Return the section `trainer` with numbers in place of `epochs: auto`."""
    trainer = dict(config.get("trainer") or {})
    if trainer.get("epochs") != AUTO:
        return trainer
    batch = trainer.get("batch_size", DEFAULT_BATCH)
    if isinstance(batch, int):
        batch = trainer["batch_size"] = batch_size_for(rows, batch)
    else:
        batch = DEFAULT_BATCH
    trainer["epochs"] = _need(config).epochs(rows, batch)
    return trainer


def _with_rate(config: Config, trainer: dict[str, Any], rows: int) -> dict[str, Any]:
    """Return the section `trainer` with a number in place of `learning_rate: auto`, if a transformer is trained."""
    if trainer.get("learning_rate") != AUTO or not _is_fine_tuned(config):
        return trainer
    rate = RATE * math.sqrt(max(rows / ROWS_OF_RATE, 1))
    return {**trainer, "learning_rate": round(min(rate, HIGHEST_RATE), 6)}


def _is_fine_tuned(config: Config) -> bool:
    """Return whether the first encoder is a pretrained transformer that is trained."""
    encoder = part_of(config["input_features"][0], "encoder")
    return encoder.get("type") in TRANSFORMERS and bool(encoder.get("trainable", True))


def _need(config: Config) -> Need:
    """Return how long the first encoder has to train."""
    if _is_fine_tuned(config):
        return FINE_TUNED_TAGGER if any(map(is_tagger, config["output_features"])) else FINE_TUNED
    encoder = part_of(config["input_features"][0], "encoder")
    return FROM_NOTHING.get(str(encoder.get("type")), ON_VECTORS)


def batch_size_for(rows: int, largest: int) -> int:
    """Return the batch size for a number of training rows."""
    if rows < VERY_FEW_ROWS:
        return min(largest, SMALLEST_BATCH)
    return min(largest, SMALL_BATCH) if rows < FEW_ROWS else largest


def _tagged_length(config: Config, dataset: "pd.DataFrame") -> int | None:
    """Return the length of a tagged text and of its tags for `auto`, with the start and stop symbols.

    It is in words for a column of affixes or contexts, else in the text's tokens. None without a tagger whose length is
    `auto`.
    """
    text = tagged_text(config)
    if text is None or not any(is_tagger(feature) and _auto_lengths(feature) for feature in config["output_features"]):
        return None
    source, made = parse_column(column_of(text))
    texts = [each for each in dataset[source] if isinstance(each, str)]
    count, longest = (_count_words, LONGEST_WORDS) if isinstance(made, Affixes | Context) else _counter(dict(text))
    fits = math.ceil(np.percentile([count(each) for each in texts], SHARE) * TAGGED_MARGIN) if texts else 1
    return min(max(fits, SHORTEST_TAGGED), longest)


def _count_words(text: str) -> int:
    """Return the number of words of a text, with the start and stop symbols."""
    return len(text.split()) + 2


def _with_lengths(feature: dict[str, Any], length: Callable[[], int]) -> dict[str, Any]:
    """Return a feature with a number in place of each length that is `auto`."""
    auto = _auto_lengths(feature)
    return {**feature, "preprocessing": feature["preprocessing"] | dict.fromkeys(auto, length())} if auto else feature


def _auto_lengths(feature: dict[str, Any]) -> list[str]:
    """Return the settings of a feature's length that are `auto`."""
    preprocessing = feature.get("preprocessing") or {}
    return [key for key in LENGTHS if preprocessing.get(key) == AUTO]


def _output_with_lengths(feature: dict[str, Any], tagged: int | None) -> dict[str, Any]:
    return feature if tagged is None else _with_lengths(feature, lambda: tagged)


def _input_length(feature: dict[str, Any], dataset: "pd.DataFrame", tagged: tuple[str, int] | None) -> int:
    """Return the length of an input for `auto`.

    Args:
        feature: The input.
        dataset: Rows with the input's source column.
        tagged: Name and length of the tagged text, or None.
    """
    source, made = parse_column(column_of(feature))
    if tagged is not None and isinstance(made, Affixes | Context):  # a convolution joins the tokens of each word
        return tagged[1] * made.tokens_per_word
    if tagged is not None and feature["name"] == tagged[0]:
        return tagged[1]
    texts = [text for text in dataset[source] if isinstance(text, str)]
    count, longest = _counter(feature)
    lengths = [count(made.of(text) if made else text) for text in texts]
    fits = math.ceil(np.percentile(lengths, SHARE) * MARGIN) if lengths else 1
    return min(fits, longest)


def _counter(feature: dict[str, Any]) -> tuple[Callable[[str], int], int]:
    """Return a function that counts the tokens of a text, with special symbols, and the longest useful length."""
    encoder = part_of(feature, "encoder")
    preprocessing = feature.get("preprocessing") or {}
    if encoder.get("type") in TRANSFORMERS or preprocessing.get("tokenizer") == SUBWORDS:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(encoder["pretrained_model_name_or_path"])
        return lambda text: len(tokenizer(text)["input_ids"]), LONGEST_SUBWORDS
    splitter = SPLITTING[preprocessing.get("tokenizer", "space_punct")]()
    return lambda text: len(splitter.split(text)) + 2, LONGEST
