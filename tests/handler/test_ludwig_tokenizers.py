"""The handler's tokenizers give the same tokens as Ludwig's."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from handler.tokenizers import (
    CharactersTokenizer,
    CommaTokenizer,
    SpacePunctTokenizer,
    SpaceTokenizer,
    SplittingTokenizer,
    StrippedTokenizer,
    UnderscoreTokenizer,
    UntokenizedTokenizer,
)
from tests.handler.test_tokenizers import TEXTS

OURS: dict[str, SplittingTokenizer] = {
    "space": SpaceTokenizer(),
    "space_punct": SpacePunctTokenizer(),
    "characters": CharactersTokenizer(),
    "comma": CommaTokenizer(),
    "underscore": UnderscoreTokenizer(),
    "untokenized": UntokenizedTokenizer(),
    "stripped": StrippedTokenizer(),
}

pytestmark = pytest.mark.ludwig


@pytest.fixture(scope="module")
def registry() -> dict[str, Callable[..., Any]]:
    """Return Ludwig's tokenizers by their names in configurations."""
    from ludwig.utils.tokenizers import tokenizer_registry

    return dict(tokenizer_registry)


@pytest.mark.parametrize("name", OURS)
@given(text=TEXTS)
@settings(max_examples=500, deadline=None)
def test_tokens_equal_ludwigs(registry: dict[str, Callable[..., Any]], name: str, text: str) -> None:
    assert OURS[name].split(text) == registry[name]()(text)


@pytest.mark.parametrize("name", OURS)
def test_tokenizers_have_the_same_names_as_in_ludwig(name: str) -> None:
    assert OURS[name].__struct_config__.tag == name
