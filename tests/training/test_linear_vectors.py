"""Token vectors are the weights of linear models: their sums give the models' answers."""

import numpy as np
import pytest

from export.rows import read_rows
from handler.ngrams import Ngrams
from tests.trained import DEMO_DATASET
from training.baseline import answers_of_svm
from training.linear_vectors import START, Rows, held_out_scale, linear_vectors, scale_of

NGRAMS = Ngrams(2, 5)
TEXTS = {
    0: ["book a flight to Cairo", "I want to fly to Paris", "réserver un vol pour Lyon", "أريد حجز رحلة إلى القاهرة"],
    1: ["play some jazz", "put on a song", "mets de la musique", "شغل الموسيقى من فضلك"],
    2: ["how is the weather", "will it rain today", "quel temps fait-il", "كيف الطقس اليوم"],
}
STATIC = {"plane": np.array([1, 0, 0], np.float32), "fly": np.array([1, 0, 0], np.float32)}


def rows(texts: dict[int, list[str]]) -> Rows:
    pairs = [(text, label) for label, found in texts.items() for text in found]
    return Rows([tokens(text) for text, _ in pairs], np.array([label for _, label in pairs]))


def tokens(text: str) -> list[str]:
    return [START, *NGRAMS.of(text).split(" ")]


def answer(vectors: dict[str, np.ndarray], text: str) -> int:
    return int(np.sum([vectors[token] for token in tokens(text) if token in vectors], axis=0).argmax())


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
    many = Rows([[START] + [f"word{row}x{part}" for part in range(40)] for row in range(100)], np.arange(100) % 2)
    assert len(linear_vectors(many, 600, {})) == 2000 + 1


def test_the_token_in_front_holds_the_intercept_so_that_a_text_without_known_tokens_is_the_frequent_class() -> None:
    found = linear_vectors(rows({0: TEXTS[0], 1: TEXTS[1][:1]}), 2, {})
    assert found[START][0] > found[START][1]


def test_the_demo_is_answered_as_well_as_by_the_yardstick_of_the_report() -> None:
    demo = read_rows(DEMO_DATASET)
    labels = sorted(set(demo["intent"]))
    order = np.random.default_rng(0).permutation(len(demo))
    texts, right = (
        demo["text"].astype(str).to_numpy()[order],
        np.array([labels.index(each) for each in demo["intent"]])[order],
    )
    asked, half = range(len(demo) // 2, len(demo)), len(demo) // 2
    vectors = linear_vectors(Rows([tokens(text) for text in texts[:half]], right[:half]), len(labels), {})
    svm = answers_of_svm(list(texts[:half]), [labels[each] for each in right[:half]], list(texts[half:]))
    ours = sum(answer(vectors, texts[row]) == right[row] for row in asked)
    theirs = sum(each == labels[right[row]] for each, row in zip(svm, asked, strict=True))
    assert ours >= theirs > len(asked) // 2


def test_the_scale_makes_probabilities_of_scores_with_few_rows_as_with_validation() -> None:
    seen, unseen = rows(TEXTS), rows({0: ["book a flight"], 1: ["play a song"], 2: ["is the weather nice today"]})
    assert scale_of(linear_vectors(seen, 3, {}), unseen) > 1
    assert held_out_scale(seen, 3, {}) >= 0.5
