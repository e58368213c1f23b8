"""Encode Ludwig's text and sequence inputs as token ids, and locate their tokens in the text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from handler.affixes import WORDS, Affixes
from handler.alignment import PlacedSpan
from handler.described import Described
from handler.errors import RequestError
from handler.ngrams import Ngrams
from handler.tokenizers import PiecesTokenizer, SpaceTokenizer, SubwordTokenizer, Tokenizer, raw_spans


class Vocabulary(Described, frozen=True):
    """The tokens that Ludwig found in the training data, and what it wraps around each row.

    file: the bundle's file that lists the tokens in the order of their ids.
    """

    file: str
    unknown_id: int
    start_id: int
    stop_id: int


class TextInput(Described, frozen=True, kw_only=True, tag="text"):
    """A text or sequence feature.

    name, column: Ludwig's name of the feature and the column (the request's field) that its values come from.
    length: tokens a row, special tokens included; every row is padded or cut to exactly this.
    vocabulary: gives tokens their ids; None for sub-words, whose tokenizer does it.
    fill_value: replaces a missing value; None makes a missing value an error.
    affixes: the text is read as the affixes of its words.
    ngrams: the text is read as its words, pairs of words and character n-grams.
    Source: `build_sequence_matrix` in `ludwig.utils.strings_utils`.
    """

    name: str
    column: str
    tokenizer: Tokenizer
    length: int
    lowercase: bool
    padding: Literal["left", "right"]
    padding_id: int
    vocabulary: Vocabulary | None = None
    fill_value: str | None = None
    affixes: Affixes | None = None
    ngrams: Ngrams | None = None

    @property
    def stride(self) -> int:
        """Return how many tokens represent one tagged position: those of a word with its affixes, or one."""
        if self.affixes is None or not isinstance(self.tokenizer, SpaceTokenizer):
            return 1
        return self.affixes.tokens_per_word

    @property
    def files(self) -> list[str]:
        """The files of the bundle that this feature reads."""
        files = [self.tokenizer.file] if isinstance(self.tokenizer, (SubwordTokenizer, PiecesTokenizer)) else []
        return [*files, self.vocabulary.file] if self.vocabulary else files

    def encoder(self, folder: Path) -> "TextEncoder":
        """Load what the feature needs from its bundle's folder. Raises ValueError for a file that cannot be used."""
        if isinstance(self.tokenizer, SubwordTokenizer):
            return SubwordEncoder(self, folder)
        return VocabularyEncoder(self, folder)


class TextEncoder:
    """Pad and cut what a tokenizer gives to the length of the graph."""

    def __init__(self, feature: TextInput, token_ids: Callable[[str], list[int]]) -> None:
        self.feature = feature
        self._token_ids = token_ids

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Encode texts; None is a missing value. Returns int32, (batch, length)."""
        feature = self.feature
        ids = np.full((len(values), feature.length), feature.padding_id, dtype=np.int32)
        for row, value in enumerate(values):
            row_ids = self._token_ids(self._lowered(self._text(value)))[: feature.length]
            if feature.padding == "right":
                ids[row, : len(row_ids)] = row_ids
            else:
                ids[row, feature.length - len(row_ids) :] = row_ids
        return ids

    def placed_spans(self, text: str) -> list[PlacedSpan]:
        """Return the position and the raw span of each token that the graph sees, in reading order.

        Special tokens are left out. Where words have affixes, each word counts as one token.
        """
        length = self.feature.length // self.feature.stride
        if self.feature.stride > 1:
            spans = list(enumerate(WORDS.spans(text), start=1))
            count = len(spans) + 2
        else:
            count, spans = self._spans(self._lowered(text))
            if self.feature.lowercase:
                raw = raw_spans(text, [span for _, span in spans])
                spans = [(index, span) for (index, _), span in zip(spans, raw, strict=True)]
        first = 0 if self.feature.padding == "right" else length - min(count, length)
        return [(first + index, span) for index, span in spans if index < length]

    def _spans(self, text: str) -> tuple[int, list[PlacedSpan]]:
        """Return the number of ids, and the index and span of each id that is not a special token."""
        raise NotImplementedError

    def _lowered(self, text: str) -> str:
        return text.lower() if self.feature.lowercase else text

    def _text(self, value: Any) -> str:
        feature = self.feature
        text = checked_text(filled(value, feature.fill_value, feature.column), feature.column)
        made = feature.affixes or feature.ngrams
        return text if made is None or value is None else made.of(text)


class VocabularyEncoder(TextEncoder):
    """Look tokens up in the vocabulary that Ludwig built."""

    def __init__(self, feature: TextInput, folder: Path) -> None:
        if feature.vocabulary is None or isinstance(feature.tokenizer, SubwordTokenizer):
            raise ValueError(f"input {feature.name!r} names no vocabulary")
        tokens = msgspec.json.decode((folder / feature.vocabulary.file).read_bytes(), type=list[str])
        special = feature.vocabulary
        ids = (special.unknown_id, special.start_id, special.stop_id, feature.padding_id)
        if not all(0 <= token_id < len(tokens) for token_id in ids):
            raise ValueError(f"a special symbol of input {feature.name!r} is outside its vocabulary: {ids}")
        self._ids = {token: index for index, token in enumerate(tokens)}
        self._special = special
        tokenizer = feature.tokenizer
        self._splitter = tokenizer.load(folder) if isinstance(tokenizer, PiecesTokenizer) else tokenizer
        super().__init__(feature, self._vocabulary_ids)

    def _vocabulary_ids(self, text: str) -> list[int]:
        known, special = self._ids.get, self._special
        tokens = self._splitter.split(text)
        return [special.start_id, *(known(token, special.unknown_id) for token in tokens), special.stop_id]

    def _spans(self, text: str) -> tuple[int, list[PlacedSpan]]:
        spans = list(enumerate(self._splitter.spans(text), start=1))
        return len(spans) + 2, spans


class SubwordEncoder(TextEncoder):
    """Let a Hugging Face tokenizer give the ids, its own special tokens included."""

    def __init__(self, feature: TextInput, folder: Path) -> None:
        if not isinstance(feature.tokenizer, SubwordTokenizer):
            raise ValueError(f"input {feature.name!r} has no sub-word tokenizer")
        self._tokenizer = feature.tokenizer.load(folder)
        super().__init__(feature, lambda text: self._tokenizer.encode(text).ids)

    def _spans(self, text: str) -> tuple[int, list[PlacedSpan]]:
        encoding = self._tokenizer.encode(text)
        special = encoding.special_tokens_mask
        spans = [(index, span) for index, span in enumerate(encoding.offsets) if not special[index]]
        return len(encoding.ids), spans


def filled(value: Any, fill_value: Any, column: str) -> Any:
    """Return a value, or the fill value if it is missing. Raises RequestError without a fill value."""
    value = fill_value if value is None else value
    if value is None:
        raise RequestError(f"{column!r} is missing, and the model was trained without a fill value.")
    return value


def checked_text(value: Any, column: str) -> str:
    """Return a value that is text which UTF-8 can hold, or raise RequestError."""
    if not isinstance(value, str):
        raise RequestError(f"{column!r} must be a string, found {type(value).__name__}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RequestError(
            f"{column!r} is not valid Unicode: character {error.start} is half of a surrogate pair. "
            "Send the text as UTF-8."
        ) from None
    return value
