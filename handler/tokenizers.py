"""Ludwig's tokenizers, token for token, without Ludwig.

Each class is the manifest's description of a tokenizer and its behaviour: adding one is adding a class here and naming
it in `Tokenizer`. Most give strings, which a vocabulary turns into ids; `SubwordTokenizer` gives ids itself.
Source: `ludwig.utils.tokenizers` of Ludwig 0.17.10.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, override

from handler.described import Described

if TYPE_CHECKING:
    import tokenizers

Span = tuple[int, int]
"""Where a token begins and ends in the text that was given, in characters."""

COMMA = re.compile(r"\s*,\s*")
UNDERSCORE = re.compile(r"\s*_\s*")
WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


class Splitter(Described, frozen=True):
    """A tokenizer whose tokens are pieces of the text."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where each token lies, in reading order."""
        raise NotImplementedError

    def split(self, text: str) -> list[str]:
        """Return the tokens, in the order in which Ludwig gives them ids."""
        return [text[start:end] for start, end in self.spans(text)]


class SpaceTokenizer(Splitter, frozen=True, tag="space"):
    """Strip all white space at the ends, then split on the space character alone."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        start, end = _stripped(text)
        for word in text[start:end].split(" "):
            if word:
                yield start, start + len(word)
            start += len(word) + 1

    @override
    def split(self, text: str) -> list[str]:
        return [word for word in text.strip().split(" ") if word]


class SpacePunctTokenizer(Splitter, frozen=True, tag="space_punct"):
    """Runs of letters, digits and `_`; every other visible character stands alone."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return (found.span() for found in WORD_OR_MARK.finditer(text))

    @override
    def split(self, text: str) -> list[str]:
        return WORD_OR_MARK.findall(text)


class CharactersTokenizer(Splitter, frozen=True, tag="characters"):
    """Every character is a token, white space included."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return ((index, index + 1) for index in range(len(text)))

    @override
    def split(self, text: str) -> list[str]:
        return list(text)


class CommaTokenizer(Splitter, frozen=True, tag="comma"):
    """Split the stripped text on commas and the white space around them; empty pieces stay."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _between(COMMA, text)


class UnderscoreTokenizer(Splitter, frozen=True, tag="underscore"):
    """Split the stripped text on underscores and the white space around them; empty pieces stay."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _between(UNDERSCORE, text)


class UntokenizedTokenizer(Splitter, frozen=True, tag="untokenized"):
    """The whole text is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield 0, len(text)


class StrippedTokenizer(Splitter, frozen=True, tag="stripped"):
    """The whole text without the white space at its ends is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield _stripped(text)


class NgramTokenizer(Splitter, frozen=True, tag="ngram"):
    """The words of the stripped text, and then each pair of neighbours with a space between.

    Two spaces hold an empty word: it is no token, but its pairs are ("a  b" gives "a", "b", "a ", " b").
    Source: Ludwig 0.10.4, which builds its vocabulary with larger n-grams if told to, but encodes with pairs always.
    """

    @override
    def spans(self, text: str) -> Iterator[Span]:
        start, end = _stripped(text)
        words = []
        for word in text[start:end].split(" "):
            words.append((start, start + len(word)))
            start += len(word) + 1
        yield from ((start, end) for start, end in words if start < end)
        yield from ((start, end) for (start, _), (_, end) in pairwise(words))

    @override
    def split(self, text: str) -> list[str]:
        words = text.strip().split(" ")
        return [*filter(None, words), *map(" ".join, pairwise(words))]


class PiecesTokenizer(Described, frozen=True, tag="pieces"):
    """A Hugging Face tokenizer whose pieces, without its special tokens, are looked up in a vocabulary of Ludwig's.

    file: the tokenizer's `tokenizer.json` inside the bundle.
    """

    file: str

    def load(self, folder: Path) -> "Pieces":
        """Read the tokenizer from a bundle's folder; a file that is none raises ValueError."""
        return Pieces(_read_tokenizer(folder / self.file))


class Pieces:
    """A loaded tokenizer of pieces; splits as a `Splitter` does, but a piece need not stand in the text as it is."""

    def __init__(self, tokenizer: "tokenizers.Tokenizer") -> None:
        self._tokenizer = tokenizer

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where each piece lies, in reading order."""
        yield from self._tokenizer.encode(text, add_special_tokens=False).offsets

    def split(self, text: str) -> list[str]:
        """Return the pieces, as the vocabulary names them."""
        pieces: list[str] = self._tokenizer.encode(text, add_special_tokens=False).tokens
        return pieces


class SubwordTokenizer(Described, frozen=True, tag="subword"):
    """A Hugging Face tokenizer that gives ids itself, its special tokens included.

    file: the tokenizer's `tokenizer.json` inside the bundle.
    max_tokens: where Hugging Face itself cuts a text, special tokens included, or None where it does not.
    """

    file: str
    max_tokens: int | None = None

    def load(self, folder: Path) -> "tokenizers.Tokenizer":
        """Read the tokenizer from a bundle's folder; a file that is none raises ValueError."""
        tokenizer = _read_tokenizer(folder / self.file)
        if self.max_tokens is not None:
            tokenizer.enable_truncation(self.max_tokens)
        return tokenizer


SplittingTokenizer = (
    SpaceTokenizer
    | SpacePunctTokenizer
    | CharactersTokenizer
    | CommaTokenizer
    | UnderscoreTokenizer
    | UntokenizedTokenizer
    | StrippedTokenizer
    | NgramTokenizer
)
Tokenizer = SplittingTokenizer | PiecesTokenizer | SubwordTokenizer


def raw_spans(text: str, lowered: Sequence[Span]) -> list[Span]:
    """Return spans of `text.lower()` as spans of the text itself.

    Lowering can lengthen a text ("İ" becomes two characters), so offsets in the one are not offsets in the other. A
    span covers every character that any part of it comes from.
    """
    origins = [index for index, character in enumerate(text) for _ in character.lower()]
    origins.append(len(text))
    return [(origins[start], origins[end - 1] + 1 if end > start else origins[start]) for start, end in lowered]


def _read_tokenizer(path: Path) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust library raises bare Exception
        raise ValueError(f"{path.name} is not a Hugging Face tokenizer: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _stripped(text: str) -> Span:
    start = len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _between(separator: re.Pattern[str], text: str) -> Iterator[Span]:
    start, end = _stripped(text)
    for match in separator.finditer(text, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end
