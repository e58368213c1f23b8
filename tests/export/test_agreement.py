"""The agreement of two graphs on the served tags, word by word."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.agreement import Reference
from export.parity import Row
from handler.predictor import Predictor
from tests.bundles import INTENT, Head, write_bundle

WORDS = {"Paris": "B-city", "Rome": "B-city", "gala": "I-event", "fair": "B-event"}
EXACT = Head(name="slots", kind="sequence", words=WORDS, logits={"gala": 9.0})
WITHOUT_ROME = replace(EXACT, words={word: tag for word, tag in WORDS.items() if word != "Rome"})
TEXTS = ["to\tParis now", "  Rome gala ", "fair gala", ""]
TAGS = ["O B-city O", "B-city O", "B-event I-event", None]
"""Of seven words. A tokenizer that splits at spaces alone gives Paris no token of its own."""


def measured(folder: Path, exact: Head, other: Head, labels: list[Any]) -> tuple[float, float | None]:
    """Return the agreement and the accuracy of a bundle, measured against the exact one."""
    rows = [Row(f"row {number}", {"text": text}, odd=False) for number, text in enumerate(TEXTS)]
    exact_bundle, other_bundle = (
        Predictor(write_bundle(folder / name, head)) for name, head in (("exact", exact), ("other", other))
    )
    found = Reference(exact_bundle, rows, {exact.name: labels}).measure(other_bundle, "other", folder / "other")
    return found.agreement, found.accuracy


def test_tags_are_compared_by_word(tmp_path: Path) -> None:
    assert measured(tmp_path, EXACT, WITHOUT_ROME, TAGS) == (pytest.approx(6 / 7), pytest.approx(4 / 7))


def test_decoded_tags_are_compared(tmp_path: Path) -> None:
    """Ludwig's tags of "Rome" differ, but both bundles answer that "Rome gala" is an event."""
    exact, other = (replace(head, decoding="viterbi") for head in (EXACT, WITHOUT_ROME))
    assert measured(tmp_path, exact, other, TAGS) == (1.0, pytest.approx(4 / 7))


def test_rows_without_a_label_do_not_count_as_errors(tmp_path: Path) -> None:
    assert measured(tmp_path, INTENT, INTENT, [None, None, None, None]) == (1.0, None)
    label = INTENT.labels[0]  # of texts without a known word
    assert measured(tmp_path / "labeled", INTENT, INTENT, [label, None, None, "other"]) == (1.0, 0.5)
