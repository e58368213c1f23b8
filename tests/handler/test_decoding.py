"""Viterbi decoding, compared with every possible path."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.decoding import SlotDecoder, is_bio, is_whole

LABELS = ["<EOS>", "O", "B-x", "I-x", "B-y", "I-y"]
LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.just(len(LABELS))),
    elements=st.floats(-8, 8, width=16),
    fill=st.nothing(),
)


def whole_paths(words: int) -> Iterator[tuple[str, ...]]:
    """Yield every sequence of labels in which all slots are complete."""
    return (path for path in product(LABELS, repeat=words) if is_whole(path))


@given(logits=LOGITS)
def test_viterbi_finds_the_best_valid_path_and_its_marginal_probabilities(logits: np.ndarray) -> None:
    exponentials = np.exp(logits.astype(np.float64))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    weights = {
        path: float(np.prod([softmax[word, LABELS.index(tag)] for word, tag in enumerate(path)]))
        for path in whole_paths(len(logits))
    }
    tags, probabilities = SlotDecoder(LABELS).decode(logits)
    assert tuple(tags) in weights
    assert weights[tuple(tags)] == pytest.approx(max(weights.values()), rel=1e-9)
    total = sum(weights.values())
    expected = [
        sum(weight for path, weight in weights.items() if path[word] == tag) / total for word, tag in enumerate(tags)
    ]
    assert probabilities == pytest.approx(expected, rel=1e-6)


@given(logits=LOGITS)
def test_a_valid_greedy_sequence_is_kept(logits: np.ndarray) -> None:
    best = [LABELS[label] for label in logits.argmax(axis=1)]
    highest = np.sort(logits, axis=1)
    tied = bool((highest[:, -1] - highest[:, -2] < 1e-3).any())
    assert tied or not is_whole(best) or SlotDecoder(LABELS).decode(logits)[0] == best


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        (["O", "B-x", "I-x"], [[1, 0, 2], [0, 0, 9]], ["B-x", "I-x"]),
        (["O", "I-x"], [[0, 9], [0, 9]], ["O", "O"]),
        (["I-x", "O", "B-y"], [[9, 0, 1], [0, 0, 9]], ["B-y", "B-y"]),
        (["O", "B-x", "I-x"], [[0, 0, 900], [0, 0, 900]], ["B-x", "I-x"]),
        (["O"], [[0.0]], ["O"]),
    ],
    ids=["a beginning is found", "no beginning exists", "an inside without its beginning", "sure of a mistake", "one"],
)
def test_examples(labels: list[str], scores: list[list[float]], expected: list[str]) -> None:
    tags, probabilities = SlotDecoder(labels).decode(np.array(scores, dtype=np.float32))
    assert tags == expected
    assert all(0 < probability <= 1 for probability in probabilities)


def test_four_hundred_words_are_decoded() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (400, len(LABELS)))
    tags, probabilities = SlotDecoder(LABELS).decode(logits)
    assert is_whole(tags)
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize(
    ("tags", "answer"),
    [
        ([], True),
        (["O", "B-x", "I-x", "I-x", "B-x"], True),
        (["I-x"], False),
        (["B-x", "I-y"], False),
        (["B-x", "O", "I-x"], False),
        (["<PAD>", "I-AD>"], False),
    ],
    ids=lambda tags: " ".join(tags) if isinstance(tags, list) else None,
)
def test_complete_and_broken_slots_are_distinguished(tags: list[str], answer: bool) -> None:
    assert is_whole(tags) is answer


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        ({"O", "B-x", "I-x"}, True),
        ({"B-x"}, True),
        ({"O"}, False),
        ({"O", "city"}, False),
        ({"O", "I-x"}, False),
        (set(), False),
    ],
    ids=lambda labels: " ".join(sorted(labels)) if isinstance(labels, set) else None,
)
def test_bio_tags_are_recognized(labels: set[str], answer: bool) -> None:
    assert is_bio(labels) is answer
