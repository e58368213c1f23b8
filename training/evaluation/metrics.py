"""Metrics of an evaluation: classification, slots and calibration.

An evaluation stores its metrics as one JSON object, `metrics.json`:

    schema      1; the number changes when the format changes
    source      description of the rows
    rows        number of rows
    model       name of the run
    inputs      names of the input columns
    text        the input column that holds the text; absent in evaluations of older versions
    outputs     by output feature, one of the two formats below
    ludwig      by output feature: Ludwig's own metrics; empty if Ludwig did not evaluate the model
    learning    best_epoch, the epoch whose weights the model uses, and outputs: by output feature training and
                validation, each with loss and the main metric, one value per epoch. Null if the training is unknown.
    choice      how the configuration was chosen; only if `fit` chose it
    compared    comparison with an earlier evaluation (see `compared.py`); only if there is one
    thresholds  by output feature: the content of thresholds.json, measured on these rows (see evaluation/thresholds.py)

A category:
    type, rows, accuracy, macro_f1 (mean F1 over labels), unanswerable (rows whose label is unknown to the model),
    labels      by label: rows, predicted (rows), right (rows), precision, recall, f1
    confusions  expected, predicted, rows; the most frequent first
    calibration error (expected calibration error; 0 is best); temperature and error_before if it was calibrated;
                bins: from, to, rows, confidence (mean), accuracy
    coverage    threshold, coverage (fraction of rows at or above the threshold), accuracy (of those rows; null if
                there are none), and, with thresholds and out-of-scope rows, refused (fraction of the out-of-scope rows
                below the threshold)
    baseline    result of training.baseline.compare; only if a baseline was fitted next to the model

Slots:
    type, rows, precision, recall, f1 (of whole slots, by seqeval), word_accuracy, right_rows (rows without a mistake)
    argmax_f1   F1 of the tags before decoding; only for outputs with a decoder
    entities    by entity: rows (slots of that kind), precision, recall, f1
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.evaluation.answers import OUTSIDE, TAG_STARTS

SCHEMA = 1
BINS = 10
COVERAGE_STEPS = 50
Metrics = dict[str, Any]


def category_metrics(
    expected: Sequence[str],
    predicted: Sequence[str],
    confidence: Sequence[float],
    known: Sequence[str] | None = None,
    temperature: float | None = None,
    uncalibrated: Sequence[float] | None = None,
) -> Metrics:
    """Return the metrics of a category.

    Args:
        expected: Expected label of each row.
        predicted: Predicted label of each row.
        confidence: Probability of each predicted label, in [0, 1].
        known: Labels that the model can predict; None if unknown.
        temperature: Temperature of the calibration, if the output is calibrated.
        uncalibrated: Confidence of each row before calibration, if the output is calibrated.

    Returns:
        The category format of the module's docstring.
    """
    right = np.array([one == other for one, other in zip(expected, predicted, strict=True)])
    sure = np.array(confidence, dtype=float)
    labels = _label_metrics(expected, predicted)
    scored = [label["f1"] for label in labels.values() if label["rows"]]
    calibration: Metrics = {"error": calibration_error(right, sure), "bins": _bins(right, sure)}
    if temperature is not None and uncalibrated is not None:
        calibration["temperature"] = temperature
        calibration["error_before"] = calibration_error(right, np.array(uncalibrated, dtype=float))
    return {
        "type": "category",
        "rows": len(expected),
        "accuracy": float(right.mean()),
        "macro_f1": float(np.mean(scored)),
        "unanswerable": 0 if known is None else sum(label not in set(known) for label in expected),
        "labels": labels,
        "confusions": _confusions(expected, predicted),
        "calibration": calibration,
        "coverage": _coverage(right, sure),
    }


def slot_metrics(expected: Sequence[str], predicted: Sequence[str]) -> Metrics:
    """Return the metrics of slots.

    Args:
        expected: Expected tags of each row, space-separated, one per word.
        predicted: Predicted tags of each row, in the same format. Missing tags at the end count as outside.

    Returns:
        The slots format of the module's docstring.
    """
    from seqeval.metrics import classification_report

    right, found = [_tags(row) for row in expected], [_tags(row) for row in predicted]
    found = [(row + [OUTSIDE] * len(tags))[: len(tags)] for row, tags in zip(found, right, strict=True)]
    report: dict[str, Any] = {}
    if any(tag != OUTSIDE for row in [*right, *found] for tag in row):
        report = classification_report(right, found, output_dict=True, zero_division=0)
    total = _scores(report.pop("micro avg", {}))
    words = [one == other for rows in zip(right, found, strict=True) for one, other in zip(*rows, strict=True)]
    return {
        "type": "sequence",
        "rows": len(right),
        "precision": total["precision"],
        "recall": total["recall"],
        "f1": total["f1"],
        "word_accuracy": float(np.mean(words)) if words else 0.0,
        "right_rows": sum(one == other for one, other in zip(right, found, strict=True)),
        "entities": {
            name: {"rows": int(scores["support"]), **_scores(scores)}
            for name, scores in sorted(report.items())
            if name not in ("macro avg", "weighted avg")
        },
    }


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy, weighted by bin size.

    Source: Naeini et al. 2015, with bins of equal width.

    Args:
        right: Whether each prediction is correct; bool, shape (rows,).
        confidence: Confidence of each prediction, in [0, 1]; float, shape (rows,).

    Returns:
        The error, in [0, 1]; 0 is best.
    """
    gaps = [abs(found["confidence"] - found["accuracy"]) * found["rows"] for found in _bins(right, confidence)]
    return float(sum(gaps) / max(len(right), 1))


