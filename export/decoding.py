"""How a bundle decodes slots: as asked, or as `ludwig-serverless fit` measured them; else each tag is Ludwig's own."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from export.console import say
from export.errors import ExportError
from handler.decoding import is_bio
from handler.outputs import Decoding, OutputFeature, SequenceOutput

DECODING = "decoding"
"""What a run's record calls the decoding of its outputs, by name."""


def with_decoding(
    outputs: Sequence[OutputFeature], record: Mapping[str, Any] | None, asked: Decoding | None = None
) -> list[OutputFeature]:
    """Return outputs whose slots are decoded as asked, or as the record of the run says where nothing is asked.

    Raises ExportError if Viterbi's decoding is asked for and no output has tags of words.
    """
    able = [output.name for output in outputs if isinstance(output, SequenceOutput) and _is_decodable(output)]
    if asked == "viterbi" and not able:
        raise ExportError(
            "--slot-decoding viterbi is given, but no output has a BIO tag for each word of a text: leave it away."
        )
    recorded = (record or {}).get(DECODING) or {}
    chosen = {name: asked or recorded.get(name, "argmax") for name in able}
    for name in able:
        if chosen[name] == "viterbi":
            say(f"{name}: tags will be decoded so that they make whole slots; the certificate is of Ludwig's own tags.")
    return [
        msgspec.structs.replace(output, decoding=chosen[output.name])
        if isinstance(output, SequenceOutput) and output.name in chosen
        else output
        for output in outputs
    ]


def _is_decodable(output: SequenceOutput) -> bool:
    return output.aligned_with is not None and is_bio(set(output.labels) - set(output.special_labels))
