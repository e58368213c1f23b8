"""Token vectors from a linear model: what the encoder `embed` of `intent-light` starts from.

A linear support vector machine is hard to beat on few rows, and gradient descent from random weights does not reach it.
So it is fitted first, on the train rows: it gives each token one weight for each class. Written as a file of
embeddings, a text's vector (the sum over its tokens) holds the machine's scores of all classes, and a decoder that
starts as the identity answers as the machine does. Ludwig trains on from there.
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
"""Values of `pretrained_embeddings` that are made here, in place of a file."""
SPECIAL = ("<EOS>", "<SOS>", "<PAD>", "<UNK>")
GRAM_BYTES, STATIC_BYTES = 4_800_000, 14_000_000
"""What the weights of n-grams, and of static words, may take in a bundle: 4 bytes for each token and class."""
FEWEST_TOKENS, MOST_TOKENS = 2_000, 20_000
WORD_WEIGHT = 1.75
"""How much more a word or a pair counts than a character n-gram, of which a text has many more."""
STATIC_WEIGHT = 1.5
"""The length of a text's static vector, relative to that of its n-grams."""
COST = 3.0
FOLDS = 5
SCALES = np.geomspace(0.5, 64, 50)


@dataclass(frozen=True)
class Rows:
    """Texts as their tokens, beside the number of each one's class."""

    texts: Sequence[Sequence[str]]
    classes: np.ndarray


def with_token_vectors(config: Config, rows: "pd.DataFrame", folder: Path) -> Config:
    """Return a configuration whose token vectors are files, made from the train rows.

    Args:
        config: A configuration for which `asking_feature` finds an input.
        rows: As Ludwig reads them: with the column of n-grams, and a column `split`. The validation rows choose the
            scale of the scores, so that probabilities mean something.
        folder: Where the files are written.
    """
    from ludwig.utils.strings_utils import create_vocabulary_single_token

    feature = asking_feature(config)
    column = column_of(config["output_features"][0])
    # The decoder starts as the identity, so the numbers of the classes have to be Ludwig's own.
    _, ids, _ = create_vocabulary_single_token(rows[column].astype(str), num_most_frequent=len(rows))
    train, validation = (
        _read(rows[rows[SPLIT] == part], column_of(feature), column, ids) for part in (TRAIN, VALIDATION)
    )
    labels = len(ids)
    static = _static(feature["encoder"]["pretrained_embeddings"], labels)
    vectors = linear_vectors(train, labels, static)
    scale = _scale(vectors, validation) if validation.texts else _held_out_scale(train, labels, static)
    vectors = {token: vector * scale for token, vector in vectors.items()}
    say(f"A linear model gave {len(vectors)} tokens their vectors, of {labels} numbers each.")
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
    """Take the paths of the files out of a saved model, which holds their content and is loaded without them."""
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
    """Return the input whose `pretrained_embeddings` are to be made by a linear model, if there is one.

    Raises:
        ConfigError: If its column holds no n-grams, or the model has other outputs than one category.
    """
    for feature in config["input_features"]:
        encoder = feature.get("encoder")
        if isinstance(encoder, dict) and encoder.get("pretrained_embeddings") in (LINEAR, LINEAR_MINILM):
            if not isinstance(parse_column(column_of(feature))[1], Ngrams):
                raise ConfigError(
                    f"The input {feature['name']!r} asks for `pretrained_embeddings: {LINEAR}`, and its column is "
                    f"{column_of(feature)!r}: give it a column of n-grams, such as `column: text+ngrams25`."
                )
            if [output["type"] for output in config["output_features"]] != ["category"]:
                raise ConfigError(f"`pretrained_embeddings: {LINEAR}` needs exactly one output, a category.")
            return feature
    return None


def linear_vectors(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fit a linear model, and return its weights of each token: float32, (labels,).

    Args:
        rows: What it is fitted on.
        labels: How many classes there are; those without rows get weights of zero.
        static: Vectors of words, which unseen words take part by; may be empty.
    """
    weights = _document_weights(rows.texts)
    tokens = list(weights)
    if len(tokens) > (most := _most_tokens(labels)):
        # The tokens that the scores depend on most: a first model tells them.
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
    """Return the inverse document frequency of each token, higher for words and pairs than for n-grams."""
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
    """Fit the linear model. Returns its weights of tokens, (tokens, labels), and of the static vectors' axes.

    Each row is scaled to the length 1. The answer does not depend on that scale, as there is no intercept: so a sum
    over tokens, which knows no lengths, gives the same answer.
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

    places = {token: index for index, token in enumerate(weights)}
    found = [
        (row, places[token], weights[token]) for row, text in enumerate(texts) for token in text if token in places
    ]
    row, column, value = zip(*found, strict=True) if found else ((), (), ())
    return csr_matrix((value, (row, column)), shape=(len(texts), len(weights)))


def _scale(vectors: Mapping[str, np.ndarray], unseen: Rows) -> float:
    """Return the scale at which the softmax of the vectors' sums has the least log loss on unseen rows."""
    nothing = np.zeros_like(next(iter(vectors.values())))
    scores = np.stack([sum((vectors[t] for t in text if t in vectors), nothing) for text in unseen.texts])
    right = scores[np.arange(len(scores)), unseen.classes][:, None]

    def loss(scale: float) -> float:
        return float(np.log(np.exp(np.clip((scores - right) * scale, -80, 80)).sum(axis=1)).mean())

    return float(min(SCALES, key=loss))


def _held_out_scale(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> float:
    """Return the scale of vectors that are fitted on four fifths of the rows, by the fifth that is left."""
    held = np.random.default_rng(0).permutation(len(rows.texts)) % FOLDS == 0
    seen, unseen = (
        Rows([text for text, chosen in zip(rows.texts, part, strict=True) if chosen], rows.classes[part])
        for part in (~held, held)
    )
    if not unseen.texts or len(set(seen.classes)) < 2:
        return 1.0
    return _scale(linear_vectors(seen, labels, static), unseen)


def _write(vectors: Mapping[str, np.ndarray], labels: int, folder: Path) -> None:
    """Write the vocabulary and the vectors; the special symbols count nothing, padding above all."""
    nothing = dict.fromkeys(SPECIAL, np.zeros(labels, np.float32))
    with (folder / "vectors.txt").open("w", encoding="utf-8") as file:
        for token, vector in {**nothing, **vectors}.items():
            file.write(f"{token} {' '.join(f'{number:.6g}' for number in vector)}\n")
    (folder / "vocabulary.txt").write_text("".join(f"{token}\n" for token in vectors), encoding="utf-8")
