"""Tokenize words together with their prefixes and suffixes, so that a model can generalize to unseen words."""

import re
from typing import Annotated

import msgspec

from handler.context import Context
from handler.described import Described
from handler.kept import kept_by_word
from handler.ngrams import Ngrams
from handler.tokenizers import SpaceTokenizer

WORDS = SpaceTokenizer()
MARK = "*"


class Affixes(Described, frozen=True):
    """Write each word as several tokens: its prefixes, the word itself and its suffixes.

    With the lengths 2 and 4, `Paris` becomes `Pa* Pari* Paris *aris *is`. Filler marks before and after the text make
    Ludwig's start and stop symbols take as many tokens as a word does. So a convolution with that width and stride
    yields one vector for each word and each symbol.

    Attributes:
        lengths: The lengths of the prefixes and suffixes in characters, shortest first.
    """

    lengths: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=9)]], msgspec.Meta(min_length=1, max_length=9)]

    @property
    def tokens_per_word(self) -> int:
        """Return how many tokens represent one word."""
        return 2 * len(self.lengths) + 1

    def of(self, text: str) -> str:
        """Return the tokens of a text, joined by spaces."""
        around = [MARK] * (self.tokens_per_word - 1)
        lengths = tuple(self.lengths)
        return " ".join([*around, *(token for word in WORDS.split(text) for token in _forms(word, lengths)), *around])


@kept_by_word
def _forms(word: str, lengths: tuple[int, ...]) -> tuple[str, ...]:
    """Return the tokens of a word: its beginnings, itself and its endings."""
    beginnings = [word[:length] + MARK for length in lengths]
    endings = [MARK + word[-length:] for length in reversed(lengths)]
    return (*beginnings, word, *endings)


COLUMN = r"(?s)(?P<source>.+)\+(?P<kind>affixes|ngrams|context)(?P<lengths>[1-9]+)"


def parse_column(column: str) -> tuple[str, Affixes | Context | Ngrams | None]:
    """Parse a column name that says how the column is derived from another one.

    Args:
        column: The name. `text+affixes24` is derived from `text` by `Affixes([2, 4])`, `text+context43` by
            `Context(4, 3)`, and `text+ngrams25` by `Ngrams(2, 5)`. Any other column is not derived.

    Returns:
        The source column and the transformation, or the column itself and None.
    """
    found = re.fullmatch(COLUMN, column)
    if found is None:
        return column, None
    lengths = [int(length) for length in found["lengths"]]
    if found["kind"] == "affixes":
        return found["source"], Affixes(lengths)
    if found["kind"] == "context":
        return found["source"], Context(lengths[0], lengths[-1])
    return found["source"], Ngrams(lengths[0], lengths[-1])
