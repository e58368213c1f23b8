"""Which input a tagger tags."""

from typing import Any

import pytest

from export.features import is_tagger, tagged_text

CATEGORY: dict[str, Any] = {"name": "channel", "type": "category"}
WHOLE: dict[str, Any] = {"name": "whole", "type": "text", "encoder": {"type": "rnn", "reduce_output": None}}
REDUCED: dict[str, Any] = {"name": "reduced", "type": "sequence", "encoder": {"type": "rnn", "reduce_output": "last"}}


@pytest.mark.parametrize(
    ("inputs", "combiner", "expected"),
    [
        ([WHOLE], None, "whole"),
        ([CATEGORY, WHOLE], None, "whole"),
        ([REDUCED, WHOLE], None, "whole"),
        ([WHOLE, {**WHOLE, "name": "other"}], None, "whole"),
        ([WHOLE, {**WHOLE, "name": "other"}], {"main_sequence_feature": "other"}, "other"),
        ([CATEGORY, WHOLE], {"main_sequence_feature": None}, "whole"),
        ([CATEGORY, REDUCED], None, "reduced"),
        ([CATEGORY], None, None),
    ],
    ids=["alone", "behind a category", "not reduced", "first", "named", "none named", "reduced", "no text"],
)
def test_the_tagged_text_is_ludwigs_main_sequence(
    inputs: list[dict[str, Any]], combiner: dict[str, Any] | None, expected: str | None
) -> None:
    found = tagged_text({"input_features": inputs, **({"combiner": combiner} if combiner else {})})
    assert (found and found["name"]) == expected


def test_an_encoder_or_decoder_can_be_just_its_type() -> None:
    """Ludwig accepts `encoder: parallel_cnn` as short for `encoder: {type: parallel_cnn}`."""
    config = {"input_features": [{"name": "text", "type": "text", "encoder": "parallel_cnn"}]}
    assert tagged_text(config) == config["input_features"][0]
    assert is_tagger({"name": "slots", "type": "sequence", "decoder": "tagger"})
