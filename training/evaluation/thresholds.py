"""Thresholds of confidence: below them, an answer is better not given.

Fitted on rows that nobody trained on (validation), measured on others (test). `thresholds.json`, by output feature:

    default     the confidence below which an answer counts as unknown
    by_label    the same for some labels
    fitted      accuracy (what was asked for) or null, out_of_scope (the label of such rows) or null, per_label,
                reached (whether validation allowed the accuracy)
    measured    by part, validation and test: rows, answered, coverage (answered / rows), accuracy (of the answered, in
                which rows out of scope are wrong), out_of_scope (rows), refused (of those)

Export copies `default` and `by_label` into the bundle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.answers import Records

FEWEST_ROWS = 10
"""Fewer rows than this tell nothing of a label's threshold."""

DIGITS = 6


@dataclass(frozen=True)
class ThresholdOptions:
    """What thresholds shall achieve.

    accuracy: how often answers that are given shall be right; None: tell rows out of scope from the others as well as
    can be. out_of_scope: the label of such rows, which are not trained on. per_label: a threshold for each label, too.
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
        """Read the answers of an output to rows in scope and to rows out of it."""
        both = [*records, *outside]
        labels = np.array([record[f"{name}_predictions"] for record in both], dtype=object)
        inside = np.arange(len(both)) < len(records)
        expected = np.array([record.get(name) for record in both], dtype=object)
        confidence = np.array([record[f"{name}_probability"] for record in both], dtype=float)
        return cls(labels, confidence, (labels == expected) & inside, ~inside)

    def of_label(self, label: str) -> "Answered":
        """Return the rows that are answered with a label."""
        chosen = self.labels == label
        return Answered(self.labels[chosen], self.confidence[chosen], self.right[chosen], self.outside[chosen])


def fit_thresholds(found: Answered, options: ThresholdOptions) -> dict[str, Any]:
    """Return `default`, `by_label` and `fitted` of an output, from its answers to validation rows."""
    default, reached = _fit(found, options.accuracy)
    by_label = {}
    for label in sorted(set(found.labels)) if options.per_label else ():
        rows = found.of_label(label)
        if len(rows.right) >= FEWEST_ROWS and (options.accuracy is not None or rows.outside.any()):
            fitted, _ = _fit(rows, options.accuracy)
            # Where all are right, nothing is known of the confidences below those that were seen.
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
    """Return what thresholds do to answers."""
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
    """Return which part of rows out of scope a threshold refuses."""
    return float(np.mean([record[f"{name}_probability"] < threshold for record in outside]))


def _fit(found: Answered, accuracy: float | None) -> tuple[float, bool]:
    """Return a threshold, and whether it does what was asked for.

    accuracy: the smallest threshold above which answers are right so often; where there is none, the one with the
    most accurate answers. None: the best balance between right answers given and rows out of scope refused.
    """
    order = np.argsort(-found.confidence, kind="stable")
    confidence, right, outside = found.confidence[order], found.right[order], found.outside[order]
    ends = np.flatnonzero(np.append(confidence[:-1] != confidence[1:], True))  # the k surest rows can be told apart
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
    kept = int(counts[np.flatnonzero(score == score.max())[-1]])
    return _between(confidence, kept), reached


def _between(confidence: np.ndarray, kept: int) -> float:
    """Return a threshold that keeps so many of the surest rows: half-way to the next; 0 keeps all."""
    if kept == len(confidence):
        return 0.0
    return round(float((confidence[kept - 1] + confidence[kept]) / 2), DIGITS)
