"""Tokenize text as words, word pairs and character n-grams, the features of a linear model."""

import re
from itertools import pairwise
from typing import Annotated

import msgspec

from handler.described import Described
from handler.kept import kept_by_word

MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0dff\u0e30-\u0e4e\u1ab0-\u1aff"
"""Vowel signs and accents, which Python's `\\w` does not match. Without them, Arabic and Hindi words would be split."""
WORD = rf"[\w{MARKS}]+|[^\w\s]"
GRAM, PAIR = "#", "_"
START, END = "<", ">"


class Ngrams(Described, frozen=True):
    """Write a text as the set of its words, pairs of adjacent words, and character n-grams.

    With n-grams of 3 characters, `Hi you` becomes `hi you hi_you #<hi #hi> #<yo #you #ou>`.

    Attributes:
        shortest: The length of the shortest n-grams in characters. The marks `<` and `>` around a word count.
        longest: The length of the longest n-grams.
    """

    shortest: Annotated[int, msgspec.Meta(ge=1, le=9)]
    longest: Annotated[int, msgspec.Meta(ge=1, le=9)]

    def of(self, text: str) -> str:
        """Return the distinct tokens of a text in lower case, joined by spaces.

        Words come first, so truncation to the model's length drops n-grams before words.
        """
        words = re.findall(WORD, text.lower())
        tokens = dict.fromkeys(words)
        tokens.update(dict.fromkeys(f"{first}{PAIR}{second}" for first, second in pairwise(words)))
        for word in words:
            tokens.update(_grams(word, self.shortest, self.longest))
        return " ".join(tokens)


@kept_by_word
def _grams(word: str, shortest: int, longest: int) -> dict[str, None]:
    """Return the character n-grams of a word, in the order of their length, as keys."""
    word = f"{START}{word}{END}"
    return dict.fromkeys(
        GRAM + word[start : start + length]
        for length in range(shortest, longest + 1)
        for start in range(len(word) - length + 1)
    )
