"""Initialize token embeddings with the weights of a linear model, for the encoder `embed` of `intent-light`.

With few rows, a linear support vector machine (SVM) is hard to beat, and gradient descent from random weights does not
reach its accuracy. So `fit` first fits an SVM on the training rows, which gives each token one weight per class. With
these weights as embeddings, the sum over a text's tokens is the vector of the SVM's class scores, and a decoder that is
initialized as the identity gives the SVM's answers. Ludwig continues training from there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.console import say
from export.features import column_of
from handler.affixes import parse_column
from handler.ngrams import GRAM, Ngrams
from training.config import SPLIT, Config
from training.dataset import TRAIN, VALIDATION
from training.errors import ConfigError
from training.static_vectors import static_vectors

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_matrix

HYPERPARAMETERS, METADATA = "model_hyperparameters.json", "training_set_metadata.json"
LINEAR, LINEAR_MINILM = "linear", "linear+minilm"
"""Values of `pretrained_embeddings` that ask for vectors of this module instead of a file."""
SPECIAL = ("<EOS>", "<SOS>", "<PAD>", "<UNK>")
GRAM_BYTES, STATIC_BYTES = 4_800_000, 14_000_000
"""Size limits in a bundle for the weights of n-grams and of static words, at 4 bytes per token and class."""
FEWEST_TOKENS, MOST_TOKENS = 2_000, 20_000
WORD_WEIGHT = 1.75
"""Weight of a word or word pair relative to a character n-gram: a text has many more n-grams than words."""
STATIC_WEIGHT = 1.5
"""Length of a text's static vector relative to the vector of its n-grams."""
COST = 3.0
FOLDS = 5
SCALES = np.geomspace(0.5, 64, 50)


@dataclass(frozen=True)
class Rows:
    """Tokenized texts and their classes.

    Attributes:
        texts: The tokens of each text.
        classes: The class index of each text, int64 of shape (rows,).
    """

    texts: Sequence[Sequence[str]]
    classes: np.ndarray


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
    scale = _scale(vectors, validation) if validation.texts else _held_out_scale(train, labels, static)
    vectors = {token: vector * scale for token, vector in vectors.items()}
    say(f"Fitted vectors of {len(vectors)} tokens with a linear model.")
    folder.mkdir(parents=True, exist_ok=True)
    _write(vectors, labels, folder)
    files = {"pretrained_embeddings": str(folder / "vectors.txt"), "embedding_size": labels}
    preprocessing = {**feature.get("preprocessing", {}), "vocab_file": str(folder / "vocabulary.txt")}
    made = {**feature, "encoder": {**feature["encoder"], **files}, "preprocessing": preprocessing}
    return {**config, "input_features": [made if each is feature else each for each in config["input_features"]]}


