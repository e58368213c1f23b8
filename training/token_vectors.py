"""Initialize token embeddings with the weights of a linear model, for the encoder `embed` of `intent-light`.

With few rows, a linear support vector machine (SVM) is hard to beat, and gradient descent from random weights does not
reach its accuracy. So `fit` first fits linear models on the training rows (see training/linear_vectors.py), which give
each token one weight per class. With these weights as embeddings, the sum over a text's tokens is the vector of the
class scores, and a decoder that is initialized as the identity gives the linear model's answers. Ludwig continues
training from there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.console import say
from export.features import column_of
from handler.affixes import parse_column
from handler.ngrams import Ngrams
from training.config import SPLIT, Config
from training.dataset import TRAIN, VALIDATION
from training.errors import ConfigError
from training.linear_vectors import START, Rows, held_out_scale, linear_vectors, scale_of
from training.static_vectors import static_vectors

if TYPE_CHECKING:
    import pandas as pd

HYPERPARAMETERS, METADATA = "model_hyperparameters.json", "training_set_metadata.json"
LINEAR, LINEAR_MINILM = "linear", "linear+minilm"
"""Values of `pretrained_embeddings` that ask for vectors of this module instead of a file."""
SPECIAL = ("<EOS>", START, "<PAD>", "<UNK>")
STATIC_BYTES = 14_000_000
"""Size limit in a bundle for the vectors of static words, at 4 bytes per token and class."""


def with_token_vectors(config: Config, rows: "pd.DataFrame", folder: Path) -> Config:
    """Fit token vectors on the training rows, and return a configuration that reads them from files.

    Args:
        config: A configuration with an input that `asking_feature` returns.
        rows: Rows as Ludwig reads them, with the column of n-grams and a column `split`. The scale of the scores is
            fitted on the validation rows, so that the softmax gives meaningful probabilities.
        folder: Where to write the files.
    """
    from ludwig.utils.strings_utils import create_vocabulary_single_token

    feature = asking_feature(config)
    column = column_of(config["output_features"][0])
    # The decoder starts as the identity, so the class indexes must be Ludwig's.
    _, ids, _ = create_vocabulary_single_token(rows[column].astype(str), num_most_frequent=len(rows))
    train, validation = (
        _read(rows[rows[SPLIT] == part], column_of(feature), column, ids) for part in (TRAIN, VALIDATION)
    )
    labels = len(ids)
    static = _static(feature["encoder"]["pretrained_embeddings"], labels)
    vectors = linear_vectors(train, labels, static)
    scale = scale_of(vectors, validation) if validation.texts else held_out_scale(train, labels, static)
    vectors = {token: vector * scale for token, vector in vectors.items()}
    say(f"Fitted vectors of {len(vectors)} tokens with a linear model.")
    return with_vectors(config, feature, vectors, labels, folder)


def _read(rows: "pd.DataFrame", texts: str, labels: str, ids: Mapping[str, int]) -> Rows:
    return Rows(
        [[START, *text.split(" ")] if isinstance(text, str) else [START] for text in rows[texts]],
        np.array([ids[str(label).strip()] for label in rows[labels]], dtype=np.int64),
    )


def forget_files(folder: Path) -> None:
    """Remove the files' paths from a saved model; its weights contain the vectors, so it loads without the files."""
    for name in (HYPERPARAMETERS, METADATA):
        path = folder / name
        content = json.loads(path.read_text(encoding="utf-8"))
        features = (
            content["input_features"]
            if name == HYPERPARAMETERS
            else [v for v in content.values() if isinstance(v, dict)]
        )
        for feature in features:
            if isinstance(encoder := feature.get("encoder"), dict):
                encoder["pretrained_embeddings"] = None
            if isinstance(preprocessing := feature.get("preprocessing"), dict) and "vocab_file" in preprocessing:
                preprocessing["vocab_file"] = None
        path.write_text(json.dumps(content, indent=4), encoding="utf-8")


def asking_feature(config: Config) -> Any:
    """Return the input feature whose `pretrained_embeddings` a linear model provides, or None.

    Raises:
        ConfigError: The feature's column does not contain n-grams, or the model has outputs other than one category.
    """
    for feature in config["input_features"]:
        encoder = feature.get("encoder")
        if isinstance(encoder, dict) and encoder.get("pretrained_embeddings") in (LINEAR, LINEAR_MINILM):
            if not isinstance(parse_column(column_of(feature))[1], Ngrams):
                raise ConfigError(
                    f"The input {feature['name']!r} has `pretrained_embeddings: {LINEAR}`, which needs a column of "
                    f"n-grams, but its column is {column_of(feature)!r}: set for example `column: text+ngrams25`."
                )
            if [output["type"] for output in config["output_features"]] != ["category"]:
                raise ConfigError(f"`pretrained_embeddings: {LINEAR}` needs exactly one output, a category.")
            return feature
    return None


def _static(kind: str, labels: int) -> dict[str, np.ndarray]:
    return static_vectors(STATIC_BYTES // (4 * labels)) if kind == LINEAR_MINILM else {}


def with_vectors(config: Config, feature: Any, vectors: Mapping[str, np.ndarray], size: int, folder: Path) -> Config:
    """Write `vocabulary.txt` and `vectors.txt`, and return a configuration whose feature reads them.

    Special symbols other than `START` get zero vectors.

    Args:
        config: A configuration.
        feature: The input feature that gets the vectors.
        vectors: The vector of each token, float32 of shape (size,).
        size: Length of the vectors.
        folder: Where to write the files; created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    nothing = dict.fromkeys(SPECIAL, np.zeros(size, np.float32))
    with (folder / "vectors.txt").open("w", encoding="utf-8") as file:
        for token, vector in {**nothing, **vectors}.items():
            file.write(f"{token} {' '.join(f'{number:.6g}' for number in vector)}\n")
    words = "".join(f"{token}\n" for token in vectors if token not in SPECIAL)
    (folder / "vocabulary.txt").write_text(words, encoding="utf-8")
    files = {"pretrained_embeddings": str(folder / "vectors.txt"), "embedding_size": size}
    preprocessing = {**feature.get("preprocessing", {}), "vocab_file": str(folder / "vocabulary.txt")}
    made = {**feature, "encoder": {**feature["encoder"], **files}, "preprocessing": preprocessing}
    return {**config, "input_features": [made if each is feature else each for each in config["input_features"]]}
