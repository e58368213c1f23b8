"""Fit linear models on tokens, and return each token's weights as a vector.

Two linear support vector machines are fitted on the same rows: one weights words and pairs like character n-grams, the
other four times as much. The mean of linear models is a linear model, so it adds no cost at prediction time, and with
few rows it is better than each of the two.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from handler.ngrams import GRAM

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

START = "<SOS>"
"""Ludwig's start token of every text; its vector is the intercept of the linear model."""
GRAM_BYTES = 4_800_000
"""Size limit in a bundle for the vectors of n-grams, at 4 bytes per token and class."""
FEWEST_TOKENS, MOST_TOKENS = 2_000, 20_000
WORD_WEIGHTS = (1.0, 4.0)
"""Weight of a word or word pair in each model, relative to a character n-gram, of which a text has many more."""
RARITY = 0.7
"""Power of the inverse document frequency."""
INTERCEPT = 0.3
"""Weight of the start token, relative to the length of a text's vector."""
COST = 10.0
STATIC_WEIGHT = 1.25
"""Length of a text's static vector relative to the vector of its n-grams."""
MANY_ROWS = 5_000
"""From this number of rows on, tokens that occur in a single row are skipped."""
TOLERANCE = 0.01
FOLDS = 5
TINY = 1e-9
SCALES = np.geomspace(0.5, 64, 50)


@dataclass(frozen=True)
class Rows:
    """Tokenized texts and their classes.

    Attributes:
        texts: The tokens of each text, `START` first, each token once.
        classes: The class index of each text, int64 of shape (rows,).
    """

    texts: Sequence[Sequence[str]]
    classes: np.ndarray


def linear_vectors(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fit the linear models, and return the mean of their weights for each token.

    Args:
        rows: The training rows.
        labels: Number of classes; classes without rows get zero weights.
        static: Static word vectors of shape (size,), which let words count that the rows do not contain; may be empty.

    Returns:
        For each token, a float32 vector of shape (labels,). The sum over a text's tokens is the vector of its class
        scores.
    """
    rarity = _strongest(rows, labels, _rarity(rows.texts))
    fitted = [
        _fitted(rows, labels, {token: rare * _importance(token, words) for token, rare in rarity.items()}, static)
        for words in WORD_WEIGHTS
    ]
    return {token: np.mean([each[token] for each in fitted], axis=0, dtype=np.float32) for token in fitted[0]}


def scale_of(vectors: Mapping[str, np.ndarray], unseen: Rows) -> float:
    """Return the scale of the vectors that minimizes the softmax's log loss on unseen rows."""
    nothing = np.zeros_like(next(iter(vectors.values())))
    scores = np.stack([sum((vectors[t] for t in text if t in vectors), nothing) for text in unseen.texts])
    right = scores[np.arange(len(scores)), unseen.classes][:, None]

    def loss(scale: float) -> float:
        return float(np.log(np.exp(np.clip((scores - right) * scale, -80, 80)).sum(axis=1)).mean())

    return float(min(SCALES, key=loss))


def held_out_scale(rows: Rows, labels: int, static: Mapping[str, np.ndarray]) -> float:
    """Return the scale for vectors fitted on four fifths of the rows, measured on the remaining fifth."""
    held = np.random.default_rng(0).permutation(len(rows.texts)) % FOLDS == 0
    seen, unseen = (
        Rows([text for text, chosen in zip(rows.texts, part, strict=True) if chosen], rows.classes[part])
        for part in (~held, held)
    )
    if not unseen.texts or len(set(seen.classes)) < 2:
        return 1.0
    return scale_of(linear_vectors(seen, labels, static), unseen)


def _strongest(rows: Rows, labels: int, rarity: Mapping[str, float]) -> Mapping[str, float]:
    """If there are too many tokens for a small bundle, keep those with the largest effect on the scores."""
    most = int(np.clip(GRAM_BYTES // (4 * labels), FEWEST_TOKENS, MOST_TOKENS))
    if len(rarity) <= most:
        return rarity
    vectors, rows_with = _fitted(rows, labels, rarity, {}), _counts(rows.texts)
    strength = [np.linalg.norm(vectors[token]) * np.sqrt(rows_with[token]) for token in rarity]
    tokens = list(rarity)
    return {tokens[index]: rarity[tokens[index]] for index in sorted(np.argsort(strength, kind="stable")[-most:])}


def _rarity(texts: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the dampened inverse document frequency of each token except `START`."""
    fewest = 1 if len(texts) < MANY_ROWS else 2
    return {
        token: float((np.log((1 + len(texts)) / (1 + count)) + 1) ** RARITY)
        for token, count in _counts(texts).items()
        if count >= fewest and token != START
    }


def _counts(texts: Sequence[Sequence[str]]) -> Counter[str]:
    """Return the number of texts that each token occurs in."""
    return Counter(token for text in texts for token in text)


def _importance(token: str, word_weight: float) -> float:
    is_gram = token.startswith(GRAM) and len(token) > 1
    return 1.0 if is_gram else word_weight


def _fitted(
    rows: Rows, labels: int, weights: Mapping[str, float], static: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Fit one SVM, and return its weights: a vector of shape (labels,) for each token.

    Each row is scaled to unit length. The intercept is the weight of a token that every row has, so the scale of a row
    does not change which class scores highest, and the embedding sum, which is not normalized, gives the same answer.
    """
    from scipy.sparse import csr_matrix, diags, hstack
    from sklearn.svm import LinearSVC

    grams = _matrix(rows.texts, weights)
    gram_factor = 1 / max(_lengths(grams).mean(), TINY)
    parts = [grams * gram_factor, csr_matrix(np.full((len(rows.texts), 1), INTERCEPT))]
    static_factor = 0.0
    if static:
        sums = _matrix(rows.texts, dict.fromkeys(static, 1.0)) @ np.stack([*static.values()])
        static_factor = STATIC_WEIGHT / max(float(np.linalg.norm(sums, axis=1).mean()), TINY)
        parts.append(csr_matrix(sums * static_factor))
    matrix = hstack(parts).tocsr()
    machine = LinearSVC(fit_intercept=False, C=COST, tol=TOLERANCE, random_state=0)
    machine.fit(diags(1 / _lengths(matrix)) @ matrix, rows.classes)
    found = machine.coef_.T
    found = np.hstack([-found, found]) if found.shape[1] == 1 else found  # two classes share one row of weights
    coefficients = np.zeros((matrix.shape[1], labels))
    coefficients[:, machine.classes_] = found
    count = len(weights)
    vectors = {token: coefficients[index] * weights[token] * gram_factor for index, token in enumerate(weights)}
    vectors[START] = coefficients[count] * INTERCEPT
    for word, vector in static.items():
        vectors[word] = vectors.get(word, 0) + vector @ coefficients[count + 1 :] * static_factor
    return vectors


def _lengths(matrix: "csr_matrix") -> np.ndarray:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())


def _matrix(texts: Sequence[Sequence[str]], weights: Mapping[str, float]) -> "csr_matrix":
    """Return the weights of each text's tokens: (texts, tokens)."""
    from scipy.sparse import csr_matrix

    columns = {token: index for index, token in enumerate(weights)}
    found = [
        (row, columns[token], weights[token]) for row, text in enumerate(texts) for token in text if token in columns
    ]
    row, column, value = zip(*found, strict=True) if found else ((), (), ())
    return csr_matrix((value, (row, column)), shape=(len(texts), len(weights)))
