"""Initialize a tagger with a linear model of tag sequences, for `slots-light`.

The weights of the linear model (see tag_model.py) become the vectors of the tokens: one number per tag. A convolution
adds up the vectors of each word's tokens, and the tagger's layer passes the sums on as logits. Ludwig continues
training from there. Ludwig has no initializers for these two layers, so a callback sets them.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.console import say
from export.features import column_of, is_tagger, part_of
from handler.affixes import parse_column
from handler.context import ANY, Context
from training.config import SPLIT, Config
from training.dataset import TRAIN
from training.errors import ConfigError
from training.linear_vectors import MANY_ROWS
from training.tag_model import TaggedTexts, tag_weights
from training.token_vectors import LINEAR, SPECIAL, with_vectors

if TYPE_CHECKING:
    import pandas as pd

VECTOR_BYTES, MOST_TOKENS = 3_600_000, 30_000
"""Size limits in a bundle: for the vectors, at 4 bytes per token and tag, and for the vocabulary."""
RANKING_ITERATIONS = 40
"""Iterations of the fit that only decides which tokens to keep."""
CERTAIN = 20.0
"""Logit of a special tag at its own symbol; elsewhere it has the same below zero."""
STOP, START, PADDING = SPECIAL[:3]


def feature_with_context(config: Config) -> Any:
    """Return the input feature whose `pretrained_embeddings` a linear model of tags provides, or None.

    Raises:
        ConfigError: The encoder cannot add up the tokens of words, or the model has outputs other than one tagger.
    """
    for feature in config["input_features"]:
        made = parse_column(column_of(feature))[1]
        encoder = part_of(feature, "encoder")
        if encoder.get("pretrained_embeddings") != LINEAR or not isinstance(made, Context):
            continue
        layers = encoder.get("conv_layers")
        sizes = {"filter_size": made.tokens_per_word, "strides": made.tokens_per_word}
        if encoder.get("type") != "stacked_cnn" or not isinstance(layers, list) or len(layers) != 1:
            raise ConfigError(
                f"The input {feature['name']!r} has `pretrained_embeddings: {LINEAR}` and a column of contexts, which "
                "need the encoder `stacked_cnn` with one layer in `conv_layers`: see slots-light."
            )
        if {name: layers[0].get(name) for name in sizes} != sizes:
            raise ConfigError(
                f"The column {column_of(feature)!r} has {made.tokens_per_word} tokens per word: set `filter_size` and "
                f"`strides` to {made.tokens_per_word} in `conv_layers`."
            )
        if not all(map(is_tagger, config["output_features"])) or len(config["output_features"]) != 1:
            raise ConfigError(
                f"`pretrained_embeddings: {LINEAR}` with a column of contexts needs exactly one output, a tagger."
            )
        return feature
    return None


def with_tag_vectors(config: Config, rows: "pd.DataFrame", folder: Path) -> Config:
    """Fit token vectors on the training rows, and return a configuration that reads them from files.

    Args:
        config: A configuration with an input that `feature_with_context` returns.
        rows: Rows as Ludwig reads them, with the column of contexts, a tag per word, and a column `split`.
        folder: Where to write the files.
    """
    feature = feature_with_context(config)
    tokens_per_word = feature["encoder"]["conv_layers"][0]["strides"]
    output = config["output_features"][0]
    labels = _labels(rows, output)
    train = rows[rows[SPLIT] == TRAIN]
    texts = [_words(text, tokens_per_word) for text in train[column_of(feature)]]
    tags = [text.split(" ") for text in train[column_of(output)]]
    vectors = tag_vectors(texts, tags, labels, tokens_per_word)
    say(f"Fitted vectors of {len(vectors)} tokens with a linear model of tag sequences.")
    config = with_vectors(config, feature, vectors, len(labels), folder)
    made_feature = next(each for each in config["input_features"] if each["name"] == feature["name"])
    layer = {**feature["encoder"]["conv_layers"][0], "num_filters": len(labels)}
    made_feature["encoder"]["conv_layers"] = [layer]
    return config


def tag_vectors(
    texts: Sequence[Sequence[Sequence[str]]], tags: Sequence[Sequence[str]], labels: Sequence[str], tokens_per_word: int
) -> dict[str, np.ndarray]:
    """Return the vector of each token: float32 of shape (labels,).

    The sum over a word's tokens is the vector of the logits of its tags. Ludwig's symbols get vectors that lead to the
    tags of the same name.

    Args:
        texts: For each training row and each word, its tokens.
        tags: The tag of each word.
        labels: The tags in Ludwig's order, with its symbols.
        tokens_per_word: Number of tokens of each word.
    """
    known = sorted({tag for text in tags for tag in text})
    number = {tag: index for index, tag in enumerate(known)}
    numbers = [[number[tag] for tag in text] for text in tags]
    counts = Counter(token for text in texts for word in text for token in word)
    fewest = 1 if len(texts) < MANY_ROWS else 2
    # Ludwig reads the vectors from a file whose columns are separated by white space.
    tokens = [token for token, count in counts.items() if count >= fewest and token.split() == [token]]
    most = min(VECTOR_BYTES // (4 * len(labels)), MOST_TOKENS)
    if len(tokens) > most:  # keep those with the largest effect on the scores
        weights = tag_weights(_indexed(texts, numbers, known, tokens), RANKING_ITERATIONS)
        strength = np.linalg.norm(weights, axis=1) * np.sqrt([counts[token] for token in tokens])
        tokens = [tokens[index] for index in sorted(np.argsort(strength, kind="stable")[-most:])]
    weights = tag_weights(_indexed(texts, numbers, known, tokens))
    place = [labels.index(tag) for tag in known]
    vectors = {}
    for token, found in zip(tokens, weights, strict=True):
        vectors[token] = np.zeros(len(labels), np.float32)
        vectors[token][place] = found
    others = [index for index, label in enumerate(labels) if label not in number]
    vectors.setdefault(ANY, np.zeros(len(labels), np.float32))[others] = -CERTAIN
    # The start and stop symbols come with fillers, which have no vectors. Padding comes alone.
    for symbol, label, times in ((START, START, 1), (STOP, STOP, 1), (PADDING, STOP, tokens_per_word)):
        vectors[symbol] = np.zeros(len(labels), np.float32)
        vectors[symbol][labels.index(label)] = CERTAIN / times
    return vectors


def tagger_start(config: Config) -> list[Any]:
    """Return the Ludwig callbacks that a training from the beginning needs: one, or none.

    Args:
        config: A configuration. With an input that `feature_with_context` returns, the convolution starts as the sum of
            a word's vectors, and the tagger's layer as the identity.
    """
    feature = feature_with_context(config)
    if feature is None:
        return []
    from ludwig.callbacks import Callback

    class TaggerStart(Callback):  # type: ignore[misc]
        def on_trainer_train_setup(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
            encoder = trainer.model.input_features.get(feature["name"]).encoder_obj
            decoder = trainer.model.output_features.get(config["output_features"][0]["name"]).decoder_obj
            _start(encoder.conv1d_stack.stack[0].layers[0], decoder.projection_layer.dense)

    return [TaggerStart()]


def _start(convolution: Any, layer: Any) -> None:
    """Set a convolution to the sum of its inputs, and a layer to the identity."""
    import torch

    with torch.no_grad():
        convolution.weight.copy_(torch.eye(convolution.out_channels)[:, :, None].expand_as(convolution.weight))
        layer.weight.copy_(torch.eye(layer.out_features))
        convolution.bias.zero_()
        layer.bias.zero_()


def _labels(rows: "pd.DataFrame", output: Any) -> list[str]:
    """Return the tags of an output in Ludwig's order, with its symbols."""
    from ludwig.utils.strings_utils import create_vocabulary

    preprocessing = part_of(output, "preprocessing")
    found = create_vocabulary(
        rows[column_of(output)].astype(str),
        preprocessing.get("tokenizer", "space"),
        lowercase=preprocessing.get("lowercase", False),
        num_most_frequent=preprocessing.get("most_common", len(rows)),
    )
    return list(found.vocab)


def _words(text: str, tokens_per_word: int) -> list[list[str]]:
    """Return the tokens of each word of a text from a column of contexts, without the fillers around it."""
    tokens = text.split(" ")[tokens_per_word - 1 : 1 - tokens_per_word]
    return [tokens[first : first + tokens_per_word] for first in range(0, len(tokens), tokens_per_word)]


def _indexed(
    texts: Sequence[Sequence[Sequence[str]]], tags: Sequence[Sequence[int]], labels: Sequence[str], tokens: list[str]
) -> TaggedTexts:
    """Replace tokens by their indexes, and leave out unknown tokens and texts without words."""
    index = {token: number for number, token in enumerate(tokens)}
    pairs = [(text, tag) for text, tag in zip(texts, tags, strict=True) if text]
    words = [[[index[token] for token in word if token in index] for word in text] for text, _ in pairs]
    return TaggedTexts(words, [tag for _, tag in pairs], labels, len(tokens))
