"""Tokenize words together with their affixes, their shape and the words around them: the features of a tagger."""

from itertools import groupby
from typing import Annotated

import msgspec

from handler.described import Described
from handler.kept import kept_by_word
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
        words, window, longest = WORDS.split(text), self.window, self.longest
        lower = [START] * window + [word.lower() for word in words] + [END] * window
        offsets = [(offset, f"{offset:+d}:") for offset in range(-window, window + 1) if offset]
        tokens = [FILL] * (self.tokens_per_word - 1)
        for position, word in enumerate(words, start=window):
            own = lower[position]
            tokens += _forms(word, longest)
            tokens += [mark + lower[position + offset] for offset, mark in offsets]
            tokens += f"{lower[position - 1]}_{own}", f"{own}_{lower[position + 1]}"
        return " ".join(tokens + [FILL] * (self.tokens_per_word - 1))


@kept_by_word
def _forms(word: str, longest: int) -> tuple[str, ...]:
    """Return the tokens of a word that do not depend on the words around it."""
    own, lengths = word.lower(), range(1, longest + 1)
    return (
        *(ANY, own, f"={_shape(word)}"),
        *(f"{own[:length]}>" for length in lengths),
        *(f"<{own[-length:]}" for length in lengths),
    )


def _shape(word: str) -> str:
    """Return the shape of a word: `X` for capitals, `x` for other letters and `0` for digits, without repetitions."""
    marks = ("0" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each for each in word)
    return "".join(mark for mark, _ in groupby(marks))