def text_column_of(evaluation: Metrics) -> str:
    """Return the column of the records that holds the text. Evaluations of older versions name only their inputs."""
    return str(evaluation.get("text", evaluation["inputs"][0]))


def summary(metrics: Metrics) -> dict[str, float]:
    """Return the key metrics of an output, by name."""
    if metrics["type"] == "category":
        baseline = {"baseline_accuracy": metrics["baseline"]["accuracy"]} if "baseline" in metrics else {}
        return {
            "accuracy": metrics["accuracy"],
            "macro_f1": metrics["macro_f1"],
            "calibration_error": metrics["calibration"]["error"],
            **baseline,
        }
    names = ("precision", "recall", "f1", "argmax_f1", "word_accuracy")
    return {f"slot_{name}": metrics[name] for name in names if name in metrics}


def _label_metrics(expected: Sequence[str], predicted: Sequence[str]) -> dict[str, Metrics]:
    rows, answered = Counter(expected), Counter(predicted)
    right = Counter(one for one, other in zip(expected, predicted, strict=True) if one == other)
    found = {}
    for label in sorted({*rows, *answered}):
        precision = right[label] / answered[label] if answered[label] else 0.0
        recall = right[label] / rows[label] if rows[label] else 0.0
        total = precision + recall
        found[label] = {
            "rows": rows[label],
            "predicted": answered[label],
            "right": right[label],
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / total if total else 0.0,
        }
    return found


def _confusions(expected: Sequence[str], predicted: Sequence[str]) -> list[Metrics]:
    pairs = Counter((one, other) for one, other in zip(expected, predicted, strict=True) if one != other)
    return [{"expected": one, "predicted": other, "rows": rows} for (one, other), rows in pairs.most_common()]


def _bins(right: np.ndarray, confidence: np.ndarray) -> list[Metrics]:
    numbers = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    return [
        {
            "from": number / BINS,
            "to": (number + 1) / BINS,
            "rows": int(members.sum()),
            "confidence": float(confidence[members].mean()),
            "accuracy": float(right[members].mean()),
        }
        for number in range(BINS)
        if (members := numbers == number).any()
    ]


def _coverage(right: np.ndarray, confidence: np.ndarray) -> list[Metrics]:
    curve = []
    for step in range(COVERAGE_STEPS + 1):
        kept = confidence >= step / COVERAGE_STEPS
        accuracy = float(right[kept].mean()) if kept.any() else None
        curve.append({"threshold": step / COVERAGE_STEPS, "coverage": float(kept.mean()), "accuracy": accuracy})
    return curve


def _tags(row: str) -> list[str]:
    """Return the tags of a row; anything that is not a BIO tag counts as outside."""
    return [tag if tag.startswith(TAG_STARTS) else OUTSIDE for tag in row.split()]


def _scores(report: Mapping[str, Any]) -> Metrics:
    names = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
    return {name: float(report.get(column, 0.0)) for name, column in names.items()}
