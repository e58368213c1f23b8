"""Choose how a bundle decodes slots: as requested, else as `ludwig-serverless fit` measured, else by argmax.

`fit` trains with one tag for each word, whatever the tokenizer. Ludwig itself trains with one tag for each token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from export.console import say
from export.errors import ExportError
from handler.decoding import is_bio
from handler.outputs import Decoding, OutputFeature, SequenceOutput, TagUnit

DECODING = "decoding"
"""Key in a run's record that maps each output to its decoding."""


def with_decoding(
    outputs: Sequence[OutputFeature], record: Mapping[str, Any] | None, asked: Decoding | None = None
) -> list[OutputFeature]:
    """Set the slot decoding of each output, and whether its tags belong to words or to tokens.

    Args:
        outputs: The outputs of the model.
        record: The run's record, which may contain a decoding for each output, or None.
        asked: The decoding to use for all slots. It takes precedence over the record.

    Returns:
        The outputs. Outputs that are not BIO tags of words are unchanged.

    Raises:
        ExportError: Viterbi decoding is requested, but the model has no BIO tags of words.
    """
    able = [output.name for output in outputs if isinstance(output, SequenceOutput) and _is_decodable(output)]
    if asked == "viterbi" and not able:
        raise ExportError(
            "--slot-decoding viterbi needs an output with a BIO tag for each word of a text, and this model has none: "
            "omit the option."
        )
    recorded = (record or {}).get(DECODING) or {}
    chosen = {name: asked or recorded.get(name, "argmax") for name in able}
    for name in able:
        if chosen[name] == "viterbi":
            say(f"{name}: Viterbi decoding will produce complete slots; the certificate compares Ludwig's raw tags.")
    unit: TagUnit = "token" if record is None else "word"
    return [
        msgspec.structs.replace(output, decoding=chosen[output.name], tag_unit=unit)
        if isinstance(output, SequenceOutput) and output.name in chosen
        else output
        for output in outputs
    ]


def _is_decodable(output: SequenceOutput) -> bool:
    return output.aligned_with is not None and is_bio(set(output.labels) - set(output.special_labels))
