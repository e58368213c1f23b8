"""Confidence thresholds: a prediction below its threshold counts as unknown.

They are fitted on the validation split and measured on the test split. `thresholds.json`, by output feature:

    default     the confidence below which a prediction counts as unknown
    by_label    thresholds of labels that differ from the default
    fitted      accuracy (the target) or null, out_of_scope (the label of out-of-scope rows) or null, per_label,
                reached (whether the validation split reaches the target)
    measured    by split, validation and test: rows, answered, coverage (answered / rows, in scope), accuracy (of the
                answered rows; out-of-scope rows count as wrong), out_of_scope (rows), refused (of those)

Export copies `default` and `by_label` into the bundle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.answers import Records

FEWEST_ROWS = 10
"""A label needs at least this many predictions for a threshold of its own."""

DIGITS = 6


@dataclass(frozen=True)
class ThresholdOptions:
    """The target of the threshold fitting.

    Attributes:
        accuracy: Target accuracy of the answers given, in [0, 1]. None separates out-of-scope rows from the others
            as well as possible.
        out_of_scope: Label of out-of-scope rows, which are excluded from training.
        per_label: Whether to fit a threshold for each label as well.
    """

    accuracy: float | None = None
    out_of_scope: str | None = None
    per_label: bool = False


@dataclass(frozen=True)
class Answered:
    """Answers of one output, as arrays over rows; a row out of scope is never right."""

    labels: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    outside: np.ndarray

    @classmethod
    def read(cls, name: str, records: Records, outside: Records) -> "Answered":
        """Read the predictions of an output from records in scope and records out of scope."""
        both = [*records, *outside]
        labels = np.array([record[f"{name}_predictions"] for record in both], dtype=object)
        inside = np.arange(len(both)) < len(records)
        expected = np.array([record.get(name) for record in both], dtype=object)
        confidence = np.array([record[f"{name}_probability"] for record in both], dtype=float)
        return cls(labels, confidence, (labels == expected) & inside, ~inside)

    def of_label(self, label: str) -> "Answered":
        """Return the rows for which the model predicts a label."""
        chosen = self.labels == label
        return Answered(self.labels[chosen], self.confidence[chosen], self.right[chosen], self.outside[chosen])


def fit_thresholds(found: Answered, options: ThresholdOptions) -> dict[str, Any]:
    """Fit the thresholds of an output on its validation predictions.

    Args:
        found: Predictions for the validation rows, in scope and out of scope.
        options: The target.

    Returns:
        `default`, `by_label` and `fitted` (see the module's docstring).
    """
    default, reached = _fit(found, options.accuracy)
    by_label = {}
    for label in sorted(set(found.labels)) if options.per_label else ():
        rows = found.of_label(label)
        if len(rows.right) >= FEWEST_ROWS and (options.accuracy is not None or rows.outside.any()):
            fitted, _ = _fit(rows, options.accuracy)
            # If every prediction of a label is right, confidences below the lowest one seen are untested.
            by_label[label] = fitted or round(min(default, float(rows.confidence.min())), DIGITS)
    return {
        "default": default,
        "by_label": {label: limit for label, limit in by_label.items() if limit != default},
        "fitted": {
            "accuracy": options.accuracy,
            "out_of_scope": options.out_of_scope,
            "per_label": options.per_label,
            "reached": reached,
        },
    }


def measure(found: Answered, thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """Measure thresholds on predictions.

    Args:
        found: Predictions for rows in scope and out of scope.
        thresholds: `default` and `by_label` of an output.

    Returns:
        The `measured` format of the module's docstring.
    """
    limits = np.array([thresholds["by_label"].get(label, thresholds["default"]) for label in found.labels], dtype=float)
    given = found.confidence >= limits
    rows, inside = len(given), ~found.outside
    return {
        "rows": rows,
        "answered": int(given.sum()),
        "coverage": float(given[inside].mean()) if inside.any() else None,
        "accuracy": float(found.right[given].mean()) if given.any() else None,
        "out_of_scope": int(found.outside.sum()),
        "refused": int((~given & found.outside).sum()),
    }


def refused(outside: Records, name: str, threshold: float) -> float:
    """Return the fraction of out-of-scope rows whose confidence is below a threshold."""
    return float(np.mean([record[f"{name}_probability"] < threshold for record in outside]))


def _fit(found: Answered, accuracy: float | None) -> tuple[float, bool]:
    """Return a threshold, and whether it reaches the target.

    With a target accuracy, it is the lowest threshold that reaches the target; if none does, the threshold with the
    highest accuracy. With None, it is the threshold that maximizes the sum of two rates: correct answers among rows in
    scope and rejections among out-of-scope rows.
    """
    # Sort by confidence, highest first. Each candidate threshold keeps a prefix of this order.
    order = np.argsort(-found.confidence, kind="stable")
    confidence, right, outside = found.confidence[order], found.right[order], found.outside[order]
    ends = np.flatnonzero(np.append(confidence[:-1] != confidence[1:], True))  # only cut between distinct confidences
    counts = ends + 1
    given_right = np.cumsum(right)[ends]
    if accuracy is None:
        refused = outside.sum() - np.cumsum(outside)[ends]
        score = given_right / max((~outside).sum(), 1) + refused / max(outside.sum(), 1)
        reached = True
    else:
        score = given_right / counts
        reached = bool((score >= accuracy).any())
        score = (score >= accuracy).astype(float) if reached else score
    # Among equal scores take the longest prefix: it answers the most rows.
    kept = int(counts[np.flatnonzero(score == score.max())[-1]])
    return _between(confidence, kept), reached


def _between(confidence: np.ndarray, kept: int) -> float:
    """Return the threshold that keeps the `kept` most confident rows: halfway to the next row, or 0 to keep all."""
    if kept == len(confidence):
        return 0.0
    return round(float((confidence[kept - 1] + confidence[kept]) / 2), DIGITS)
