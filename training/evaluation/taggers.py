"""Slots as they are served: the tags of words, from Ludwig's answer, by the handler's own code."""

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
    """How the answer of one output becomes the tags of words.

    encoder: of the text that is tagged, as a bundle has it. decoder: None where Ludwig's own tags are the answer.
    """

    name: str
    encoder: TextEncoder
    decoder: SlotDecoder | None = None

    @property
    def column(self) -> str:
        """The column of the text that is tagged."""
        return self.encoder.feature.column

    def positions(self, text: str) -> list[int | None]:
        """Return the position of each word of `text.split()` in Ludwig's answer; None for a word that it lacks."""
        return word_positions(text, self.encoder.placed_spans(text))

    def tagged(self, positions: Sequence[int | None], answer: Mapping[str, Any], *, decode: bool = True) -> Tagged:
        """Return a tag and a probability for each word.

        Args:
            positions: What `positions` returns for the text.
            answer: Ludwig's columns for it; with `<name>_logits`, (length, labels), if the output is decoded.
            decode: False takes Ludwig's own tags in any case.
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
"""By output, those that tag the words of a text."""


def taggers_of(config: Config, metadata: Mapping[str, Any], decoders: Mapping[str, SlotDecoder]) -> dict[str, Tagger]:
    """Return a tagger for each output that a bundle would answer word by word.

    Args:
        config: A configuration with Ludwig's defaults.
        metadata: Ludwig's metadata, by feature.
        decoders: By output, of slots that are decoded.

    Raises:
        UnsupportedError: The tokens of the text cannot be reproduced without Ludwig.
    """
    text = tagged_text(config)
    outputs = [feature for feature in config["output_features"] if is_tagger(feature)]
    if text is None or not outputs:
        return {}
    with tempfile.TemporaryDirectory() as folder:  # the encoder keeps nothing of it once it is loaded
        described = describe_text(text, metadata[text["name"]], Path(folder), "0")
        encoder = described.encoder(Path(folder))
    names = [feature["name"] for feature in outputs if is_aligned(described, metadata[feature["name"]])]
    return {name: Tagger(name, encoder, decoders.get(name)) for name in names}
