"""Tag words from Ludwig's predictions with the handler's own code, so that an evaluation scores what is served."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.features import is_tagger, tagged_text
from export.outputs import SPECIAL_LABELS, is_aligned
from export.text import describe_text
from handler.alignment import Tagged, word_positions, word_tags
from handler.decoding import SlotDecoder
from handler.text import TextEncoder
from training.config import Config


@dataclass(frozen=True)
class Tagger:
    """Turns the predictions of one slot output into one tag per word.

    Attributes:
        name: Name of the output feature.
        encoder: The bundle's encoder of the tagged text.
        decoder: Decoder of the logits, or None to use Ludwig's own tags.
    """

    name: str
    encoder: TextEncoder
    decoder: SlotDecoder | None = None

    @property
    def column(self) -> str:
        """Column that holds the tagged text."""
        return self.encoder.feature.column

    def positions(self, text: str) -> list[int | None]:
        """Return the token position of each word of `text.split()`; None for a word without a token."""
        return word_positions(text, self.encoder.placed_spans(text))

    def tagged(self, positions: Sequence[int | None], answer: Mapping[str, Any], *, decode: bool = True) -> Tagged:
        """Return a tag and a probability for each word.

        Args:
            positions: Result of `positions` for the text.
            answer: Ludwig's prediction columns for the text; includes `<name>_logits`, float, shape (length, labels),
                if the output has a decoder.
            decode: Whether to use the decoder. False always returns Ludwig's own tags.
        """
        return word_tags(
            positions,
            [str(tag) for tag in answer[f"{self.name}_predictions"]],
            [float(probability) for probability in answer[f"{self.name}_probabilities"]],
            SPECIAL_LABELS,
            self.decoder if decode else None,
            answer.get(f"{self.name}_logits"),
        )


Taggers = Mapping[str, Tagger]
"""Tagger of each slot output, by output name."""


def taggers_of(config: Config, metadata: Mapping[str, Any], decoders: Mapping[str, SlotDecoder]) -> dict[str, Tagger]:
    """Return a tagger for each output that a bundle tags word by word.

    Args:
        config: The model's configuration, with Ludwig's defaults filled in.
        metadata: Ludwig's training set metadata, by feature.
        decoders: Decoder of each slot output that is decoded, by output name.

    Raises:
        UnsupportedError: The text's tokenizer cannot be reproduced without Ludwig.
    """
    text = tagged_text(config)
    outputs = [feature for feature in config["output_features"] if is_tagger(feature)]
    if text is None or not outputs:
        return {}
    with tempfile.TemporaryDirectory() as folder:  # the loaded encoder no longer needs its files
        described = describe_text(text, metadata[text["name"]], Path(folder), "0")
        encoder = described.encoder(Path(folder))
    names = [feature["name"] for feature in outputs if is_aligned(described, metadata[feature["name"]])]
    return {name: Tagger(name, encoder, decoders.get(name)) for name in names}
