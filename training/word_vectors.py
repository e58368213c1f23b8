"""Initialize the vectors of English words with MiniLM's, for a tagger of words such as `slots-lstm-en`.

A tagger that starts from random vectors knows nothing about words that no training row contains. With MiniLM's vectors
(see static_vectors.py), unseen words are close to known words with a similar meaning. Tokens that occur in only one
training row and that MiniLM does not know are replaced by the unknown token, so that the model learns to handle it.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.console import say
from export.features import column_of, part_of
from training.config import MINILM, SPLIT, Config
from training.dataset import TRAIN
from training.errors import ConfigError
from training.static_vectors import static_vectors
from training.tag_vectors import feature_with_context, with_tag_vectors
from training.token_vectors import asking_feature, with_token_vectors, with_vectors

if TYPE_CHECKING:
    import pandas as pd

SIZE = 128
"""Numbers in the vector of a token: the first principal components of MiniLM's word vectors."""
MOST_WORDS = 10_000
"""Most frequent words of MiniLM to keep: 5 MB in a bundle. More take longer to train."""
FEWEST_ROWS = 2
"""Number of occurrences from which a token has a vector of its own."""


def feature_with_words(config: Config) -> Any:
    """Return the input feature with `pretrained_embeddings: minilm`, or None.

    Raises:
        ConfigError: The feature's tokenizer is not `space`, or it does not lowercase its text.
    """
    for feature in config["input_features"]:
        if part_of(feature, "encoder").get("pretrained_embeddings") == MINILM:
            preprocessing = feature.get("preprocessing") or {}
            if (preprocessing.get("tokenizer"), preprocessing.get("lowercase")) != ("space", True):
                raise ConfigError(
                    f"The input {feature['name']!r} has `pretrained_embeddings: {MINILM}`, which needs "
                    "`preprocessing: {tokenizer: space, lowercase: true}`: set both."
                )
            return feature
    return None


def vectors_for(config: Config) -> "Callable[[Config, pd.DataFrame, Path], Config] | None":
    """Return the function that writes the token vectors that a configuration asks for, or None.

    Raises:
        ConfigError: The configuration asks for vectors that its features cannot use.
    """
    if feature_with_context(config) is not None:
        return with_tag_vectors
    if asking_feature(config) is not None:
        return with_token_vectors
    return with_word_vectors if feature_with_words(config) is not None else None


def with_word_vectors(config: Config, rows: "pd.DataFrame", folder: Path) -> Config:
    """Write the vectors of tokens, and return a configuration that reads them from files.

    Args:
        config: A configuration with an input that `feature_with_words` returns.
        rows: Rows as Ludwig reads them, with the column of affixes and a column `split`.
        folder: Where to write the files.
    """
    feature = feature_with_words(config)
    texts = rows[rows[SPLIT] == TRAIN][column_of(feature)]
    vectors = word_vectors([text.lower().split(" ") for text in texts if isinstance(text, str)])
    say(f"Initialized the vectors of {len(vectors)} tokens with MiniLM.")
    return with_vectors(config, feature, vectors, SIZE, folder)


def word_vectors(texts: list[list[str]]) -> dict[str, np.ndarray]:
    """Return the vector of each token, float32 of shape (SIZE,), with components of about 1.

    Args:
        texts: The tokens of each training row.
    """
    counts = Counter(token for text in texts for token in text)
    # Components of one size for all: the words of MiniLM, scaled, and random vectors for affixes and other words.
    words = {word: vector[:SIZE] for word, vector in static_vectors(MOST_WORDS).items()}
    scale = np.sqrt(SIZE) / np.mean([np.linalg.norm(vector) for vector in words.values()])
    random = np.random.default_rng(0)
    seen = {
        token: random.standard_normal(SIZE).astype(np.float32)
        for token, count in counts.items()
        if count >= FEWEST_ROWS and token
    }
    return seen | {word: np.asarray(vector * scale, dtype=np.float32) for word, vector in words.items()}
