"""Encode a text as fastText does: known words, and hashed character n-grams of every word.

Source: `Dictionary::getLine`, `computeSubwords` and `hash` in fastText's `dictionary.cc`, version 0.9.2.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from handler.described import Described
from handler.text import checked_text, filled

LONGEST = 1_000
"""Characters of a text that are read. The rest of a long message is in the same language."""

SPACES = re.compile(r"[ \n\r\t\v\f\0]+")
"""fastText's white space: other Unicode spaces belong to words."""

START, END = "<", ">"
END_OF_LINE = "</s>"
LABEL = "__label__"
FNV_OFFSET, FNV_PRIME, BITS = 2166136261, 16777619, 0xFFFFFFFF


class _Vocabulary(msgspec.Struct, frozen=True):
    """The vocabulary file. words: in the order of their ids. buckets: of the n-grams, whose ids follow."""

    words: list[str]
    buckets: list[int]


class FastTextInput(Described, frozen=True, kw_only=True, tag="fasttext"):
    """A text that fastText reads.

    name, column: name of the feature, and the column (the request's field) that its values come from.
    file: the bundle's file with the words and the buckets that the model kept.
    shortest, longest: characters of the n-grams; the borders of a word count as characters.
    buckets: number of hash values.
    fill_value: replaces a missing value.
    """

    name: str
    column: str
    file: str
    shortest: Annotated[int, msgspec.Meta(ge=1, le=9)]
    longest: Annotated[int, msgspec.Meta(ge=1, le=9)]
    buckets: Annotated[int, msgspec.Meta(ge=1)]
    fill_value: str | None = ""

    @property
    def files(self) -> list[str]:
        """The files of the bundle that this feature reads."""
        return [self.file]

    def encoder(self, folder: Path) -> "FastTextEncoder":
        """Load the vocabulary from the bundle's folder. Raises ValueError if the file cannot be used."""
        return FastTextEncoder(self, folder)


class FastTextEncoder:
    """Encode texts as the rows of fastText's input matrix."""

    def __init__(self, feature: FastTextInput, folder: Path) -> None:
        known = msgspec.json.decode((folder / feature.file).read_bytes(), type=_Vocabulary)
        self._feature = feature
        self._words = {word: index for index, word in enumerate(known.words)}
        self._grams = {bucket: index for index, bucket in enumerate(known.buckets, start=len(known.words))}
        self._padding_id = len(known.words) + len(known.buckets)

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Encode texts; None is a missing value.

        Returns:
            int32, (batch, tokens of the longest text). Shorter texts are padded on the right, which the graph ignores.
        """
        rows = [self._ids(read_text(value, self._feature)) for value in values]
        ids = np.full((len(rows), max(map(len, rows))), self._padding_id, dtype=np.int32)
        for row, found in enumerate(rows):
            ids[row, : len(found)] = found
        return ids

    def _ids(self, text: str) -> list[int]:
        ids = []
        for word in words_of(text):
            if word in self._words:
                ids.append(self._words[word])
            if word != END_OF_LINE:
                known = self._grams
                ids += [known[bucket] for bucket in self._buckets(f"{START}{word}{END}") if bucket in known]
        return ids or [self._padding_id]

    def _buckets(self, word: str) -> Iterator[int]:
        """Yield the bucket of each n-gram: those of a character together, because their hashes have a common start."""
        characters = [character.encode() for character in word]
        feature, last = self._feature, len(characters)
        for start in range(last):
            found = FNV_OFFSET
            for end in range(start, min(start + feature.longest, last)):
                for byte in characters[end]:
                    # fastText reads bytes as signed: those above 127 set the upper 24 bits, too.
                    found = (found ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME & BITS
                length = end - start + 1
                is_border = length == 1 and (start == 0 or end == last - 1)
                if length >= feature.shortest and not is_border:
                    yield found % feature.buckets


def read_text(value: Any, feature: FastTextInput) -> str:
    """Return the part of a value that the model reads: lowercase, because models know few words in capitals.

    Args:
        value: The raw value; None is a missing value.
        feature: The input feature.

    Returns:
        At most LONGEST characters on one line.

    Raises:
        RequestError: The value is not a string, or missing without a fill value.
    """
    text = checked_text(filled(value, feature.fill_value, feature.column), feature.column)
    return text[:LONGEST].lower().replace("\n", " ")


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a line as fastText splits it, and then the end of the line."""
    for word in SPACES.split(text):
        if word == END_OF_LINE:
            break
        if word and not word.startswith(LABEL):
            yield word
    yield END_OF_LINE