def _read(rows: "pd.DataFrame", texts: str, labels: str, ids: Mapping[str, int]) -> Rows:
    return Rows(
        [text.split(" ") if isinstance(text, str) else [] for text in rows[texts]],
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


def linear_vectors(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fit a linear model and return its weights.

    Args:
        rows: The training rows.
        labels: Number of classes; classes without rows get zero weights.
        static: Static word vectors of shape (size,), which let words count that the rows do not contain; may be empty.

    Returns:
        For each token, a float32 vector of shape (labels,).
    """
    weights = _document_weights(rows.texts)
    tokens = list(weights)
    if len(tokens) > (most := _most_tokens(labels)):
        # Too many tokens: fit a first model with all of them, and keep those that change the scores most.
        coefficients, matrix = _fitted(rows, labels, weights, {})[0], _matrix(rows.texts, weights)
        seen = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
        order = np.argsort(-np.linalg.norm(coefficients, axis=1) * seen, kind="stable")[:most]
        weights = {tokens[index]: weights[tokens[index]] for index in sorted(order)}
        tokens = list(weights)
    grams, words = _fitted(rows, labels, weights, static)
    vectors = {token: grams[index] * weights[token] for index, token in enumerate(tokens)}
    for word, vector in static.items():
        vectors[word] = vectors.get(word, 0) + vector @ words
    return {token: vector.astype(np.float32) for token, vector in vectors.items()}


def _static(kind: str, labels: int) -> dict[str, np.ndarray]:
    return static_vectors(STATIC_BYTES // (4 * labels)) if kind == LINEAR_MINILM else {}


def _most_tokens(labels: int) -> int:
    return int(np.clip(GRAM_BYTES // (4 * labels), FEWEST_TOKENS, MOST_TOKENS))


def _document_weights(texts: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the weight of each token: its inverse document frequency, times WORD_WEIGHT for words and word pairs."""
    counts: dict[str, int] = {}
    for text in texts:
        for token in text:
            counts[token] = counts.get(token, 0) + 1
    fewest = 1 if len(texts) < 5000 else 2
    return {
        token: (np.log((1 + len(texts)) / (1 + count)) + 1) * (1 if _is_gram(token) else WORD_WEIGHT)
        for token, count in counts.items()
        if count >= fewest
    }


def _is_gram(token: str) -> bool:
    return token.startswith(GRAM) and len(token) > 1


def _fitted(
    rows: Rows, labels: int, weights: Mapping[str, float], static: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the SVM; return the weights of the tokens, (tokens, labels), and of the static vectors, (size, labels).

    Each row is scaled to unit length. Without an intercept, the scale of a row does not change which class scores
    highest, so the embedding sum, which is not normalized, gives the same answer.
    """
    from scipy.sparse import csr_matrix, diags, hstack
    from sklearn.svm import LinearSVC

    matrix = _matrix(rows.texts, weights)
    size = len(next(iter(static.values()))) if static else 0
    factor = 1.0
    if static:
        sums = np.array([sum((static[t] for t in text if t in static), np.zeros(size)) for text in rows.texts])
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        factor = STATIC_WEIGHT * lengths.mean() / max(np.linalg.norm(sums, axis=1).mean(), 1e-9)
        matrix = hstack([matrix, csr_matrix(sums * factor)]).tocsr()
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    machine = LinearSVC(fit_intercept=False, C=COST, random_state=0)
    machine.fit(diags(1 / np.maximum(lengths, 1e-9)) @ matrix, rows.classes)
    found = machine.coef_.T
    found = np.hstack([-found, found]) if found.shape[1] == 1 else found  # two classes share one row of weights
    coefficients = np.zeros((matrix.shape[1], labels))
    coefficients[:, machine.classes_] = found / lengths.mean()
    return coefficients[: len(weights)], coefficients[len(weights) :] * factor


def _matrix(texts: Sequence[Sequence[str]], weights: Mapping[str, float]) -> "csr_matrix":
    from scipy.sparse import csr_matrix

    columns = {token: index for index, token in enumerate(weights)}
    found = [
        (row, columns[token], weights[token]) for row, text in enumerate(texts) for token in text if token in columns
    ]
    row, column, value = zip(*found, strict=True) if found else ((), (), ())
    return csr_matrix((value, (row, column)), shape=(len(texts), len(weights)))


def _scale(vectors: Mapping[str, np.ndarray], unseen: Rows) -> float:
    """Return the scale of the vectors that minimizes the softmax's log loss on unseen rows."""
    nothing = np.zeros_like(next(iter(vectors.values())))
    scores = np.stack([sum((vectors[t] for t in text if t in vectors), nothing) for text in unseen.texts])
    right = scores[np.arange(len(scores)), unseen.classes][:, None]

    def loss(scale: float) -> float:
        return float(np.log(np.exp(np.clip((scores - right) * scale, -80, 80)).sum(axis=1)).mean())

    return float(min(SCALES, key=loss))


def _held_out_scale(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> float:
    """Return the scale for vectors fitted on four fifths of the rows, measured on the remaining fifth."""
    held = np.random.default_rng(0).permutation(len(rows.texts)) % FOLDS == 0
    seen, unseen = (
        Rows([text for text, chosen in zip(rows.texts, part, strict=True) if chosen], rows.classes[part])
        for part in (~held, held)
    )
    if not unseen.texts or len(set(seen.classes)) < 2:
        return 1.0
    return _scale(linear_vectors(seen, labels, static), unseen)


def _write(vectors: Mapping[str, np.ndarray], labels: int, folder: Path) -> None:
    """Write the vocabulary and the vectors; special symbols such as padding get zero vectors."""
    nothing = dict.fromkeys(SPECIAL, np.zeros(labels, np.float32))
    with (folder / "vectors.txt").open("w", encoding="utf-8") as file:
        for token, vector in {**nothing, **vectors}.items():
            file.write(f"{token} {' '.join(f'{number:.6g}' for number in vector)}\n")
    (folder / "vocabulary.txt").write_text("".join(f"{token}\n" for token in vectors), encoding="utf-8")
