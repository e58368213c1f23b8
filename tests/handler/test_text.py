"""Encode texts as the graph's arrays, and find the position of each token."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.affixes import Affixes
from handler.errors import RequestError
from handler.tensor import Tensor
from handler.text import TextEncoder, TextInput, Vocabulary
from handler.tokenizers import (
    CharactersTokenizer,
    PiecesTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SubwordTokenizer,
    Tokenizer,
)
from handler.values import checked_text
from tests.bundles import WORD_PIECES, word_piece

EOS, SOS, PAD, UNK, FLY, TO, PARIS = range(7)
WORDS = ["<EOS>", "<SOS>", "<PAD>", "<UNK>", "fly", "to", "Paris"]
VOCABULARY = Vocabulary(file="vocabulary.json", unknown_id=UNK, start_id=SOS, stop_id=EOS)


def encoder(folder: Path, tokens: Any = WORDS, **changes: Any) -> TextEncoder:
    """Load a feature with a length of 6 tokens and a small vocabulary."""
    (folder / "vocabulary.json").write_bytes(msgspec.json.encode(tokens))
    feature = TextInput(
        name="text",
        column="text",
        tokenizer=SpaceTokenizer(),
        length=6,
        lowercase=False,
        padding="right",
        padding_id=PAD,
        vocabulary=VOCABULARY,
    )
    return msgspec.structs.replace(feature, **changes).encoder(folder)


def subword_encoder(folder: Path, padding: Literal["left", "right"] = "right", **changes: Any) -> TextEncoder:
    """Load a feature with a length of 8 subwords."""
    word_piece(WORD_PIECES).save(str(folder / "tokenizer.json"))
    tokenizer: Tokenizer = SubwordTokenizer(file="tokenizer.json")
    return encoder(folder, tokenizer=tokenizer, length=8, vocabulary=None, padding_id=0, padding=padding, **changes)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> list[TextEncoder]:
    """Return encoders of every kind, with both paddings."""
    more: list[dict[str, Any]] = [
        {"padding": padding, "lowercase": lowercase, "fill_value": "Paris to"}
        for padding in ("left", "right")
        for lowercase in (False, True)
    ]
    made = []
    for changes in more:
        folder = tmp_path_factory.mktemp("encoder")
        word_piece(WORD_PIECES).save(str(folder / "tokenizer.json"))
        made += [
            encoder(folder, tokenizer=tokenizer, **changes) for tokenizer in (SpaceTokenizer(), SpacePunctTokenizer())
        ]
        made.append(encoder(folder, tokenizer=PiecesTokenizer("tokenizer.json"), **changes))
        made.append(encoder(folder, affixes=Affixes([1, 2]), length=25, **changes))
        made.append(subword_encoder(folder, **changes))
    return made


@pytest.mark.parametrize(
    ("text", "right", "left"),
    [
        ("fly to Paris", [SOS, FLY, TO, PARIS, EOS, PAD], [PAD, SOS, FLY, TO, PARIS, EOS]),
        ("fly  nowhere ", [SOS, FLY, UNK, EOS, PAD, PAD], [PAD, PAD, SOS, FLY, UNK, EOS]),
        ("", [SOS, EOS, PAD, PAD, PAD, PAD], [PAD, PAD, PAD, PAD, SOS, EOS]),
        ("fly fly to to Paris", [SOS, FLY, FLY, TO, TO, PARIS], [SOS, FLY, FLY, TO, TO, PARIS]),
        ("fly " * 50, [SOS, FLY, FLY, FLY, FLY, FLY], [SOS, FLY, FLY, FLY, FLY, FLY]),
    ],
    ids=["fits", "unknown word", "empty", "cut by one", "cut by many"],
)
def test_ids_get_special_tokens_then_truncation_then_padding(
    tmp_path: Path, text: str, right: list[int], left: list[int]
) -> None:
    assert encoder(tmp_path).encode([text]).tolist() == [right]
    assert encoder(tmp_path, padding="left").encode([text]).tolist() == [left]


def test_a_batch_is_one_array_of_int32(tmp_path: Path) -> None:
    ids = encoder(tmp_path).encode(["fly", "to", ""])
    assert (ids.dtype, ids.shape) == ("int32", (3, 6))


@pytest.mark.parametrize(("lowercase", "expected"), [(True, FLY), (False, UNK)], ids=["lowered", "as it is"])
def test_lowercasing_depends_on_the_model(tmp_path: Path, lowercase: bool, expected: int) -> None:
    assert encoder(tmp_path, lowercase=lowercase).encode(["FLY"])[0][1] == expected


def test_a_missing_value_is_the_fill_value_and_empty_text_is_not_missing(tmp_path: Path) -> None:
    filled = encoder(tmp_path, fill_value="Paris")
    assert [row[1] for row in filled.encode([None, ""])] == [PARIS, EOS]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "'text' is missing, and the model has no fill value for it."),
        (5, "'text' must be a string, found int."),
        (["a"], "'text' must be a string, found list."),
        ("ab\ud800", "'text' is not valid Unicode: character 2 is half of a surrogate pair. Send the text as UTF-8."),
    ],
    ids=["missing", "number", "list", "surrogate"],
)
def test_values_that_are_not_text_are_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(RequestError) as refusal:
        encoder(tmp_path).encode([value])
    assert str(refusal.value) == message


@given(text=st.text())
def test_any_unicode_text_is_encoded(text: str) -> None:
    assert checked_text(text, "text") is text


def test_subword_ids_come_from_the_tokenizer(tmp_path: Path) -> None:
    fly, to, par, is_ = (WORD_PIECES.index(piece) for piece in ("fly", "to", "par", "##is"))
    assert subword_encoder(tmp_path).encode(["Fly to PARIS"]).tolist() == [[2, fly, to, par, is_, 3, 0, 0]]
    assert subword_encoder(tmp_path, "left").encode(["Fly to PARIS"]).tolist() == [[0, 0, 2, fly, to, par, is_, 3]]


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("text", ["  fly  to Paris ", "fly " * 9, "", "\tfly"], ids=["spaces", "cut", "empty", "tab"])
def test_spans_of_tokens_match_the_positions_of_their_ids(
    tmp_path: Path, padding: Literal["left", "right"], text: str
) -> None:
    words = encoder(tmp_path, padding=padding)
    ids = words.encode([text])[0]
    placed = words.placed_spans(text)
    assert [WORDS[ids[position]] for position, _ in placed] == [text[start:end] for _, (start, end) in placed]
    assert len(placed) == min(len(text.split()), 5)


@pytest.mark.parametrize("padding", ["right", "left"])
@given(text=st.none() | st.text("flyToPRİß \t,", max_size=30))
def test_one_tokenization_gives_the_ids_and_the_spans(
    encoders: list[TextEncoder], padding: Literal["left", "right"], text: str | None
) -> None:
    for each in encoders:
        if each.feature.padding == padding:
            tensor, placed = each.encode_placed([text, "fly", text])
            assert tensor.tolist() == each.encode([text, "fly", text]).tolist()
            assert placed == [each.placed_spans(value) for value in (text or "", "fly", text or "")]


def test_spans_after_lowercasing_refer_to_the_raw_text(tmp_path: Path) -> None:
    characters = encoder(tmp_path, tokenizer=CharactersTokenizer(), lowercase=True, length=9)
    text = "İß B"
    assert [text[start:end] for _, (start, end) in characters.placed_spans(text)] == ["İ", "İ", "ß", " ", "B"]


@pytest.mark.parametrize("padding", ["right", "left"])
def test_spans_of_subwords_match_the_positions_of_their_ids(tmp_path: Path, padding: Literal["left", "right"]) -> None:
    pieces = subword_encoder(tmp_path, padding, lowercase=True)
    text = "Fly PARIS, fly"
    first = {"right": 1, "left": 2}[padding]
    placed = pieces.placed_spans(text)
    assert [text[start:end] for _, (start, end) in placed] == ["Fly", "PAR", "IS", ",", "fly"]
    assert [position for position, _ in placed] == list(range(first, first + 5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": None}, "input 'text' has no vocabulary"),
        ({"padding_id": 7}, "a special symbol of input 'text' is outside its vocabulary"),
        ({"padding_id": -1}, "a special symbol of input 'text' is outside its vocabulary"),
        ({"vocabulary": msgspec.structs.replace(VOCABULARY, stop_id=99)}, "is outside its vocabulary"),
    ],
    ids=["no vocabulary", "padding over", "padding under", "stop over"],
)
def test_an_inconsistent_feature_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(tmp_path, **changes)


@pytest.mark.parametrize("tokens", [{"a": 1}, [1, 2], "fly"], ids=["object", "numbers", "string"])
def test_a_vocabulary_must_be_a_list_of_strings(tmp_path: Path, tokens: Any) -> None:
    with pytest.raises(ValueError, match="Expected"):
        encoder(tmp_path, tokens)


def test_the_padding_on_the_right_does_not_count(tmp_path: Path) -> None:
    feature = encoder(tmp_path, length=4).feature
    ids = Tensor.of("int32", [[5, 2, 7, 2], [2, 2, 2, 2], [300, 2, 2, 2], [1, 9, 9, 9]], 4)
    assert feature.lengths(ids) == [9, 0, 2, 13]
