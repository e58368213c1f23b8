"""Words with their prefixes and suffixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.affixes import Affixes, parse_column
from handler.tokenizers import SpaceTokenizer

TEXTS = st.text() | st.text(alphabet="ab \t\n\u00a0é😀İ*", max_size=30)


@pytest.mark.parametrize(
    ("lengths", "text", "expected"),
    [
        ([2, 4], "Paris", "* * * * Pa* Pari* Paris *aris *is * * * *"),
        ([3], "  to  عمان ", "* * to* to *to عما* عمان *مان * *"),
        ([1], "a\tb", "* * a* a\tb *b * *"),
        ([2], "", "* * * *"),
    ],
)
def test_a_word_becomes_its_prefixes_itself_and_its_suffixes(lengths: list[int], text: str, expected: str) -> None:
    assert Affixes(lengths).of(text) == expected


@given(text=TEXTS, lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_every_word_becomes_the_same_number_of_tokens(text: str, lengths: list[int]) -> None:
    """This also holds for Ludwig's split, for unusual white space, and for the start and stop symbols."""
    affixes, words = Affixes(lengths), SpaceTokenizer().split(text)
    tokens = ["<SOS>", *SpaceTokenizer().split(affixes.of(text)), "<EOS>"]
    assert len(tokens) == affixes.tokens_per_word * (len(words) + 2)
    assert tokens[affixes.tokens_per_word + len(lengths) :: affixes.tokens_per_word][: len(words)] == words


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("text", ("text", None)),
        ("text+affixes24", ("text", Affixes([2, 4]))),
        ("my:text+affixes9", ("my:text", Affixes([9]))),
        ("text+affixes", ("text+affixes", None)),
        ("text+affixes20", ("text+affixes20", None)),
        ("+affixes2", ("+affixes2", None)),
        ("text_affixes2", ("text_affixes2", None)),
    ],
)
def test_a_column_name_says_how_the_column_is_derived(column: str, expected: tuple[str, Affixes | None]) -> None:
    assert parse_column(column) == expected
