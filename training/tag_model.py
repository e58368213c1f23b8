"""Fit a linear model of tag sequences: each token has a weight for each tag.

The score of a tag is the sum of the weights of a word's tokens, and the score of a tag sequence is the sum over its
words. This is a conditional random field (Lafferty et al., 2001) whose transitions have no weights: they are only
allowed or forbidden, as in `handler/decoding.py`. So training compares whole valid tag sequences, as decoding does,
and the weights work in a network that scores each word by itself. With few rows, this is more accurate than a model
that learns each word's tag on its own, and than a network that starts from random weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from handler.decoding import BEGIN, INSIDE

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PENALTY = 0.03
"""Weight of the L2 penalty, for the sum of the losses of all rows."""
MOST_ITERATIONS = 120
CORRECTIONS = 6
"""Number of corrections that L-BFGS keeps; more of them take more memory."""
SMALLEST = 1e-30


@dataclass(frozen=True)
class TaggedTexts:
    """Texts as tokens per word, and the tags of the words.

    Attributes:
        words: For each text and each of its words, the tokens of the word, as indexes into the vocabulary.
        tags: For each text and each of its words, the index of the tag.
        labels: The tags, in index order.
        tokens: Size of the vocabulary.
    """

    words: Sequence[Sequence[Sequence[int]]]
    tags: Sequence[Sequence[int]]
    labels: Sequence[str]
    tokens: int


def tag_weights(texts: TaggedTexts, iterations: int = MOST_ITERATIONS) -> np.ndarray:
    """Fit the model, and return its weights: float64, (tokens, labels).

    Args:
        texts: The training rows, each with at least one word.
        iterations: Maximum number of iterations of L-BFGS.
    """
    from scipy.optimize import minimize

    counts = _counts(texts)
    transposed = counts.T.tocsr()
    chains = _Chains([len(tags) for tags in texts.tags], texts.labels)
    right = np.concatenate([_valid(tags, texts.labels) for tags in texts.tags])
    rows, shape = np.arange(len(right)), (texts.tokens, len(texts.labels))

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalized negative log likelihood of the tag sequences, and its gradient."""
        scores = counts @ flat.reshape(shape)
        total, expected = chains.expected(scores)
        expected[rows, right] -= 1
        loss = total - scores[rows, right].sum() + PENALTY / 2 * (flat @ flat)
        return loss, (transposed @ expected).ravel() + PENALTY * flat

    options = {"maxiter": iterations, "maxcor": CORRECTIONS}
    found = minimize(objective, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x).reshape(shape)


def _counts(texts: TaggedTexts) -> "csr_matrix":
    """Return how often each word has each token: (words of all texts, tokens)."""
    from scipy.sparse import csr_matrix

    words = [word for text in texts.words for word in text]
    ends = np.cumsum([0, *map(len, words)])
    indexes = np.fromiter((token for word in words for token in word), dtype=np.int32, count=ends[-1])
    return csr_matrix((np.ones(len(indexes)), indexes, ends), shape=(len(words), texts.tokens))


def _valid(tags: Sequence[int], labels: Sequence[str]) -> list[int]:
    """Return tags in which every `I-x` follows `B-x` or `I-x`: others become `B-x`, as people mostly mean them."""
    index = {label: number for number, label in enumerate(labels)}
    valid: list[int] = []
    for tag in tags:
        before = labels[valid[-1]] if valid else ""
        name = labels[tag].removeprefix(INSIDE)
        follows = before.startswith((BEGIN, INSIDE)) and before[len(BEGIN) :] == name
        is_lost = labels[tag].startswith(INSIDE) and not follows
        valid.append(index.get(BEGIN + name, tag) if is_lost else tag)
    return valid


class _Step(NamedTuple):
    """The words at one position of their texts.

    Attributes:
        here: Their rows.
        before: The rows of the words before them; empty at the first position.
    """

    here: np.ndarray
    before: np.ndarray


class _Chains:
    """The tag sequences of all texts, for the forward-backward algorithm over all texts at once."""

    def __init__(self, lengths: Sequence[int], labels: Sequence[str]) -> None:
        """Prepare the positions of the words and the transitions.

        Args:
            lengths: The number of words of each text. The words of all texts are rows, one text after another.
            labels: The tags. `I-x` may follow only `B-x` and `I-x`, if there is a `B-x`.
        """
        index = {label: number for number, label in enumerate(labels)}
        names = [label.removeprefix(INSIDE) for label in labels if label.startswith(INSIDE)]
        names = [name for name in names if BEGIN + name in index]
        self._begin = np.array([index[BEGIN + name] for name in names], dtype=np.intp)
        self._inside = np.array([index[INSIDE + name] for name in names], dtype=np.intp)
        starts, counts = np.cumsum([0, *lengths])[:-1], np.array(lengths)
        self._steps = []
        for position in range(counts.max()):
            here = (starts + position)[counts > position]
            self._steps.append(_Step(here, here - 1 if position else here[:0]))

    def expected(self, scores: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the logarithm of the total weight of all valid sequences, and the probability of each tag.

        Args:
            scores: The score of each tag, (words, labels).

        Returns:
            The sum over all texts, and the marginal probabilities, (words, labels).
        """
        largest = scores.max(axis=1, keepdims=True)
        factors = np.exp(scores - largest) + SMALLEST
        forward, totals = self._forward(factors)
        backward = self._backward(factors, totals)
        marginals = forward * backward
        marginals /= marginals.sum(axis=1, keepdims=True)
        return float(np.log(totals).sum() + largest.sum()), marginals

    def _forward(self, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of the sequences up to each word, scaled to a sum of 1, and the scales."""
        forward, totals = np.empty_like(factors), np.empty(len(factors))
        for here, before in self._steps:
            weights = factors[here]  # any label but `I-x` may follow any label, and their weights sum to 1
            if len(before):
                last = forward[before]
                weights[:, self._inside] *= last[:, self._begin] + last[:, self._inside]
            else:
                weights[:, self._inside] = 0
            totals[here] = weights.sum(axis=1)
            forward[here] = weights / totals[here, None]
        return forward, totals

    def _backward(self, factors: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Return the weights of the sequences after each word, with the scales of `_forward`."""
        backward = np.ones_like(factors)
        for here, before in self._steps[:0:-1]:
            weights = factors[here] * backward[here] / totals[here, None]
            inside = weights[:, self._inside]
            backward[before] = (weights.sum(axis=1) - inside.sum(axis=1))[:, None]
            backward[before[:, None], self._begin] += inside
            backward[before[:, None], self._inside] += inside
        return backward
