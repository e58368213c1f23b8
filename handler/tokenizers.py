"""Ludwig's tokenizers, reimplemented exactly and without Ludwig.

Each class describes a tokenizer in the manifest and implements it. To add one, add a class here and register it in
`SplittingTokenizer`. Most return strings, which a vocabulary maps to ids; `SubwordTokenizer` returns ids itself.
Source: `ludwig.utils.tokenizers` of Ludwig 0.17.10.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, override

from handler.described import Described
from handler.files import StrPath
from handler.native import panics_as_errors

if TYPE_CHECKING:
    import tokenizers

Span = tuple[int, int]
"""The start and end of a token in the text, in characters."""

WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


class Splitter(Described, frozen=True):
    """A tokenizer whose tokens are pieces of the text."""

    def spans(self, text: str) -> Iterator[Span]:
        """Yield the span of each token, in the order of `split`."""
        raise NotImplementedError

    def split(self, text: str) -> list[str]:
        """Return the tokens, in the order of Ludwig's ids."""
        return [text[start:end] for start, end in self.spans(text)]

    def tokens(self, text: str) -> tuple[list[str], list[Span]]:
        """Return the tokens and their spans, in the order of Ludwig's ids."""
        spans = list(self.spans(text))
        return [text[start:end] for start, end in spans], spans


class SpaceTokenizer(Splitter, frozen=True, tag="space"):
    """Strip all white space at both ends, then split only on the space character."""

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
    """Split into runs of letters, digits and `_`. Every other character that is not white space is a token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return (found.span() for found in WORD_OR_MARK.finditer(text))

    @override
    def tokens(self, text: str) -> tuple[list[str], list[Span]]:
        found = list(WORD_OR_MARK.finditer(text))
        return [each[0] for each in found], [each.span() for each in found]

    @override
    def split(self, text: str) -> list[str]:
        words = text.split()
        if "".join(words).isalnum():
            return words  # the same, and fast
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
    """Split the text on commas and strip white space from the pieces. Empty pieces are kept."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _pieces(text, ",")


class UnderscoreTokenizer(Splitter, frozen=True, tag="underscore"):
    """Split the text on underscores and strip white space from the pieces. Empty pieces are kept."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        return _pieces(text, "_")


class UntokenizedTokenizer(Splitter, frozen=True, tag="untokenized"):
    """The whole text is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield 0, len(text)


class StrippedTokenizer(Splitter, frozen=True, tag="stripped"):
    """The whole text, without white space at both ends, is one token."""

    @override
    def spans(self, text: str) -> Iterator[Span]:
        yield _stripped(text)


class NgramTokenizer(Splitter, frozen=True, tag="ngram"):
    """The words of the stripped text, then each pair of adjacent words joined by a space.

    Two spaces in a row enclose an empty word. It is not a token, but its pairs are: "a  b" gives "a", "b", "a ", " b".
    Source: Ludwig 0.10.4. Its `ngram_size` affects only the vocabulary; encoding always uses pairs.
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
    """A Hugging Face tokenizer whose pieces, without special tokens, are looked up in Ludwig's vocabulary.

    Attributes:
        file: The bundle's `tokenizer.json`.
    """

    file: str

    def load(self, folder: StrPath) -> "Pieces":
        """Load the tokenizer from a bundle's folder. Raises ValueError if the file is invalid."""
        return Pieces(HuggingFaceTokenizer(os.path.join(folder, self.file)))


class Pieces:
    """A loaded `PiecesTokenizer`. Unlike the tokens of a `Splitter`, a piece can differ from the text at its span."""

    def __init__(self, tokenizer: "HuggingFaceTokenizer") -> None:
        self._tokenizer = tokenizer

    def split(self, text: str) -> list[str]:
        """Return the pieces, as the vocabulary spells them."""
        pieces: list[str] = self._tokenizer.encode(text, special=False).tokens
        return pieces

    def tokens(self, text: str) -> tuple[list[str], list[Span]]:
        """Return the pieces and their spans."""
        encoding = self._tokenizer.encode(text, special=False)
        return encoding.tokens, encoding.offsets


class SubwordTokenizer(Described, frozen=True, tag="subword"):
    """A Hugging Face tokenizer that returns ids, special tokens included.

    Attributes:
        file: The bundle's `tokenizer.json`.
        max_tokens: The number of ids that the tokenizer truncates to, special tokens included; None for no limit.
    """

    file: str
    max_tokens: int | None = None

    def load(self, folder: StrPath) -> "HuggingFaceTokenizer":
        """Load the tokenizer from a bundle's folder. Raises ValueError if the file is invalid."""
        return HuggingFaceTokenizer(os.path.join(folder, self.file), self.max_tokens)


class HuggingFaceTokenizer:
    """A loaded `tokenizer.json`. Panics of the library, which is written in Rust, become exceptions."""

    def __init__(self, path: StrPath, max_tokens: int | None = None) -> None:
        """Load a tokenizer.

        Args:
            path: The `tokenizer.json` file.
            max_tokens: The number of ids to truncate to, special tokens included; None for no limit.

        Raises:
            ValueError: The library cannot load the file.
        """
        from tokenizers import Tokenizer

        try:
            with panics_as_errors():
                self._tokenizer: tokenizers.Tokenizer = Tokenizer.from_file(os.fspath(path))
                self._tokenizer.no_padding()
                self._tokenizer.no_truncation()
                if max_tokens is not None:
                    self._tokenizer.enable_truncation(max_tokens)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{os.path.basename(path)} is not a Hugging Face tokenizer: {error}") from None

    def encode(self, text: str, *, special: bool = True) -> "tokenizers.Encoding":
        """Tokenize a text.

        Args:
            text: Valid Unicode, without halves of surrogate pairs.
            special: Whether to add the tokenizer's special tokens.

        Returns:
            The tokens: their ids, texts and spans in characters.

        Raises:
            PanicError: The library panicked on this text.
            Exception: The library rejected this text.
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
    """Map spans of `text.lower()` to spans of the text itself.

    Lowercasing can lengthen a text ("İ" becomes two characters), which shifts the offsets after it. It shortens no
    character, so the spans of a text that keeps its length stay the same.

    Args:
        text: The raw text.
        lowered: Spans of `text.lower()`.

    Returns:
        The span of the raw characters that each lowercased span comes from.
    """
    # origins[i]: the index in the text of the character that character i of the lowercased text comes from.
    origins = [index for index, character in enumerate(text) for _ in character.lower()]
    origins.append(len(text))
    return [(origins[start], origins[end - 1] + 1 if end > start else origins[start]) for start, end in lowered]


def _stripped(text: str) -> Span:
    start = len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _pieces(text: str, separator: str) -> Iterator[Span]:
    r"""Yield the span of each piece between separators, without white space at both ends.

    Ludwig splits on the pattern `\s*,\s*`, with the same result but in quadratic time: in a run of n spaces without a
    comma, the pattern starts at each space and scans to the end of the run, which takes n * n / 2 steps.
    """
    start, end = _stripped(text)
    for piece in text[start:end].split(separator):
        first, last = _stripped(piece)
        yield start + first, start + last
        start += len(piece) + len(separator)
