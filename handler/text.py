"""Encode Ludwig's text and sequence inputs as token ids, and find the position of each token in the text."""

from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Literal

import msgspec

from handler.affixes import WORDS, Affixes
from handler.alignment import PlacedSpan
from handler.context import Context
from handler.described import Described
from handler.files import StrPath, read
from handler.ngrams import Ngrams
from handler.tensor import Tensor
from handler.tokenizers import PiecesTokenizer, SpaceTokenizer, SubwordTokenizer, Tokenizer, raw_spans
from handler.values import checked_text, filled


class Vocabulary(Described, frozen=True):
    """The tokens that Ludwig found in the training data, and the special tokens that it adds to each row.

    Attributes:
        file: The bundle's file with a JSON list of the tokens, in the order of their ids.
        unknown_id: The id of every token that is not in the list.
        start_id: The id at the start of each row.
        stop_id: The id at the end of each row.
    """

    file: str
    unknown_id: int
    start_id: int
    stop_id: int


class TextInput(Described, frozen=True, kw_only=True, tag="text"):
    """A text or sequence feature.

    Source: `build_sequence_matrix` in `ludwig.utils.strings_utils`.

    Attributes:
        name: The feature's name in Ludwig.
        column: The column, and field of a request, that the values come from.
        tokenizer: Splits the text into tokens, or encodes it as ids.
        length: The number of ids in a row, special tokens included. Every row is padded or truncated to it.
        lowercase: Whether to lowercase the text first.
        padding: The side of the padding.
        padding_id: The id of the padding.
        vocabulary: Maps tokens to ids; None if the tokenizer returns ids itself.
        fill_value: Replaces a missing value; None makes a missing value an error.
        affixes: Replaces each word with its prefixes, itself and its suffixes first.
        ngrams: Replaces the text with its words, pairs of words and character n-grams first.
        context: Replaces each word with itself, its shape, its affixes and the words around it first.
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
    context: Context | None = None

    @property
    def stride(self) -> int:
        """The number of tokens for each tagged position: all that describe a word, or 1 without them."""
        made = self.affixes or self.context
        return made.tokens_per_word if made is not None and isinstance(self.tokenizer, SpaceTokenizer) else 1

    @property
    def files(self) -> list[str]:
        """The names of the bundle's files that this feature reads."""
        files = [self.tokenizer.file] if isinstance(self.tokenizer, (SubwordTokenizer, PiecesTokenizer)) else []
        return [*files, self.vocabulary.file] if self.vocabulary else files

    def lengths(self, ids: Tensor) -> list[int]:
        """Return the length of each row without the padding on the right, in bytes.

        Args:
            ids: Token ids, int32, (batch, length).

        Returns:
            The lengths. One is too small if the last ids consist of the same bytes as the padding.
        """
        content, size = ids.flat.tobytes(), self.length * ids.flat.itemsize
        padding = array("i", [self.padding_id]).tobytes()
        return [len(content[start : start + size].rstrip(padding)) for start in range(0, len(content), size)]

    def encoder(self, folder: StrPath) -> "TextEncoder":
        """Load the feature's encoder.

        Args:
            folder: The bundle's folder.

        Returns:
            The encoder.

        Raises:
            ValueError: A file is invalid, or does not match this description.
        """
        if isinstance(self.tokenizer, SubwordTokenizer):
            return SubwordEncoder(self, folder)
        return VocabularyEncoder(self, folder)


