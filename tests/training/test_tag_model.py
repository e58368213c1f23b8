"""A linear model of tag sequences, compared with all sequences of short texts."""

from itertools import product

import numpy as np
import pytest

from handler.decoding import SlotDecoder, is_whole
from training import tag_model
from training.tag_model import TaggedTexts, tag_weights

LABELS = ["B-city", "B-day", "I-city", "O"]
SENTENCES = {
    "fly to new york": "O O B-city I-city",
    "fly to cairo": "O O B-city",
    "go to new delhi monday": "O O B-city I-city B-day",
    "leave monday": "O B-day",
}


def given(labels: list[str] = LABELS, sentences: dict[str, str] = SENTENCES) -> tuple[TaggedTexts, dict[str, int]]:
    """Return texts whose words have two tokens: the word, and the word before it."""
    index: dict[str, int] = {}
    words = []
    for text in sentences:
        pairs = zip(text.split(), ["^", *text.split()], strict=False)
        words.append([[index.setdefault(t, len(index)) for t in (word, f"-1:{last}")] for word, last in pairs])
    tags = [[labels.index(tag) for tag in tags.split()] for tags in sentences.values()]
    return TaggedTexts(words, tags, labels, len(index)), index


def test_marginals_and_total_are_those_of_all_valid_sequences() -> None:
    lengths, scores = [3, 1, 4], np.random.default_rng(0).normal(size=(8, 4)) * 3
    total, marginals = tag_model._Chains(lengths, LABELS).expected(scores)
    first, logarithms = 0, 0.0
    for length in lengths:
        paths = [path for path in product(range(4), repeat=length) if is_whole(LABELS[label] for label in path)]
        own = scores[first : first + length]
        weights = np.exp([own[range(length), path].sum() for path in paths])
        logarithms += np.log(weights.sum())
        expected = np.zeros((length, 4))
        for path, weight in zip(paths, weights / weights.sum(), strict=True):
            expected[range(length), path] += weight
        assert marginals[first : first + length] == pytest.approx(expected, abs=1e-9)
        first += length
    assert total == pytest.approx(logarithms)


def test_weights_minimize_the_penalized_loss() -> None:
    texts, _ = given()
    found = tag_weights(texts)
    chains = tag_model._Chains(list(map(len, texts.tags)), LABELS)
    rows = [word for text in texts.words for word in text]
    right = np.concatenate(texts.tags)

    def loss(weights: np.ndarray) -> float:
        scores = np.array([weights[word].sum(axis=0) for word in rows])
        penalty = tag_model.PENALTY / 2 * (weights**2).sum()
        return float(chains.expected(scores)[0] - scores[range(len(right)), right].sum() + penalty)

    rng = np.random.default_rng(1)
    assert all(loss(found) < loss(found + 0.1 * rng.normal(size=found.shape)) for _ in range(20))


def test_new_sentences_get_whole_slots() -> None:
    texts, index = given()
    weights = tag_weights(texts)
    words = ["leave", "to", "new", "york", "monday"]
    tokens = [(word, f"-1:{last}") for word, last in zip(words, ["^", *words], strict=False)]
    logits = [sum(weights[index[token]] for token in pair if token in index) for pair in tokens]
    assert SlotDecoder(LABELS).decode(logits)[0] == ["O", "O", "B-city", "I-city", "B-day"]


def test_a_slot_without_its_beginning_counts_as_begun() -> None:
    assert tag_model._valid([3, 2, 2, 1, 2], LABELS) == [3, 0, 2, 1, 0]
    labels = ["I-a", "O"]
    assert tag_model._valid([1, 0, 0], labels) == [1, 0, 0], "without B-a, I-a stays and may follow any label"
    texts, _ = given(labels, {"one two": "O I-a", "two": "I-a"})
    assert np.isfinite(tag_weights(texts)).all()
