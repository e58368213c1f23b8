"""Encode a text as fastText does: as its known words and the hashed character n-grams of every word.

Source: `Dictionary::getLine`, `computeSubwords` and `hash` in fastText's `dictionary.cc`, version 0.9.2.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from handler.described import Described
from handler.files import StrPath, read
from handler.tensor import Tensor
from handler.values import checked_text, filled

LONGEST = 1_000
"""How many characters of a text to read. The rest of a long message is in the same language."""

SPACES = r"[ \n\r\t\v\f\0]+"
"""What fastText treats as white space. Other Unicode spaces are part of words."""

START, END = "<", ">"
END_OF_LINE = "</s>"
LABEL = "__label__"
FNV_OFFSET, FNV_PRIME, BITS = 2166136261, 16777619, 0xFFFFFFFF


class _Vocabulary(msgspec.Struct, frozen=True):
    """The content of the vocabulary file: words in the order of their ids, then the n-gram buckets in that order."""

    words: list[str]
    buckets: list[int]


class FastTextInput(Described, frozen=True, kw_only=True, tag="fasttext"):
    """A text input of a fastText model.

    Attributes:
        name: The name of the feature.
        column: The column, and field of a request, that the values come from.
        file: The bundle's file with the words and buckets that the model kept.
        shortest: The length of the shortest n-grams in characters. The marks `<` and `>` around a word count.
        longest: The length of the longest n-grams.
        buckets: The number of hash values.
        fill_value: Replaces a missing value; None makes a missing value an error.
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
        """The names of the bundle's files that this feature reads."""
        return [self.file]

    def encoder(self, folder: StrPath) -> "FastTextEncoder":
        """Load the vocabulary from the bundle's folder. Raises ValueError if the file is invalid."""
        return FastTextEncoder(self, folder)


class FastTextEncoder:
    """Encode texts as row numbers of fastText's input matrix."""

    def __init__(self, feature: FastTextInput, folder: StrPath) -> None:
        """Load the vocabulary.

        Args:
            feature: The description of the input.
            folder: The bundle's folder.

        Raises:
            ValueError: The vocabulary file is invalid.
        """
        known = msgspec.json.decode(read(folder, feature.file), type=_Vocabulary)
        self._feature = feature
        self._words = {word: index for index, word in enumerate(known.words)}
        self._grams = {bucket: index for index, bucket in enumerate(known.buckets, start=len(known.words))}
        self._padding_id = len(known.words) + len(known.buckets)

    def encode(self, values: Sequence[Any]) -> Tensor:
        """Encode one text for each row.

        Args:
            values: The texts; None is a missing value.

        Returns:
            Row numbers, int32, (batch, length of the longest row). Shorter rows are padded on the right; the graph
            ignores the padding.

        Raises:
            RequestError: A value is not valid text, or is missing and there is no fill value.
        """
        rows = [self._ids(read_text(value, self._feature)) for value in values]
        longest = max(map(len, rows))
        padding = array("i", [self._padding_id]) * longest
        padded = array("i")
        for ids in rows:
            padded += array("i", ids) + padding[len(ids) :]
        return Tensor("int32", (len(rows), longest), padded)

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
        """Yield the bucket of each n-gram. N-grams that start at the same character share the start of their hash."""
        characters = [character.encode() for character in word]
        feature, last = self._feature, len(characters)
        for start in range(last):
            found = FNV_OFFSET
            for end in range(start, min(start + feature.longest, last)):
                for byte in characters[end]:
                    # FNV-1a, but fastText treats bytes as signed: those above 127 also set the upper 24 bits.
                    found = (found ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME & BITS
                length = end - start + 1
                is_border = length == 1 and (start == 0 or end == last - 1)
                if length >= feature.shortest and not is_border:
                    yield found % feature.buckets


def read_text(value: Any, feature: FastTextInput) -> str:
    """Return the part of a value that the model reads, in lower case because models know few uppercase words.

    Args:
        value: The raw value; None is a missing value.
        feature: The input feature.

    Returns:
        At most LONGEST characters on one line.

    Raises:
        RequestError: The value is not a string, or is missing and there is no fill value.
    """
    return one_line(checked_text(filled(value, feature.fill_value, feature.column), feature.column))


def one_line(text: str) -> str:
    """Return the first LONGEST characters of a text in lower case, on one line."""
    return text[:LONGEST].lower().replace("\n", " ")


def words_of(text: str) -> Iterator[str]:
    """Yield the words of a line as fastText splits it, then the end-of-line token.

    Args:
        text: One line of text.

    Yields:
        The words, without labels.
    """
    for word in re.split(SPACES, text):
        if word == END_OF_LINE:
            break
        if word and not word.startswith(LABEL):
            yield word
    yield END_OF_LINE
