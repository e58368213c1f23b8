"""Decode slot tags with the Viterbi algorithm, so that they always form complete BIO spans.

A tagger labels each word on its own, so a slot can lack its `B-` tag or change its type halfway, as in
`B-city I-artist`. Hexabot drops such words. Viterbi decoding chooses all tags of a text together.
"""

from collections.abc import Iterable, Sequence

import numpy as np

BEGIN, INSIDE, OUTSIDE = "B-", "I-", "O"
SMALLEST = 1e-30
"""Lower bound of a probability. It keeps logarithms finite, so only a forbidden transition rules out a path."""


def is_bio(labels: Iterable[str]) -> bool:
    """Return whether labels are BIO tags: all are `B-x`, `I-x` or `O`, and at least one is `B-x`."""
    labels = set(labels)
    return any(label.startswith(BEGIN) for label in labels) and all(
        label == OUTSIDE or label.startswith((BEGIN, INSIDE)) for label in labels
    )


def is_whole(tags: Iterable[str]) -> bool:
    """Return whether every `I-x` tag follows `B-x` or `I-x`."""
    before = OUTSIDE
    for tag in tags:
        if tag.startswith(INSIDE) and not (before.startswith((BEGIN, INSIDE)) and before[2:] == tag[2:]):
            return False
        before = tag
    return True


class SlotDecoder:
    """Decode a tagger's logits into a tag sequence in which every slot is complete.

    The transitions have no weights; they are allowed or forbidden. `I-x` may follow only `B-x` or `I-x`, and every
    other label may follow any label and may begin a text. Sources: Viterbi (1967) for the best path; Rabiner (1989),
    "A tutorial on hidden Markov models", for the forward-backward algorithm.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """Prepare the transitions.

        Args:
            labels: The labels in index order. Labels that are not BIO tags count as outside of slots.
        """
        self._labels = list(labels)
        index = {label: number for number, label in enumerate(labels)}
        names = [label[len(INSIDE) :] for label in labels if label.startswith(INSIDE)]
        # Pairs: self._begin[i] is the index of `B-x`, and self._inside[i] that of `I-x`.
        self._inside = np.array([index[INSIDE + name] for name in names], dtype=np.intp)
        # Without a `B-x`, use `I-x` in its place. `I-x` then follows only itself, so no path reaches it.
        self._begin = np.array([index.get(BEGIN + name, index[INSIDE + name]) for name in names], dtype=np.intp)
        # The labels that may follow any label and begin a text.
        free = [number for number, label in enumerate(labels) if not label.startswith(INSIDE)]
        self._free = np.array(free, dtype=np.intp)

    def decode(self, logits: np.ndarray) -> tuple[list[str], list[float]]:
        """Return the most probable valid tag sequence and a probability for each of its tags.

        Args:
            logits: The scores of each label for each word, float, (words, labels), with at least one word.

        Returns:
            One label for each word, and its marginal probability among all valid sequences, in [0, 1].
        """
        probabilities = np.maximum(_softmax(logits.astype(np.float64)), SMALLEST)
        path = self._best_path(np.log(probabilities))
        confidences = self._marginals(probabilities)[np.arange(len(path)), path].tolist()
        return [self._labels[label] for label in path], confidences

    def _best_path(self, scores: np.ndarray) -> list[int]:
        """Return the labels of the valid path with the largest sum of scores (the Viterbi algorithm).

        Args:
            scores: Log probabilities, float64, (words, labels).

        Returns:
            One label index for each word.
        """
        inside, begin = self._inside, self._begin
        # best[label]: the score of the best path that ends with this label at the current word.
        # previous[word, label]: the label before it on that path.
        best, previous = scores[0].copy(), np.zeros(scores.shape, dtype=np.intp)
        best[inside] = -np.inf  # a text cannot begin inside a slot
        for word in range(1, len(scores)):
            before = previous[word]
            # Most labels may follow any label, so they extend the best path of all.
            before[:] = best.argmax()
            # `I-x` extends the better of the two paths that end with `B-x` and with `I-x`.
            before[inside] = np.where(best[begin] >= best[inside], begin, inside)
            best = best[before] + scores[word]
        # Follow the best path back from its last label.
        path = [int(best.argmax())]
        for before in previous[:0:-1]:
            path.append(int(before[path[-1]]))
        return path[::-1]

    def _marginals(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probability of each label at each word among all valid paths (the forward-backward algorithm).

        Args:
            probabilities: The tagger's probabilities, float64, (words, labels).

        Returns:
            Marginal probabilities, float64, (words, labels). Each row sums to 1.
        """
        inside, begin, free = self._inside, self._begin, self._free
        has_begin = begin != inside  # where `B-x` exists, so `I-x` does not stand in for it
        forward, backward = np.zeros(probabilities.shape), np.ones(probabilities.shape)
        # forward[word, label]: the weight of all valid paths up to this word that end with this label.
        forward[0, free] = probabilities[0, free]
        for word in range(1, len(probabilities)):
            # A common factor cancels out in the end; dividing by the sum keeps long texts from underflowing.
            before = forward[word - 1] / forward[word - 1].sum()
            forward[word, free] = before.sum()
            forward[word, inside] = before[inside] + np.where(has_begin, before[begin], 0.0)
            forward[word] *= probabilities[word]
        # backward[word, label]: the weight of all valid continuations after this label at this word.
        for word in range(len(probabilities) - 1, 0, -1):
            after = backward[word] * probabilities[word]
            backward[word - 1] = after[free].sum()
            backward[word - 1, inside] += after[inside]
            backward[word - 1, begin[has_begin]] += after[inside[has_begin]]
            backward[word - 1] /= backward[word - 1].max()
        # The product weighs all valid paths through a label; normalize it for each word.
        marginals = forward * backward
        return np.asarray(marginals / marginals.sum(axis=1, keepdims=True))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
