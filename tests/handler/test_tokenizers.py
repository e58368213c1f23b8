"""The handler's tokenizers on their own; `test_ludwig_tokenizers.py` compares them with Ludwig's."""

import re
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.tokenizers import (
    CharactersTokenizer,
    CommaTokenizer,
    NgramTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SplittingTokenizer,
    StrippedTokenizer,
    SubwordTokenizer,
    UnderscoreTokenizer,
    UntokenizedTokenizer,
    raw_spans,
)
from tests.bundles import WORD_PIECES, word_piece

SPLITTERS = [kind() for kind in get_args(SplittingTokenizer) if kind is not NgramTokenizer]
TEXTS = st.text() | st.text(alphabet="ab_,; \t\n\r\u00a0\u3000\x1cİßéم!", max_size=20)


@pytest.mark.parametrize(
    ("tokenizer", "text", "tokens"),
    [
        (SpaceTokenizer(), "  a  b\tc d \n", ["a", "b\tc", "d"]),
        (SpaceTokenizer(), " \t ", []),
        (SpaceTokenizer(), "\u00a0a\u00a0b\u00a0", ["a\u00a0b"]),
        (SpacePunctTokenizer(), "l'été, 2_x! 😀", ["l", "'", "été", ",", "2_x", "!", "😀"]),
        (SpacePunctTokenizer(), "e\u0301", ["e", "\u0301"]),
        (CharactersTokenizer(), "a b", ["a", " ", "b"]),
        (CharactersTokenizer(), "", []),
        (CommaTokenizer(), " a , b,,c ", ["a", "b", "", "c"]),
        (CommaTokenizer(), "", [""]),
        (UnderscoreTokenizer(), "a _ b__c", ["a", "b", "", "c"]),
        (UntokenizedTokenizer(), " a b ", [" a b "]),
        (StrippedTokenizer(), " a b\n", ["a b"]),
        (NgramTokenizer(), " a b\tc d ", ["a", "b\tc", "d", "a b\tc", "b\tc d"]),
        (NgramTokenizer(), "a  b   c", ["a", "b", "c", "a ", " b", "b ", " ", " c"]),
        (NgramTokenizer(), " ", []),
        (NgramTokenizer(), "a", ["a"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | list) else None,
)
def test_tokenizers_split_texts(tokenizer: SplittingTokenizer, text: str, tokens: list[str]) -> None:
    assert tokenizer.split(text) == tokens


@pytest.mark.parametrize("tokenizer", SPLITTERS, ids=lambda tokenizer: type(tokenizer).__name__)
@given(text=TEXTS)
def test_spans_match_the_tokens(tokenizer: SplittingTokenizer, text: str) -> None:
    spans = list(tokenizer.spans(text))
    assert [text[start:end] for start, end in spans] == tokenizer.split(text)
    assert spans == sorted(spans)
    assert all(0 <= start <= end <= len(text) for start, end in spans)


@pytest.mark.parametrize(("tokenizer", "separator"), [(CommaTokenizer(), ","), (UnderscoreTokenizer(), "_")])
@given(text=TEXTS | st.text(alphabet=",_ a\n\u2003", max_size=30))
def test_pieces_equal_those_of_ludwigs_pattern(tokenizer: SplittingTokenizer, separator: str, text: str) -> None:
    place = len(text) - len(text.lstrip())
    end, expected = place + len(text.strip()), []
    for match in re.compile(rf"\s*{separator}\s*").finditer(text, place, end):
        expected.append((place, match.start()))
        place = match.end()
    assert list(tokenizer.spans(text)) == [*expected, (place, end)]
    assert tokenizer.split(text) == re.split(rf"\s*{separator}\s*", text.strip())


@given(text=TEXTS)
def test_pairs_follow_the_words(text: str) -> None:
    spans, words = list(NgramTokenizer().spans(text)), list(SpaceTokenizer().spans(text))
    assert spans[: len(words)] == words
    assert [text[start:end] for start, end in spans] == NgramTokenizer().split(text)


def test_lowercasing_can_lengthen_a_text() -> None:
    assert "İß".lower() == "i\u0307ß"
    assert raw_spans("aİßB", [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 5)]) == [
        (0, 1),
        (1, 2),
        (1, 2),
        (1, 3),
        (3, 4),
        (4, 4),
    ]


@given(text=st.text(alphabet="aAİßΣσÇéÉم ", max_size=20) | st.text())
def test_every_lowercased_character_has_an_origin(text: str) -> None:
    lowered = text.lower()
    spans = raw_spans(text, [(index, index + 1) for index in range(len(lowered))])
    assert spans == sorted(spans)
    assert raw_spans(text, [(0, len(lowered)), (len(lowered), len(lowered))])[1] == (len(text), len(text))
    single = [index for index, (start, end) in enumerate(spans) if len(text[start:end].lower()) == 1]
    assert all(lowered[index] in (text[slice(*spans[index])].lower(), "ς") for index in single)


def test_padding_and_truncation_in_the_file_are_ignored(tmp_path: Path) -> None:
    tokenizer = word_piece(WORD_PIECES)
    tokenizer.enable_padding(length=30)
    tokenizer.enable_truncation(3)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = SubwordTokenizer(file="tokenizer.json").load(tmp_path)
    assert loaded.encode("fly to PARIS").tokens == ["[CLS]", "fly", "to", "par", "##is", "[SEP]"]


def test_subwords_are_truncated_as_by_hugging_face(tmp_path: Path) -> None:
    word_piece(WORD_PIECES).save(str(tmp_path / "tokenizer.json"))
    loaded = SubwordTokenizer(file="tokenizer.json", max_tokens=4).load(tmp_path)
    assert loaded.encode("fly to paris").tokens == ["[CLS]", "fly", "to", "[SEP]"]


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"], ids=["missing", "empty", "object", "list"])
def test_a_file_that_is_not_a_tokenizer_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a Hugging Face tokenizer: "):
        SubwordTokenizer(file="tokenizer.json").load(tmp_path)


def test_characters_are_classified_as_in_ludwig() -> None:
    """Ludwig classifies each character with `isalnum` and `isspace`."""
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    marks = [mark for mark in text if not (mark.isalnum() or mark == "_" or mark.isspace())]
    tokens = SpacePunctTokenizer().split(text)
    assert [token for token in tokens if not (token[0].isalnum() or token[0] == "_")] == marks
    words = "".join(mark if mark.isalnum() or mark == "_" else " " for mark in text).split()
    assert [token for token in tokens if token[0].isalnum() or token[0] == "_"] == words
