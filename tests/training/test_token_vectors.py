"""Token vectors are a linear model's weights: their sums give the model's answers."""

from typing import Any

import numpy as np
import pytest

from handler.ngrams import Ngrams
from training.errors import ConfigError
from training.token_vectors import Rows, asking_feature, linear_vectors

NGRAMS = Ngrams(2, 5)
TEXTS = {
    0: ["book a flight to Cairo", "I want to fly to Paris", "réserver un vol pour Lyon", "أريد حجز رحلة إلى القاهرة"],
    1: ["play some jazz", "put on a song", "mets de la musique", "شغل الموسيقى من فضلك"],
    2: ["how is the weather", "will it rain today", "quel temps fait-il", "كيف الطقس اليوم"],
}
STATIC = {"plane": np.array([1, 0, 0], np.float32), "fly": np.array([1, 0, 0], np.float32)}


def rows(texts: dict[int, list[str]]) -> Rows:
    pairs = [(text, label) for label, found in texts.items() for text in found]
    return Rows([NGRAMS.of(text).split(" ") for text, _ in pairs], np.array([label for _, label in pairs]))


def answer(vectors: dict[str, np.ndarray], text: str) -> int:
    return int(np.sum([vectors[token] for token in NGRAMS.of(text).split(" ") if token in vectors], axis=0).argmax())


@pytest.mark.parametrize(
    ("text", "label"),
    [("flights to Cairo", 0), ("musique de jazz", 1), ("weather today", 2), ("حجز رحلات", 0), ("ما هو الطقس", 2)],
)
def test_sums_of_vectors_classify_texts_with_unseen_word_forms(text: str, label: int) -> None:
    assert answer(linear_vectors(rows(TEXTS), 3, {}), text) == label


def test_vectors_keep_class_indexes_with_two_classes_and_with_classes_without_rows() -> None:
    vectors = linear_vectors(rows({2: TEXTS[0], 0: TEXTS[1]}), 3, {})
    assert {vector.shape for vector in vectors.values()} == {(3,)}
    assert [answer(vectors, text) for text in ("flight to Paris", "play jazz")] == [2, 0]


def test_static_vectors_classify_words_that_are_in_no_row() -> None:
    texts = {0: ["fly", "flying"], 1: TEXTS[1], 2: TEXTS[2]}
    assert "plane" not in linear_vectors(rows(texts), 3, {})
    assert answer({"plane": linear_vectors(rows(texts), 3, STATIC)["plane"]}, "plane") == 0


def test_the_number_of_tokens_is_limited_so_that_bundles_stay_small() -> None:
    many = Rows([[f"word{row}x{part}" for part in range(40)] for row in range(100)], np.arange(100) % 2)
    assert len(linear_vectors(many, 600, {})) == 2000


@pytest.mark.parametrize(
    ("column", "outputs", "message"),
    [
        ("text", ["category"], "needs a column of n-grams.*set for example `column: text.ngrams25`"),
        ("text+ngrams25", ["category", "sequence"], "needs exactly one output, a category"),
    ],
)
def test_features_that_cannot_have_linear_vectors_are_rejected(column: str, outputs: list[str], message: str) -> None:
    feature = {"name": "text", "type": "text", "column": column, "encoder": {"pretrained_embeddings": "linear"}}
    config: dict[str, Any] = {
        "input_features": [feature],
        "output_features": [{"name": str(index), "type": kind} for index, kind in enumerate(outputs)],
    }
    with pytest.raises(ConfigError, match=message):
        asking_feature(config)
