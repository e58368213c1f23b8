"""The answer to one row: Ludwig's columns, and the tags of its words."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from handler.alignment import PlacedSpan, Tagged, pieces_of_words, word_positions, word_spans, word_tags
from handler.decoding import SlotDecoder
from handler.outputs import Columns, SequenceOutput
from handler.tensor import Tensor

if TYPE_CHECKING:
    from handler.entities import TaggedSpan
    from handler.predictor import Predictor

NOTHING: Mapping[str, Any] = {}


class TokenizedText(msgspec.Struct, frozen=True):
    """A text that a model read.

    Attributes:
        text: The raw text; "" if it was missing.
        tokens: The tokens that the graph saw, in reading order.
    """

    text: str
    tokens: list[PlacedSpan]


class RowAnswer:
    """The answer of a model to one row.

    Attributes:
        outputs: Ludwig's columns of each output feature, by its name.
    """

    def __init__(
        self,
        outputs: dict[str, Columns],
        texts: Mapping[str, TokenizedText] = NOTHING,
        logits: Mapping[str, Tensor] = NOTHING,
        decoders: Mapping[str, SlotDecoder] = NOTHING,
    ) -> None:
        """Keep what the tags of words are made of.

        Args:
            outputs: Ludwig's columns of each output feature, by its name.
            texts: The texts that outputs tag, by the name of the input feature.
            logits: float32, (length, labels), for each output that is decoded, by its name.
            decoders: The decoders of these outputs.
        """
        self.outputs = outputs
        self._texts = texts
        self._logits = logits
        self._decoders = decoders

    def word_tags(self, output: SequenceOutput) -> Tagged:
        """Return a tag and a probability for each word of the text that an output tags.

        Args:
            output: An output with `aligned_with`.

        Returns:
            Tags and probabilities, one for each word of `text.split()`.
        """
        read = self._texts[str(output.aligned_with)]
        return self._tags_at(word_positions(read.text, read.tokens), output)

    def tagged_spans(self, output: SequenceOutput) -> "list[TaggedSpan]":
        """Return the values that an output tags in its text. They are whole words or pieces of words, not trimmed yet.

        Args:
            output: An output with `aligned_with`.

        Returns:
            Spans in characters, in reading order.
        """
        from handler.entities import tagged_spans

        read = self._texts[str(output.aligned_with)]
        text, tokens = read.text, read.tokens
        if output.tag_unit == "word":
            spans, positions = word_spans(text), word_positions(text, tokens)
        else:
            spans, positions = pieces_of_words(text, tokens)
        return tagged_spans(spans, *self._tags_at(positions, output))

    def _tags_at(self, positions: Sequence[int | None], output: SequenceOutput) -> Tagged:
        """Return the tag and the probability at each position, Viterbi-decoded if the bundle says so."""
        columns = self.outputs[output.name]
        return word_tags(
            positions,
            columns[f"{output.name}_predictions"],
            columns[f"{output.name}_probabilities"],
            output.special_labels,
            self._decoders.get(output.name),
            self._logits.get(output.name),
        )


class ModelReading(msgspec.Struct, frozen=True):
    """What a model read and answered.

    Attributes:
        predictor: The model.
        rows: The values that it read, by column, for each row of the request.
        answers: Its answer to each row.
    """

    predictor: "Predictor"
    rows: Sequence[Mapping[str, Any]]
    answers: Sequence[RowAnswer]
