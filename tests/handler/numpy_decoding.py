"""Viterbi decoding and the forward-backward algorithm on whole matrices: the reference of `handler.decoding`."""

from collections.abc import Sequence

import numpy as np

from handler.decoding import BEGIN, INSIDE, SMALLEST


def decoded(labels: Sequence[str], logits: np.ndarray) -> tuple[list[str], list[float], np.ndarray]:
    """Decode a text.

    Args:
        labels: The labels in index order.
        logits: The scores of each label for each word, float, (words, labels).

    Returns:
        The most probable valid tags, their marginal probabilities, and all log probabilities, (words, labels).
    """
    # No path reaches an `I-x` without a `B-x`. If its weight counted, it could make all other weights underflow.
    allowed = np.array([[_may_follow(label, before, labels) for label in labels] for before in labels])
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities = np.maximum(powers / powers.sum(axis=1, keepdims=True), SMALLEST)
    scores = np.log(probabilities)
    path = _best_path(scores, np.where(allowed, 0.0, -np.inf), _may_begin(labels))
    marginals = _marginals(probabilities, allowed.astype(float), _may_begin(labels))
    return [labels[each] for each in path], marginals[np.arange(len(path)), path].tolist(), scores


def _may_begin(labels: Sequence[str]) -> np.ndarray:
    return np.array([not label.startswith(INSIDE) for label in labels])


def _may_follow(label: str, before: str, labels: Sequence[str]) -> bool:
    begin = BEGIN + label[len(INSIDE) :]
    return not label.startswith(INSIDE) or (begin in labels and before in (begin, label))


def _best_path(scores: np.ndarray, transitions: np.ndarray, first: np.ndarray) -> list[int]:
    best, previous = np.where(first, scores[0], -np.inf), []
    for score in scores[1:]:
        ways = best[:, None] + transitions
        previous.append(ways.argmax(axis=0))
        best = ways.max(axis=0) + score
    path = [int(best.argmax())]
    for before in reversed(previous):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _marginals(probabilities: np.ndarray, transitions: np.ndarray, first: np.ndarray) -> np.ndarray:
    forward, backward = np.zeros(probabilities.shape), np.ones(probabilities.shape)
    forward[0] = np.where(first, probabilities[0], 0.0)
    for word in range(1, len(probabilities)):
        forward[word] = (forward[word - 1] / forward[word - 1].sum()) @ transitions * probabilities[word]
    for word in range(len(probabilities) - 1, 0, -1):
        weights = transitions @ (backward[word] * probabilities[word])
        backward[word - 1] = weights / weights.max()
    marginals = forward * backward
    return np.asarray(marginals / marginals.sum(axis=1, keepdims=True))
