"""Decode slot tags with the Viterbi algorithm, so that they always form complete BIO spans.

A tagger labels each word on its own, so a slot can lack its `B-` tag or change its type halfway, as in
`B-city I-artist`. Hexabot drops such words. Viterbi decoding chooses all tags of a text together.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import exp
from operator import add, ge, mul

import msgspec

BEGIN, INSIDE, OUTSIDE = "B-", "I-", "O"
SMALLEST = 1e-30
"""Lower bound of a probability: only a forbidden transition rules out a path, and products of a few never underflow."""


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

    Labels that may follow any label are called free here. All free labels of a word have the same predecessors, so one
    maximum and one sum serve all of them. Only the slots, each a pair of `B-x` and `I-x`, need work of their own.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """Prepare the transitions.

        Args:
            labels: The labels in index order. Labels that are not BIO tags count as outside of slots.

        Raises:
            ValueError: No label may begin a text.
        """
        self._labels = list(labels)
        index = {label: number for number, label in enumerate(labels)}
        self._free = [number for number, label in enumerate(labels) if not label.startswith(INSIDE)]
        if not self._free:
            raise ValueError(f"none of the labels {self._labels} may begin a text")
        # Slot i has the labels self._begin[i] and self._inside[i]. No path reaches an `I-x` without a `B-x`.
        names = [label[len(INSIDE) :] for label in labels if label.startswith(INSIDE)]
        names = [name for name in names if BEGIN + name in index]
        self._begin = [index[BEGIN + name] for name in names]
        self._inside = [index[INSIDE + name] for name in names]
        self._slot_begun = {label: slot for slot, label in enumerate(self._begin)}
        self._slot_inside = {label: slot for slot, label in enumerate(self._inside)}

    def decode(self, logits: Iterable[Sequence[float]]) -> tuple[list[str], list[float]]:
        """Return the most probable valid tag sequence and a probability for each of its tags.

        Args:
            logits: For each word the scores of all labels, with at least one word.

        Returns:
            One label for each word, and its marginal probability among all valid sequences, in [0, 1].
        """
        words = [self._word(scores) for scores in logits]
        path = self._best_path(words)
        return [self._labels[label] for label in path], self._marginals(words, path)

    def _word(self, logits: Sequence[float]) -> "_Word":
        """Return the softmax of a word's labels, except for its divisor: every factor of a word cancels out."""
        largest = max(logits)
        powers = [exp(each - largest) for each in logits]
        least = SMALLEST * sum(powers)
        if min(powers) < least:
            powers = [max(power, least) for power in powers]
        free = [powers[label] for label in self._free]
        begin, inside = ([powers[label] for label in labels] for labels in (self._begin, self._inside))
        return _Word(powers, free, sum(free), begin, inside)

    def _best_path(self, words: Sequence["_Word"]) -> list[int]:
        """Return the labels of the most probable valid path (the Viterbi algorithm).

        Args:
            words: The probabilities of each word's labels.

        Returns:
            One label index for each word.
        """
        # For each slot, the probabilities of the best paths that end with its `B-x` and with its `I-x`, relative to the
        # best path of all. They never underflow: a path may start the slot at any word, and no probability is below
        # SMALLEST.
        begun = inside = [0.0] * len(self._inside)  # a text cannot begin inside a slot
        last = -1
        steps: list[tuple[int, list[bool]]] = []
        for word in words:
            # `I-x` extends the better of the two paths that end with `B-x` and with `I-x`.
            steps.append((last, list(map(ge, begun, inside))))
            inside = list(map(mul, map(max, begun, inside), word.inside))
            # Every other label extends the best path of all.
            best = max(word.free)
            last = self._free[word.free.index(best)]
            if inside and (highest := max(inside)) > best:
                best, last = highest, self._inside[inside.index(highest)]
            begun = [each / best for each in word.begin]
            inside = [each / best for each in inside]
        # Follow the best path back from its last label.
        path = [last]
        for before, after_begin in steps[:0:-1]:
            slot = self._slot_inside.get(path[-1])
            if slot is None:
                path.append(before)
            else:
                path.append(self._begin[slot] if after_begin[slot] else self._inside[slot])
        return path[::-1]

    def _marginals(self, words: Sequence["_Word"], path: Sequence[int]) -> list[float]:
        """Return the probability of a path's labels among all valid paths (the forward-backward algorithm).

        Args:
            words: The probabilities of each word's labels.
            path: The index of one label for each word, on a valid path.

        Returns:
            The marginal probability of each of these labels.
        """
        # The weight of all valid continuations: `rest` after any label, and `more[slot]` in addition after the slot's.
        rest, more = 1.0, [0.0] * len(self._inside)
        marginals: list[float] = []
        steps = list(zip(words, path, self._forward(words), strict=True))
        for word, label, (total, begun, inside) in reversed(steps):
            # The product of a label's two weights is that of all valid paths through it. Divide by their sum over all
            # labels, to which `rest` contributes once, because the weights up to a word sum to 1.
            slot_weights = list(map(add, begun, inside))
            paths = rest + sum(map(mul, more, slot_weights))
            slot = self._slot_inside.get(label)
            own = self._slot_begun.get(label) if slot is None else slot
            weight = word.each[label] / total if slot is None else inside[slot]
            marginals.append(weight * (rest if own is None else rest + more[own]) / paths)
            # Prepend the word: a free label may follow any label, and an `I-x` only its slot's.
            free = rest * word.free_sum + sum(map(mul, more, word.begin))
            more = [(rest + each) * probability for each, probability in zip(more, word.inside, strict=True)]
            # A common factor cancels out; dividing by the largest weight keeps long texts from underflowing.
            largest = free + max(more, default=0.0)
            rest, more = free / largest, [each / largest for each in more]
        return marginals[::-1]

    def _forward(self, words: Sequence["_Word"]) -> Iterator[tuple[float, list[float], list[float]]]:
        """Yield the weights of all valid paths up to each word, scaled so that those of a word sum to 1.

        Args:
            words: The probabilities of each word's labels.

        Yields:
            For each word the scale, by which to divide the probability of a free label to get its weight, and the
            weights of each slot's `B-x` and `I-x`.
        """
        begun = inside = [0.0] * len(self._inside)
        for word in words:
            # The weights before sum to 1, and all of them continue with any free label.
            inside = list(map(mul, map(add, begun, inside), word.inside))
            total = word.free_sum + sum(inside)
            begun = [weight / total for weight in word.begin]
            inside = [weight / total for weight in inside]
            yield total, begun, inside


class _Word(msgspec.Struct, frozen=True):
    """The probabilities of a word's labels, all multiplied by the same factor.

    Attributes:
        each: Every label, in index order.
        free: The labels that may follow any label.
        free_sum: Their sum.
        begin: Each slot's `B-x`.
        inside: Each slot's `I-x`.
    """

    each: list[float]
    free: list[float]
    free_sum: float
    begin: list[float]
    inside: list[float]
