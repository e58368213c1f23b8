"""Confidence thresholds: a prediction below its threshold counts as unknown.

They are fitted on the validation split and measured on the test split. `thresholds.json`, by output feature:

    default     the confidence below which a prediction counts as unknown
    rejected    the labels of out-of-scope rows that the model was trained on, which are never answered
    softness    what the logits are divided by before their softmax is compared (see `handler.thresholds.softened`)
    by_label    thresholds of labels that differ from the default
    fitted      accuracy (the target) or null, out_of_scope (the label of out-of-scope rows) or null, per_label, kept,
                reached (whether the validation split reaches the target)
    measured    by split, validation and test: rows, answered, coverage (answered / rows, in scope), accuracy (of the
                answered rows; out-of-scope rows count as wrong), out_of_scope (rows), refused (of those)

Export copies `default`, `softness`, `rejected` and `by_label` into the bundle.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.answers import SOFTENED, SOFTNESS, Records

FEWEST_ROWS = 10
"""A label needs at least this many predictions for a threshold of its own."""

KEPT = 0.98
"""The share of correct answers that remain, unless asked otherwise, when messages out of scope are rejected."""

NEVER = -1.0
"""Below every threshold."""

DIGITS = 6


@dataclass(frozen=True)
class ThresholdOptions:
    """The target of the threshold fitting.

    Attributes:
        accuracy: Target accuracy of the answers given, in [0, 1], or None.
        out_of_scope: Label of out-of-scope rows, which are excluded from training.
        per_label: Whether to fit a threshold for each label as well.
        kept: The share of correct answers that must remain when messages out of scope are rejected, in [0, 1]. With
            out-of-scope rows, None is KEPT. Without them, the threshold is as high as this share allows; None rejects
            nothing for being out of scope.
    """

    accuracy: float | None = None
    out_of_scope: str | None = None
    per_label: bool = False
    kept: float | None = None

    @property
    def rejects(self) -> bool:
        """Return whether messages out of scope are to be rejected."""
        return self.out_of_scope is not None or self.kept is not None

    @property
    def softness(self) -> float:
        """Return the softness of the confidence that is compared."""
        return SOFTNESS if self.rejects else 1.0


@dataclass(frozen=True)
class Answered:
    """Answers of one output, as arrays of shape (rows,).

    Attributes:
        labels: The predicted labels, objects.
        confidence: The confidence of each prediction, float64.
        right: Whether each prediction is correct, bool; always False for out-of-scope rows.
        outside: Whether each row is out of scope, bool.
    """

    labels: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    outside: np.ndarray

    @classmethod
    def read(
        cls, name: str, records: Records, outside: Records, softness: float = 1.0, rejected: Collection[str] = ()
    ) -> "Answered":
        """Read the predictions of an output.

        Args:
            name: Name of the output.
            records: Predictions for rows in scope.
            outside: Predictions for out-of-scope rows.
            softness: 1 for the probabilities, SOFTNESS for the softened confidences of the records.
            rejected: Labels that are never answered: their confidence is NEVER.
        """
        column = f"{name}_probability" if softness == 1 else f"{name}_{SOFTENED}"
        both = [*records, *outside]
        labels = np.array([record[f"{name}_predictions"] for record in both], dtype=object)
        inside = np.arange(len(both)) < len(records)
        expected = np.array([record.get(name) for record in both], dtype=object)
        confidence = np.array([record[column] for record in both], dtype=float)
        confidence[np.isin(labels.astype(str), list(rejected))] = NEVER
        return cls(labels, confidence, (labels == expected) & inside, ~inside)

    def of_label(self, label: str) -> "Answered":
        """Return the rows for which the model predicts a label."""
        chosen = self.labels == label
        return Answered(self.labels[chosen], self.confidence[chosen], self.right[chosen], self.outside[chosen])


def fit_thresholds(found: Answered, options: ThresholdOptions, rejected: Collection[str] = ()) -> dict[str, Any]:
    """Fit the thresholds of an output on its validation predictions.

    Args:
        found: Predictions for the validation rows, in scope and out of scope.
        options: The target.
        rejected: Labels that are never answered, with which `found` was read.

    Returns:
        `default`, `softness`, `rejected`, `by_label` and `fitted` (see the module's docstring).
    """
    default, reached = _fit(found, options)
    by_label = {}
    for label in sorted(set(found.labels) - set(rejected)) if options.per_label else ():
        rows = found.of_label(label)
        if len(rows.right) >= FEWEST_ROWS and (options.accuracy is not None or rows.outside.any()):
            fitted, _ = _fit(rows, options)
            # If every prediction of a label is right, confidences below the lowest one seen are untested.
            by_label[label] = fitted or round(min(default, float(rows.confidence.min())), DIGITS)
    return {
        "default": default,
        "softness": options.softness,
        "rejected": list(rejected),
        "by_label": {label: limit for label, limit in by_label.items() if limit != default},
        "fitted": {
            "accuracy": options.accuracy,
            "out_of_scope": options.out_of_scope,
            "per_label": options.per_label,
            "kept": _share_to_keep(options),
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


def refused(outside: Records, name: str, threshold: float, rejected: Collection[str] = ()) -> float:
    """Return the fraction of out-of-scope rows without an answer: the confidence is too low, or the label rejected.

    Args:
        outside: Answers to out-of-scope rows.
        name: Name of the output.
        threshold: The threshold.
        rejected: Labels that are never answered.
    """
    return float((Answered.read(name, [], outside, rejected=rejected).confidence < threshold).mean())


def _share_to_keep(options: ThresholdOptions) -> float | None:
    """Return the share of correct answers that must remain, or None if nothing is rejected for being out of scope."""
    return (KEPT if options.kept is None else options.kept) if options.rejects else None


def _fit(found: Answered, options: ThresholdOptions) -> tuple[float, bool]:
    """Return a threshold, and whether it reaches the target accuracy: the higher one of two, if both are requested.

    One is the lowest threshold that reaches the accuracy, counting out-of-scope rows as wrong; if none does, the
    threshold with the highest accuracy. The other rejects messages out of scope, see `_rejecting`.
    """
    # Sort by confidence, highest first. Each candidate threshold keeps a prefix of this order.
    order = np.argsort(-found.confidence, kind="stable")
    confidence, right, outside = found.confidence[order], found.right[order], found.outside[order]
    ends = np.flatnonzero(np.append(confidence[:-1] != confidence[1:], True))  # only cut between distinct confidences
    kept, reached = [], True
    if options.accuracy is not None:
        accuracy = np.cumsum(right)[ends] / (ends + 1)
        reached = bool((accuracy >= options.accuracy).any())
        score = (accuracy >= options.accuracy).astype(float) if reached else accuracy
        # Among equal scores take the longest prefix: it answers the most rows.
        kept.append(int(ends[np.flatnonzero(score == score.max())[-1]]) + 1)
    if (share := _share_to_keep(options)) is not None:
        kept.append(int(ends[_rejecting(right, outside, ends, share)]) + 1)
    return _between(confidence, min(kept)), reached


def _rejecting(right: np.ndarray, outside: np.ndarray, ends: np.ndarray, share: float) -> int:
    """Return which prefix to answer so that messages out of scope are rejected.

    Args:
        right: Whether each row, most confident first, is correct.
        outside: Whether it is out of scope.
        ends: The last row of each prefix.
        share: The share of the correct answers that the prefix must have.

    Returns:
        The index of the prefix. With out-of-scope rows, it maximizes the sum of two rates: correct answers among rows
        in scope and rejections among the others. Without them, it is the shortest, because every message out of scope
        that training never saw is likely to be among the least confident.
    """
    answered = np.cumsum(right)[ends]
    allowed = np.flatnonzero(answered >= share * right.sum())
    if not outside.any():
        return int(allowed[0])
    rejected = outside.sum() - np.cumsum(outside)[ends]
    score = (answered / max((~outside).sum(), 1) + rejected / outside.sum())[allowed]
    return int(allowed[np.flatnonzero(score == score.max())[-1]])


def _between(confidence: np.ndarray, kept: int) -> float:
    """Return the threshold that keeps the `kept` most confident rows: halfway to the next row, or 0 to keep all."""
    if kept == len(confidence):
        return 0.0
    return max(0.0, round(float((confidence[kept - 1] + confidence[kept]) / 2), DIGITS))
