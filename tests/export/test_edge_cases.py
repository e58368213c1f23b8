"""The rows that every bundle must answer as its model does."""

import unicodedata

import pytest

from export.edge_cases import ODD_TEXTS, values_to_try
from handler.text import TextInput
from handler.tokenizers import SpaceTokenizer

TOKENS = ["<EOS>", "<PAD>", "", "[CLS]", "fly", "##ing", "Paris", "été"]


def feature(fill_value: str | None = None) -> TextInput:
    return TextInput(
        name="text",
        column="text",
        tokenizer=SpaceTokenizer(),
        length=8,
        lowercase=False,
        padding="right",
        padding_id=2,
        fill_value=fill_value,
    )


@pytest.mark.parametrize(
    "part",
    [
        "\0",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u0301",
        "🎉",
        "𝕳",
        "ق",
        "你",
        "こ",
        "न",
        "İ",
        "ß",
        "  ",
    ],
    ids=repr,
)
def test_the_texts_include_unusual_characters(part: str) -> None:
    assert any(part in text for text in ODD_TEXTS.values())


def test_the_texts_include_every_kind_of_edge_case() -> None:
    texts = list(ODD_TEXTS.values())
    assert "" in texts
    assert any(text and not text.strip() for text in texts)
    assert max(len(text.split()) for text in texts) >= 400
    assert {"nan", "None", "null"} <= set(texts)
    assert any(unicodedata.normalize("NFC", text) != text for text in texts)
    assert any(text != text.lower() for text in texts)
    assert all(text.encode() is not None for text in texts)
    assert len(set(texts)) == len(texts)


def test_texts_include_edge_cases_and_known_words() -> None:
    values = values_to_try(feature(), TOKENS)
    assert list(values)[: len(ODD_TEXTS)] == list(ODD_TEXTS)
    known = [text for name, text in values.items() if name.startswith("known words")]
    assert len(known) == 64
    assert {word for text in known for word in text.split()} == {"fly", "ing", "Paris", "été", "flurbish"}
    assert len(set(known)) > 32


def test_the_rows_are_deterministic() -> None:
    assert values_to_try(feature(), TOKENS) == values_to_try(feature(), TOKENS)


@pytest.mark.parametrize("tokens", [[], ["<EOS>", "[CLS]", ""]], ids=["none", "special"])
def test_without_known_words_only_edge_cases_remain(tokens: list[str]) -> None:
    assert set(values_to_try(feature(), tokens)) == set(ODD_TEXTS)


def test_a_missing_value_is_tried_if_ludwig_can_fill_it() -> None:
    assert "missing" not in values_to_try(feature(), TOKENS)
    assert values_to_try(feature(fill_value=""), TOKENS)["missing"] is None
