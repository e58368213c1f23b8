"""Words with their affixes, their shape and the words around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.affixes import parse_column
from handler.context import Context
from handler.tokenizers import SpaceTokenizer

TEXTS = st.text() | st.text(alphabet="aB1 \t\n\u00a0é😀İ*_", max_size=30)
CONTEXTS = st.builds(Context, st.integers(1, 4), st.integers(1, 4))
FILLED = " ".join("_" * 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"{FILLED} {FILLED}"),
        ("Paris", f"{FILLED} * paris =Xx p> pa> <s <is -1:^ +1:$ ^_paris paris_$ {FILLED}"),
        (
            "  à  9h30",
            f"{FILLED} * à =x à> à> <à <à -1:^ +1:9h30 ^_à à_9h30 "
            f"* 9h30 =0x0 9> 9h> <0 <30 -1:à +1:$ à_9h30 9h30_$ {FILLED}",
        ),
        ("عمان", f"{FILLED} * عمان =x ع> عم> <ن <ان -1:^ +1:$ ^_عمان عمان_$ {FILLED}"),
    ],
)
def test_a_word_becomes_what_a_tagger_reads_about_it(text: str, expected: str) -> None:
    assert Context(2, 1).of(text) == expected


@given(text=TEXTS, context=CONTEXTS)
def test_every_word_becomes_the_same_number_of_tokens(text: str, context: Context) -> None:
    """This also holds for Ludwig's split, for unusual white space, and for the start and stop symbols."""
    words, stride = SpaceTokenizer().split(text), context.tokens_per_word
    tokens = ["<SOS>", *SpaceTokenizer().split(context.of(text)), "<EOS>"]
    assert len(tokens) == stride * (len(words) + 2)
    assert tokens[stride::stride][: len(words)] == ["*"] * len(words)
    assert tokens[stride + 1 :: stride][: len(words)] == [word.lower() for word in words]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("text+context43", ("text", Context(4, 3))),
        ("text+context2", ("text", Context(2, 2))),
        ("text+context", ("text+context", None)),
        ("text+context40", ("text+context40", None)),
    ],
)
def test_a_column_name_says_how_many_letters_and_words_count(column: str, expected: tuple[str, Context | None]) -> None:
    assert parse_column(column) == expected
