"""Replace `auto` in a configuration by numbers that depend on the dataset: its size and the length of its texts."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from export.features import column_of
from export.text import SPLITTING, SUBWORDS
from handler.affixes import parse_column
from training.config import SPLIT, Config
from training.dataset import TRAIN

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"
TRANSFORMERS = ("auto_transformer", "bert")
LONGEST = 1024
LONGEST_SUBWORDS = 256
SHARE, MARGIN = 99.5, 1.1
"""`max_sequence_length` is this percentile of the texts' lengths, times this margin."""
STEPS = 1000
"""Number of batches that a layer on frozen or fitted vectors needs to converge."""
FEWEST_EPOCHS, MOST_EPOCHS = 8, 30
DEFAULT_BATCH = 32


def sized(config: Config, dataset: "pd.DataFrame") -> Config:
    """Return a configuration with numbers in place of `auto`.

    `max_sequence_length: auto` of a text input becomes the smallest length that fits nearly all rows: Ludwig's
    transformers attend to padding, so longer sequences make the model worse. `trainer.epochs: auto` becomes the number
    of epochs that makes about 1,000 batches.

    Args:
        config: A configuration without Ludwig's defaults. `trainer.batch_size: auto` is Ludwig's own and stays.
        dataset: All rows, with the source columns of the inputs. With a column `split`, only training rows count.
    """
    if SPLIT in dataset:
        dataset = dataset[dataset[SPLIT] == TRAIN]
    features = [_with_length(feature, dataset) for feature in config["input_features"]]
    trainer = dict(config.get("trainer", {}))
    if trainer.get("epochs") == AUTO:
        batch = trainer.get("batch_size", DEFAULT_BATCH)
        trainer["epochs"] = epochs_for(len(dataset), batch if isinstance(batch, int) else DEFAULT_BATCH)
    return {**config, "input_features": features, **({"trainer": trainer} if trainer else {})}


def epochs_for(rows: int, batch_size: int) -> int:
    """Return the number of epochs that makes about 1,000 batches, between 8 and 30."""
    return int(np.clip(math.ceil(STEPS * batch_size / max(rows, 1)), FEWEST_EPOCHS, MOST_EPOCHS))


def _with_length(feature: dict[str, Any], dataset: "pd.DataFrame") -> dict[str, Any]:
    preprocessing = feature.get("preprocessing") or {}
    if preprocessing.get("max_sequence_length") != AUTO:
        return feature
    source, made = parse_column(column_of(feature))
    texts = [text for text in dataset[source] if isinstance(text, str)]
    count, longest = _counter(feature)
    lengths = [count(made.of(text) if made else text) for text in texts]
    fits = math.ceil(np.percentile(lengths, SHARE) * MARGIN) if lengths else 1
    return {**feature, "preprocessing": {**preprocessing, "max_sequence_length": min(fits, longest)}}


def _counter(feature: dict[str, Any]) -> tuple[Callable[[str], int], int]:
    """Return a function that counts the tokens of a text, with special symbols, and the longest useful length."""
    encoder = feature.get("encoder") or {}
    preprocessing = feature.get("preprocessing") or {}
    if encoder.get("type") in TRANSFORMERS or preprocessing.get("tokenizer") == SUBWORDS:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(encoder["pretrained_model_name_or_path"])
        return lambda text: len(tokenizer(text)["input_ids"]), LONGEST_SUBWORDS
    splitter = SPLITTING[preprocessing.get("tokenizer", "space_punct")]()
    return lambda text: len(splitter.split(text)) + 2, LONGEST
