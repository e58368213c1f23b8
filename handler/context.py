"""Tokenize words together with their affixes, their shape and the words around them: the features of a tagger."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

import msgspec

from handler.described import Described
from handler.tokenizers import SpaceTokenizer

WORDS = SpaceTokenizer()
FILL = "_"
"""Fills the positions of Ludwig's start and stop symbols; no other token has this form."""
ANY = "*"
"""A token that every word has; its vector is the intercept of a linear model."""
START, END = "^", "$"
"""The words before and after the text."""


class Context(Described, frozen=True):
    """Write each word as tokens that describe it, always the same number of them.

    The tokens are those of linear taggers: the word in lower case, its shape, its first and last letters, the words
    around it, and its pairs with the words next to it. With affixes of up to 2 letters and one word on each side, the
    second word of `go To Paris` becomes `* to =Xx t> to> <o <to -1:go +1:paris go_to to_paris`.

    Filler tokens before and after the text make Ludwig's start and stop symbols take as many tokens as a word does, so
    a convolution with that width and stride yields one vector for each word and each symbol.

    Attributes:
        longest: The length of the longest prefixes and suffixes in characters. Shorter words repeat their last one.
        window: The number of words before and after each word.
    """

    longest: Annotated[int, msgspec.Meta(ge=1, le=9)]
    window: Annotated[int, msgspec.Meta(ge=1, le=9)]

    @property
    def tokens_per_word(self) -> int:
        """Return how many tokens represent one word."""
        return 3 + 2 * self.longest + 2 * self.window + 2

    def of(self, text: str) -> str:
        """Return the tokens of a text, joined by spaces."""
        words = WORDS.split(text)
        lower = [START] * self.window + [word.lower() for word in words] + [END] * self.window
        around = [FILL] * (self.tokens_per_word - 1)
        described = (token for index, word in enumerate(words) for token in self._of_word(word, index, lower))
        return " ".join([*around, *described, *around])

    def _of_word(self, word: str, index: int, lower: Sequence[str]) -> Iterator[str]:
        """Yield the tokens of a word.

        Args:
            word: The word.
            index: Its index in the text.
            lower: The lowercased words of the text, with `window` marks on each side.
        """
        position = index + self.window
        own = lower[position]
        yield from (ANY, own, f"={_shape(word)}")
        for length in range(1, self.longest + 1):
            yield f"{own[:length]}>"
        for length in range(1, self.longest + 1):
            yield f"<{own[-length:]}"
        for offset in range(-self.window, self.window + 1):
            if offset:
                yield f"{offset:+d}:{lower[position + offset]}"
        yield f"{lower[position - 1]}_{own}"
        yield f"{own}_{lower[position + 1]}"


def _shape(word: str) -> str:
    """Return the shape of a word: `X` for capitals, `x` for other letters and `0` for digits, without repetitions."""
    marks = ("0" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each for each in word)
    return "".join(mark for mark, _ in groupby(marks))
