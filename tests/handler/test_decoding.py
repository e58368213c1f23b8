"""Viterbi decoding, compared with every possible path."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.decoding import SlotDecoder, is_bio, is_whole
from tests.handler.numpy_decoding import decoded

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
    tags, probabilities = SlotDecoder(LABELS).decode(logits.tolist())
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
    assert tied or not is_whole(best) or SlotDecoder(LABELS).decode(logits.tolist())[0] == best


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
    tags, probabilities = SlotDecoder(labels).decode(scores)
    assert tags == expected
    assert all(0 < probability <= 1 for probability in probabilities)


@st.composite
def taggers(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    """Return the labels of a tagger, some without their `B-x` or `I-x`, and logits of a short or long text."""
    tags = st.sampled_from([f"{mark}{slot}" for mark in ("B-", "I-") for slot in "vwxyz"])
    labels = draw(st.permutations(["O", "<PAD>", *draw(st.sets(tags, max_size=10))]))
    words = draw(st.integers(1, 40) | st.just(1000))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return labels, random.normal(0, draw(st.sampled_from([0.1, 2, 30, 1e6])), (words, len(labels))).astype(np.float32)


@settings(deadline=None)
@given(tagger=taggers())
def test_tags_and_probabilities_match_the_reference_by_numpy(tagger: tuple[list[str], np.ndarray]) -> None:
    labels, logits = tagger
    expected_tags, expected_probabilities, scores = decoded(labels, logits)
    tags, probabilities = SlotDecoder(labels).decode(logits.tolist())
    assert is_whole(tags)
    if tags != expected_tags:  # two paths can be equally good
        weights = [
            sum(scores[word, labels.index(tag)] for word, tag in enumerate(path)) for path in (tags, expected_tags)
        ]
        assert weights[0] == pytest.approx(weights[1], rel=1e-12)
    same = [one == other for one, other in zip(tags, expected_tags, strict=True)]
    np.testing.assert_allclose(np.array(probabilities)[same], np.array(expected_probabilities)[same], rtol=1e-9)


def test_certain_words_of_a_long_text_do_not_underflow() -> None:
    """Every word is sure of `I-x`, which no text can begin with, so each path contains improbable tags."""
    logits = [[0.0, 0.0, 0.0, 900.0, 0.0, 0.0]] * 5000
    tags, probabilities = SlotDecoder(LABELS).decode(logits)
    assert tags == ["B-x", *["I-x"] * 4999]
    assert min(probabilities[1:]) == pytest.approx(1)
    assert probabilities[0] == pytest.approx(1)


def test_labels_of_which_none_may_begin_a_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"none of the labels \['I-x'\] may begin a text"):
        SlotDecoder(["I-x"])


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
