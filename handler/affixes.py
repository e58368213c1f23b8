"""Tokenize words together with their prefixes and suffixes, so that a model can generalize to unseen words."""

import re
from typing import Annotated

import msgspec

from handler.described import Described
from handler.ngrams import Ngrams
from handler.tokenizers import SpaceTokenizer

WORDS = SpaceTokenizer()
MARK = "*"


class Affixes(Described, frozen=True):
    """Writes each word as several tokens: its beginnings, itself, its endings.

    lengths: of the beginnings and endings, in characters, the shortest first. With 2 and 4, `Paris` becomes `Pa* Pari*
    Paris *aris *is`. Marks stand before and behind the text, so that with the start and the stop symbol each word, and
    each symbol, takes the same number of tokens: a convolution with that width and stride gives one vector for each.
    """

    lengths: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=9)]], msgspec.Meta(min_length=1, max_length=9)]

    @property
    def tokens_per_word(self) -> int:
        """Return how many tokens represent one word."""
        return 2 * len(self.lengths) + 1

    def of(self, text: str) -> str:
        """Return the tokens of a text, with spaces between."""
        around = [MARK] * (self.tokens_per_word - 1)
        return " ".join([*around, *(token for word in WORDS.split(text) for token in self._of_word(word)), *around])

    def _of_word(self, word: str) -> list[str]:
        beginnings = [word[:length] + MARK for length in self.lengths]
        endings = [MARK + word[-length:] for length in reversed(self.lengths)]
        return [*beginnings, word, *endings]


COLUMN = re.compile(r"(?P<source>.+)\+(?P<kind>affixes|ngrams)(?P<lengths>[1-9]+)", re.DOTALL)


def parse_column(column: str) -> tuple[str, Affixes | Ngrams | None]:
    """Return the column that a column is made of, and how.

    Args:
        column: A column's name. `text+affixes24` is made of `text` by `Affixes([2, 4])`, and `text+ngrams25` by
            `Ngrams(2, 5)`. Any other is made of itself.

    Returns:
        The source column, and what makes the tokens; None where the column is its own source.
    """
    found = COLUMN.fullmatch(column)
    if found is None:
        return column, None
    lengths = [int(length) for length in found["lengths"]]
    if found["kind"] == "affixes":
        return found["source"], Affixes(lengths)
    return found["source"], Ngrams(lengths[0], lengths[-1])
