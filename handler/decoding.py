"""Decode slot tags with the Viterbi algorithm, so that they always form complete BIO spans.

A tagger decides word by word, so a slot may lack its beginning, or change its type halfway as in `B-city I-artist`.
Hexabot drops such words. Viterbi decoding chooses all tags of a text together.
"""

from collections.abc import Iterable, Sequence

import numpy as np

BEGIN, INSIDE, OUTSIDE = "B-", "I-", "O"
SMALLEST = 1e-30
"""Lower bound of probabilities, so that only transitions can make a path impossible."""


def is_bio(labels: Iterable[str]) -> bool:
    """Return whether labels are BIO tags: at least one `B-` tag, and all others `I-` or `O`."""
    labels = set(labels)
    return any(label.startswith(BEGIN) for label in labels) and all(
        label == OUTSIDE or label.startswith((BEGIN, INSIDE)) for label in labels
    )


def is_whole(tags: Iterable[str]) -> bool:
    """Return whether each `I-` tag continues a slot of the same type."""
    before = OUTSIDE
    for tag in tags:
        if tag.startswith(INSIDE) and not (before.startswith((BEGIN, INSIDE)) and before[2:] == tag[2:]):
            return False
        before = tag
    return True


class SlotDecoder:
    """Decode the logits of a tagger into whole slots.

    Source: Viterbi 1967, and the forward-backward algorithm, with the transitions of BIO alone: `I-x` follows `B-x` or
    `I-x`, and anything follows anything else.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """labels: in index order; labels that are not BIO tags count as outside."""
        self._labels = list(labels)
        index = {label: number for number, label in enumerate(labels)}
        names = [label[len(INSIDE) :] for label in labels if label.startswith(INSIDE)]
        self._inside = np.array([index[INSIDE + name] for name in names], dtype=np.intp)
        # An inside without a beginning of its kind can only follow itself, and so is never reached.
        self._begin = np.array([index.get(BEGIN + name, index[INSIDE + name]) for name in names], dtype=np.intp)
        free = [number for number, label in enumerate(labels) if not label.startswith(INSIDE)]
        self._free = np.array(free, dtype=np.intp)

    def decode(self, logits: np.ndarray) -> tuple[list[str], list[float]]:
        """Return the label of each word on the best path, and its probability among all paths that make whole slots.

        logits: (words, labels), of one word at least.
        """
        probabilities = np.maximum(_softmax(logits.astype(np.float64)), SMALLEST)
        path = self._best_path(np.log(probabilities))
        sureness = self._marginals(probabilities)[np.arange(len(path)), path].tolist()
        return [self._labels[label] for label in path], sureness

    def _best_path(self, scores: np.ndarray) -> list[int]:
        """Return the labels of the path with the largest sum of scores, (words, labels)."""
        inside, begin = self._inside, self._begin
        best, origins = scores[0].copy(), np.zeros(scores.shape, dtype=np.intp)
        best[inside] = -np.inf
        for word in range(1, len(scores)):
            source = origins[word]
            source[:] = best.argmax()
            source[inside] = np.where(best[begin] >= best[inside], begin, inside)
            best = best[source] + scores[word]
        path = [int(best.argmax())]
        for source in origins[:0:-1]:
            path.append(int(source[path[-1]]))
        return path[::-1]

    def _marginals(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probability of each label at each word, (words, labels), among the paths that make whole slots."""
        inside, begin, free = self._inside, self._begin, self._free
        begun = begin != inside
        forward, backward = np.zeros(probabilities.shape), np.ones(probabilities.shape)
        forward[0, free] = probabilities[0, free]
        for word in range(1, len(probabilities)):
            before = forward[word - 1] / forward[word - 1].sum()
            forward[word, free] = before.sum()
            forward[word, inside] = before[inside] + np.where(begun, before[begin], 0.0)
            forward[word] *= probabilities[word]
        for word in range(len(probabilities) - 1, 0, -1):
            after = backward[word] * probabilities[word]
            backward[word - 1] = after[free].sum()
            backward[word - 1, inside] += after[inside]
            backward[word - 1, begin[begun]] += after[inside[begun]]
            backward[word - 1] /= backward[word - 1].max()
        marginals = forward * backward
        return np.asarray(marginals / marginals.sum(axis=1, keepdims=True))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