class TextEncoder:
    """Encode texts as rows of token ids of a fixed length.

    Attributes:
        feature: The description of the input.
    """

    def __init__(self, feature: TextInput, token_ids: Callable[[str], list[int]]) -> None:
        """Keep the description and the tokenizer.

        Args:
            feature: The description of the input.
            token_ids: Returns the ids of a text, special tokens included.
        """
        self.feature = feature
        self._token_ids = token_ids
        self._padding = array("i", [feature.padding_id]) * feature.length

    def encode(self, values: Sequence[Any]) -> Tensor:
        """Encode one text for each row.

        Args:
            values: The texts; None is a missing value.

        Returns:
            Token ids, int32, (batch, length).

        Raises:
            RequestError: A value is not valid text, or is missing and there is no fill value.
        """
        return self._padded([self._token_ids(self._lowered(self._text(value))) for value in values])

    def encode_placed(self, values: Sequence[Any]) -> tuple[Tensor, list[list[PlacedSpan]]]:
        """Encode texts as `encode` does, and find their tokens as `placed_spans` does. Tokenizes each text only once.

        Args:
            values: The texts; None is a missing value.

        Returns:
            Token ids, int32, (batch, length), and the placed spans of each text; a missing text has those of "".

        Raises:
            RequestError: A value is not valid text, or is missing and there is no fill value.
        """
        rows: list[list[int]] = []
        placed: list[list[PlacedSpan]] = []
        for value in values:
            text = self._text(value)
            if text is value:
                ids, spans = self._tokens(self._lowered(text))
                rows.append(ids)
                placed.append(self._placed(text, len(ids), spans))
            else:  # the graph reads a text that was made from this one
                rows.append(self._token_ids(self._lowered(text)))
                placed.append(self.placed_spans(value or ""))
        return self._padded(rows), placed

    def placed_spans(self, text: str) -> list[PlacedSpan]:
        """Return the position and the span of each token that the graph sees.

        Args:
            text: The raw text.

        Returns:
            Pairs of a position in the padded sequence and a span in the raw text, in reading order, without special
            tokens. If several tokens describe a word, the word counts as one token.
        """
        if self.feature.stride > 1:
            words = list(enumerate(WORDS.spans(text), start=1))
            return self._placed(text, len(words) + 2, words)
        ids, spans = self._tokens(self._lowered(text))
        return self._placed(text, len(ids), spans)

    def _padded(self, rows: list[list[int]]) -> Tensor:
        """Truncate or pad each row of ids to the feature's length."""
        length, padding = self.feature.length, self._padding
        padded = array("i")
        on_the_left = self.feature.padding == "left"
        for ids in rows:
            if on_the_left:
                padded += padding[len(ids) :]
            padded.fromlist(ids[:length])
            if not on_the_left:
                padded += padding[len(ids) :]
        return Tensor("int32", (len(rows), length), padded)

    def _placed(self, text: str, count: int, spans: list[PlacedSpan]) -> list[PlacedSpan]:
        """Return positions in the padded sequence and spans in the raw text.

        Args:
            text: The raw text.
            count: The number of ids before padding and truncation, special tokens included.
            spans: The index of each token among these ids, and its span in the text that was tokenized.
        """
        feature = self.feature
        length = feature.length // feature.stride
        if feature.lowercase and feature.stride == 1 and len(text.lower()) != len(text):
            raw = raw_spans(text, [span for _, span in spans])
            spans = [(index, span) for (index, _), span in zip(spans, raw, strict=True)]
        # Add the padding on the left to the index, and drop the tokens that truncation removes.
        first = 0 if feature.padding == "right" else length - min(count, length)
        if first == 0 and count <= length:
            return spans
        return [(first + index, span) for index, span in spans if index < length]

    def _tokens(self, text: str) -> tuple[list[int], list[PlacedSpan]]:
        """Return all ids of a text, and the index and span of each id that is not a special token."""
        raise NotImplementedError

    def _lowered(self, text: str) -> str:
        return text.lower() if self.feature.lowercase else text

    def _text(self, value: Any) -> str:
        feature = self.feature
        text = checked_text(filled(value, feature.fill_value, feature.column), feature.column)
        made = feature.affixes or feature.context or feature.ngrams
        return text if made is None or value is None else made.of(text)


class VocabularyEncoder(TextEncoder):
    """Look up tokens in the vocabulary that Ludwig built."""

    def __init__(self, feature: TextInput, folder: StrPath) -> None:
        """Load the vocabulary and, for a Hugging Face tokenizer, its file.

        Args:
            feature: The description of the input, with a vocabulary.
            folder: The bundle's folder.

        Raises:
            ValueError: A file is invalid, or does not match the description.
        """
        if feature.vocabulary is None or isinstance(feature.tokenizer, SubwordTokenizer):
            raise ValueError(f"input {feature.name!r} has no vocabulary")
        tokens = msgspec.json.decode(read(folder, feature.vocabulary.file), type=list[str])
        special = feature.vocabulary
        ids = (special.unknown_id, special.start_id, special.stop_id, feature.padding_id)
        if not all(0 <= token_id < len(tokens) for token_id in ids):
            raise ValueError(f"the id of a special symbol of input {feature.name!r} is outside its vocabulary: {ids}")
        self._ids = {token: index for index, token in enumerate(tokens)}
        self._special = special
        tokenizer = feature.tokenizer
        self._splitter = tokenizer.load(folder) if isinstance(tokenizer, PiecesTokenizer) else tokenizer
        super().__init__(feature, self._vocabulary_ids)

    def _vocabulary_ids(self, text: str) -> list[int]:
        return self._looked_up(self._splitter.split(text))

    def _looked_up(self, tokens: list[str]) -> list[int]:
        special = self._special
        return [special.start_id, *map(self._ids.get, tokens, repeat(special.unknown_id)), special.stop_id]

    def _tokens(self, text: str) -> tuple[list[int], list[PlacedSpan]]:
        tokens, spans = self._splitter.tokens(text)
        return self._looked_up(tokens), list(enumerate(spans, start=1))


class SubwordEncoder(TextEncoder):
    """Encode texts with a Hugging Face tokenizer, which returns ids and adds its own special tokens."""

    def __init__(self, feature: TextInput, folder: StrPath) -> None:
        """Load the tokenizer.

        Args:
            feature: The description of the input, with a subword tokenizer.
            folder: The bundle's folder.

        Raises:
            ValueError: The tokenizer's file is invalid.
        """
        if not isinstance(feature.tokenizer, SubwordTokenizer):
            raise ValueError(f"input {feature.name!r} has no subword tokenizer")
        self._tokenizer = feature.tokenizer.load(folder)
        super().__init__(feature, lambda text: self._tokenizer.encode(text).ids)

    def _tokens(self, text: str) -> tuple[list[int], list[PlacedSpan]]:
        encoding = self._tokenizer.encode(text)
        special = encoding.special_tokens_mask
        spans = [(index, span) for index, span in enumerate(encoding.offsets) if not special[index]]
        return encoding.ids, spans
