"""Reimplement Ludwig's tokenizers exactly, without Ludwig.

Each class is the manifest's description of a tokenizer and its behavior. To add one, add a class here and register it
in `Tokenizer`. Most return strings, which a vocabulary maps to ids; `SubwordTokenizer` returns ids itself.
Source: `ludwig.utils.tokenizers` of Ludwig 0.17.10.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, override

from handler.described import Described
from handler.native import panics_as_errors

if TYPE_CHECKING:
    import tokenizers

Span = tuple[int, int]
"""Where a token begins and ends in the text that was given, in characters."""

WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


class Splitter(Described, frozen=True):
    """A tokenizer whose tokens are pieces of the text."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where each token begins and ends in the text, in reading order."""
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
    """Splits into runs of letters, digits and `_`; every other visible character is a token."""

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
    """Split the text on commas, and strip the pieces of white space; empty pieces stay."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _pieces(text, ",")


class UnderscoreTokenizer(Splitter, frozen=True, tag="underscore"):
    """Split the text on underscores, and strip the pieces of white space; empty pieces stay."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _pieces(text, "_")


class UntokenizedTokenizer(Splitter, frozen=True, tag="untokenized"):
    """The whole text is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield 0, len(text)


class StrippedTokenizer(Splitter, frozen=True, tag="stripped"):
    """The whole text, stripped of white space, is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield _stripped(text)


class NgramTokenizer(Splitter, frozen=True, tag="ngram"):
    """The words of the stripped text, and then each pair of adjacent words joined by a space.

    Two spaces enclose an empty word. It is not a token, but its pairs are ("a  b" gives "a", "b", "a ", " b").
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
        """Read the tokenizer from a bundle's folder. Raises ValueError for a file that is not a tokenizer."""
        return Pieces(HuggingFaceTokenizer(folder / self.file))


class Pieces:
    """A tokenizer of pieces. It splits as a `Splitter` does, but a piece may differ from the text at its span."""

    def __init__(self, tokenizer: "HuggingFaceTokenizer") -> None:
        self._tokenizer = tokenizer

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where each piece is in the text, in reading order."""
        yield from self._tokenizer.encode(text, special=False).offsets

    def split(self, text: str) -> list[str]:
        """Return the pieces, as the vocabulary names them."""
        pieces: list[str] = self._tokenizer.encode(text, special=False).tokens
        return pieces


class SubwordTokenizer(Described, frozen=True, tag="subword"):
    """A Hugging Face tokenizer that gives ids itself, its special tokens included.

    file: the tokenizer's `tokenizer.json` inside the bundle.
    max_tokens: where Hugging Face itself cuts a text, special tokens included, or None where it does not.
    """

    file: str
    max_tokens: int | None = None

    def load(self, folder: Path) -> "HuggingFaceTokenizer":
        """Read the tokenizer from a bundle's folder. Raises ValueError for a file that is not a tokenizer."""
        return HuggingFaceTokenizer(folder / self.file, self.max_tokens)


class HuggingFaceTokenizer:
    """A loaded `tokenizer.json`. Its library is written in Rust; its panics become exceptions here."""

    def __init__(self, path: Path, max_tokens: int | None = None) -> None:
        """Read a tokenizer.

        Args:
            path: The file, `tokenizer.json`.
            max_tokens: Where to cut a text, special tokens included; None does not cut.

        Raises:
            ValueError: The file is not a tokenizer that the library can use.
        """
        from tokenizers import Tokenizer

        try:
            with panics_as_errors():
                self._tokenizer: tokenizers.Tokenizer = Tokenizer.from_file(str(path))
                self._tokenizer.no_padding()
                self._tokenizer.no_truncation()
                if max_tokens is not None:
                    self._tokenizer.enable_truncation(max_tokens)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path.name} is not a Hugging Face tokenizer: {error}") from None

    def encode(self, text: str, *, special: bool = True) -> "tokenizers.Encoding":
        """Return the tokens of a text: their ids, texts and offsets in characters.

        Args:
            text: Valid Unicode, without halves of surrogate pairs.
            special: Whether to add the tokenizer's special tokens.

        Raises:
            PanicError: The tokenizer cannot read this text.
            Exception: The same, as the library says it itself.
        """
        with panics_as_errors():
            return self._tokenizer.encode(text, add_special_tokens=special)


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


def _stripped(text: str) -> Span:
    start = len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _pieces(text: str, separator: str) -> Iterator[Span]:
    """Yield the stripped pieces between separators of a stripped text.

    Ludwig splits by a pattern, white space and a comma and white space, with the same result. In a run of n blanks
    without a comma, that pattern starts at each blank and reads to the end of the run: n * n / 2 steps.
    """
    start, end = _stripped(text)
    for piece in text[start:end].split(separator):
        first, last = _stripped(piece)
        yield start + first, start + last
        start += len(piece) + len(separator)
