"""Evaluations without a model: small sets of predictions that a test can check by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from handler.decoding import SlotDecoder
from training.evaluation.evaluate import EvaluationSource, evaluate
from training.evaluation.taggers import taggers_of

LABELS = {
    "input_features": [{"name": "text", "type": "text"}],
    "output_features": [{"name": "intent", "type": "category"}],
}
TAGS = {
    "input_features": [{"name": "text", "column": "text", "type": "text"}],
    "output_features": [{"name": "slots", "type": "sequence", "decoder": {"type": "tagger"}}],
}
LEARNING = {
    "best_epoch": 2,
    "outputs": {
        "intent": {
            "training": {"loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.5, 0.9]},
            "validation": {"loss": [2.1, 1.2, 1.3], "accuracy": [0.1, 0.6, 0.5]},
        }
    },
}


LONGEST = 8
"""Length of the longest decoded text in tokens, including start and stop."""


def metadata(length: int) -> dict[str, Any]:
    """Return Ludwig's metadata for TAGS."""
    symbols = {"<EOS>": 0, "<SOS>": 1, "<PAD>": 2, "<UNK>": 3}
    preprocessing = {
        "tokenizer": "space",
        "lowercase": False,
        "padding": "right",
        "padding_symbol": "<PAD>",
        "missing_value_strategy": "fill_with_const",
    }
    text = {"idx2str": list(symbols), "str2idx": symbols, "max_sequence_length": length, "preprocessing": preprocessing}
    return {"text": text, "slots": text}


def evaluate_labels(
    folder: Path,
    rows: Sequence[tuple[str, str, str, float]],
    *,
    learning: Mapping[str, Any] | None = LEARNING,
    known: Sequence[str] | None = None,
    thresholds: Mapping[str, Any] | None = None,
    outside: Sequence[tuple[str, str, str, float]] = (),
) -> dict[str, Any]:
    """Evaluate labels. rows: text, expected label, predicted label, confidence."""
    answers = {text: (answer, confidence) for text, _, answer, confidence in [*rows, *outside]}

    def predict(asked: pd.DataFrame) -> list[dict[str, Any]]:
        found = [answers[text] for text in asked["text"]]
        return [
            {"intent_predictions": label, "intent_probability": sure, "intent_probabilities": [sure, 1 - sure]}
            for label, sure in found
        ]

    source = EvaluationSource(
        "the test split", "intent", learning=learning, known={"intent": list(known)} if known else {}
    )
    table = pd.DataFrame([(text, right) for text, right, _, _ in rows], columns=["text", "intent"])
    out_of_scope_rows = pd.DataFrame([(text, right) for text, right, _, _ in outside], columns=["text", "intent"])
    return evaluate(predict, LABELS, table, folder, source, thresholds=thresholds, outside=out_of_scope_rows)


def evaluate_slots(
    folder: Path, rows: Sequence[tuple[str, str, str]], padding: Sequence[str] = ("<EOS>", "<PAD>", "B-noise")
) -> dict[str, Any]:
    """Evaluate word tags. rows: text, expected tags, predicted tags. padding: predictions after the last word."""
    answers = {text: answered.split() for text, _, answered in rows}
    length = max(map(len, answers.values())) + 1 + len(padding)

    def predict(asked: pd.DataFrame) -> list[dict[str, Any]]:
        padded = [["<SOS>", *answers[text], *padding] for text in asked["text"]]
        padded = [tags + ["B-noise"] * (length - len(tags)) for tags in padded]
        return [{"slots_predictions": tags, "slots_probabilities": [0.75] * len(tags)} for tags in padded]

    table = pd.DataFrame([(text, right) for text, right, _ in rows], columns=["text", "slots"])
    taggers = taggers_of(TAGS, metadata(length), {})
    return evaluate(predict, TAGS, table, folder, EvaluationSource("the test split", "slots", taggers=taggers))


def evaluate_decoded(folder: Path, rows: Sequence[tuple[str, str, list[list[float]]]]) -> dict[str, Any]:
    """Evaluate decoded tags. rows: text, expected tags, and the logits of O, B-city and I-city for each word."""
    labels = ["O", "B-city", "I-city"]
    answers = {
        text: np.array([[9, 0, 0], *logits, *[[9, 0, 0]] * (LONGEST - len(logits) - 1)], dtype=np.float32)
        for text, _, logits in rows
    }

    def predict(asked: pd.DataFrame) -> list[dict[str, Any]]:
        found = [answers[text] for text in asked["text"]]
        return [
            {
                "slots_predictions": [labels[label] for label in logits.argmax(axis=1)],
                "slots_probabilities": [0.75] * len(logits),
                "slots_logits": logits,
            }
            for logits in found
        ]

    table = pd.DataFrame([(text, right) for text, right, _ in rows], columns=["text", "slots"])
    taggers = taggers_of(TAGS, metadata(LONGEST), {"slots": SlotDecoder(labels)})
    return evaluate(predict, TAGS, table, folder, EvaluationSource("the test split", "slots", taggers=taggers))
