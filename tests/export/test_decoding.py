"""How a bundle decodes slots: as requested, as measured, or as Ludwig does."""

from typing import Any

import pytest

from export.decoding import with_decoding
from export.errors import ExportError
from handler.outputs import CategoryOutput, Decoding, SequenceOutput

INTENT = CategoryOutput(name="intent", labels=["greet", "leave"])


def tagger(*labels: str, aligned_with: str | None = "text") -> SequenceOutput:
    return SequenceOutput(name="slots", labels=["<PAD>", *labels], special_labels=["<PAD>"], aligned_with=aligned_with)


def decoding(output: SequenceOutput, record: dict[str, Any] | None, asked: Decoding | None = None) -> str:
    kept, found = with_decoding([INTENT, output], record, asked)
    assert kept == INTENT
    assert isinstance(found, SequenceOutput)
    return found.decoding


@pytest.mark.parametrize(
    ("record", "asked", "expected"),
    [
        (None, None, "argmax"),
        ({"metrics": {}}, None, "argmax"),
        ({"decoding": {"slots": "viterbi"}}, None, "viterbi"),
        ({"decoding": {"slots": "viterbi"}}, "argmax", "argmax"),
        ({"decoding": {"slots": "argmax"}}, None, "argmax"),
        (None, "viterbi", "viterbi"),
    ],
    ids=["Ludwig's own", "an older run", "measured", "not this time", "not measured", "asked for"],
)
def test_the_requested_decoding_wins(record: dict[str, Any] | None, asked: Decoding | None, expected: str) -> None:
    assert decoding(tagger("O", "B-city", "I-city"), record, asked) == expected


@pytest.mark.parametrize(
    "output",
    [tagger("noun", "verb"), tagger("O", "B-city", aligned_with=None)],
    ids=["tags of another kind", "tags of no text"],
)
def test_outputs_without_slots_are_unchanged(output: SequenceOutput) -> None:
    assert decoding(output, {"decoding": {"slots": "viterbi"}}) == "argmax"
    with pytest.raises(
        ExportError,
        match="needs an output with a BIO tag for each word of a text, and this model has none",
    ):
        with_decoding([INTENT, output], None, "viterbi")
