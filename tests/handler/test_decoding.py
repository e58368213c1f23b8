"""Whole slots, beside every path that there is."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.decoding import SlotDecoder, is_bio

LABELS = ["<EOS>", "O", "B-x", "I-x", "B-y", "I-y"]
LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.just(len(LABELS))),
    elements=st.floats(-8, 8, width=16),
    fill=st.nothing(),
)


def is_whole(tags: list[str]) -> bool:
    """Tell whether each `I-` goes on with a slot of its kind."""
    return all(not tag.startswith("I-") or before[2:] == tag[2:] for before, tag in pairwise(["O", *tags]))


def whole_paths(words: int) -> Iterator[tuple[int, ...]]:
    """Yield every path of labels that makes whole slots."""
    for path in product(range(len(LABELS)), repeat=words):
        if is_whole([LABELS[label] for label in path]):
            yield path


@given(logits=LOGITS)
def test_the_answer_is_the_best_of_all_paths_with_its_share_of_them(logits: np.ndarray) -> None:
    words = range(len(logits))
    exponentials = np.exp(logits.astype(np.float64))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    weights = {path: float(np.prod([softmax[word, path[word]] for word in words])) for path in whole_paths(len(logits))}
    labels, probabilities = SlotDecoder(LABELS).decode(logits)
    assert tuple(labels) in weights
    assert weights[tuple(labels)] == pytest.approx(max(weights.values()), rel=1e-9)
    if tuple(labels) == tuple(softmax.argmax(axis=1)):
        expected = [softmax[word, labels[word]] for word in words]
    else:
        total = sum(weights.values())
        expected = [sum(w for path, w in weights.items() if path[word] == labels[word]) / total for word in words]
    assert probabilities == pytest.approx(expected, rel=1e-6)


@given(logits=LOGITS)
def test_what_is_whole_already_stays(logits: np.ndarray) -> None:
    best = logits.argmax(axis=1).tolist()
    labels, _ = SlotDecoder(LABELS).decode(logits)
    assert is_whole([LABELS[label] for label in labels])
    assert labels == best or not is_whole([LABELS[label] for label in best])


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
    decoder = SlotDecoder(labels)
    found, probabilities = decoder.decode(np.array(scores, dtype=np.float32))
    assert [labels[label] for label in found] == expected
    assert all(0 < probability <= 1 for probability in probabilities)


def test_no_words_have_no_tags() -> None:
    assert SlotDecoder(LABELS).decode(np.zeros((0, len(LABELS)), dtype=np.float32)) == ([], [])


def test_four_hundred_words_are_decoded() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (400, len(LABELS)))
    labels, probabilities = SlotDecoder(LABELS).decode(logits)
    assert is_whole([LABELS[label] for label in labels])
    assert np.isfinite(probabilities).all()


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
)
def test_bio_is_told_from_other_tags(labels: set[str], answer: bool) -> None:
    assert is_bio(labels) is answer
