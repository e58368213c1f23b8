"""Words, pairs of words and character n-grams as tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.affixes import Affixes, parse_column
from handler.ngrams import Ngrams
from handler.tokenizers import SpaceTokenizer

NGRAMS = Ngrams(2, 5)
SPECIAL = {"<EOS>", "<SOS>", "<PAD>", "<UNK>"}


def test_a_text_becomes_words_then_pairs_then_ngrams_each_once() -> None:
    assert Ngrams(3, 3).of("Hi you") == "hi you hi_you #<hi #hi> #<yo #you #ou>"
    assert Ngrams(3, 3).of("no, no") == "no , no_, ,_no #<no #no> #<,>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("أُرِيدُ تَذْكِرَةً", ["أُرِيدُ", "تَذْكِرَةً"]),
        ("मुझे टिकट", ["मुझे", "टिकट"]),
        ("l'été à Köln", ["l", "'", "été", "à", "köln"]),
    ],
    ids=["Arabic with vowel signs", "Hindi", "French"],
)
def test_accents_and_vowel_signs_do_not_split_words(text: str, words: list[str]) -> None:
    assert NGRAMS.of(text).split(" ")[: len(words)] == words


@given(st.text())
def test_tokens_are_unique_without_white_space_and_never_special_symbols(text: str) -> None:
    tokens = SpaceTokenizer().split(NGRAMS.of(text))
    assert len(tokens) == len(set(tokens))
    assert [token for token in tokens if token.split() != [token]] == ([] if text.split() else tokens)
    assert not SPECIAL & set(tokens)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("text+ngrams25", ("text", Ngrams(2, 5))),
        ("text+ngrams3", ("text", Ngrams(3, 3))),
        ("text+affixes24", ("text", Affixes([2, 4]))),
        ("text+ngrams", ("text+ngrams", None)),
        ("text", ("text", None)),
    ],
)
def test_a_column_name_says_how_the_column_is_derived(column: str, expected: tuple[str, object]) -> None:
    assert parse_column(column) == expected
