"""Explain a compact answer: the labels of each category with their thresholds, and why the answer counts or not."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypedDict

from handler.hexabot import TEXT, Fields, Outcome
from handler.outputs import CategoryOutput
from handler.text_labels import INTENT, RANKED, UNKNOWN_LABEL, Label, label_of
from handler.thresholds import softened
from handler.understanding import names_of, role_of

Reason = Literal[
    "above threshold", "below threshold", "no threshold", "evidence", "no evidence", "rejected", "unknown", "blank"
]


class ExplainedLabel(TypedDict):
    """A label, its probability and its threshold.

    Attributes:
        name: The label.
        confidence: Its probability, in [0, 1].
        threshold: The confidence that it needs, in [0, 1]; null if every answer counts.
    """

    name: str
    confidence: float
    threshold: float | None


class Explanation(TypedDict):
    """How a category of a model came to its answer.

    Attributes:
        model: The model's name.
        output: The output's name.
        key: The key of the compact answer that it is for, such as `intent`.
        sure: Whether the answer counts.
        reason: Why it counts or not. Above or below the threshold; there is no threshold; for a language, the text is
            evidence of it, or none; the label is one for messages out of scope; no label is known; the text is blank.
        compared: The confidence that is compared with the threshold: that of the first label, softened as the bundle
            says. In [0, 1].
        labels: The ten most probable labels, most probable first.
    """

    model: str
    output: str
    key: str
    sure: bool
    reason: Reason
    compared: float
    labels: list[ExplainedLabel]


def explain(outcome: Outcome) -> Iterator[Explanation]:
    """Explain the categories of all models that answered.

    Args:
        outcome: The outcome of `Understander.understand`.

    Yields:
        One explanation for each category output, in the order of the models.
    """
    (fields,) = outcome.rows
    for reading in outcome.readings:
        predictor, (answer,) = reading.predictor, reading.answers
        for output in predictor.manifest.outputs:
            if isinstance(output, CategoryOutput):
                key = role_of(predictor, output)
                allowed = names_of(fields.get("intents")) if key == INTENT else None
                label = label_of(output, answer.outputs[output.name], str(fields[TEXT]), allowed)
                yield {
                    "model": predictor.manifest.name,
                    "output": output.name,
                    "key": key,
                    "sure": label.value is not None,
                    "reason": _reason(output, label, fields),
                    "compared": _compared(output, label),
                    "labels": list(_labels(output, label.ranking)),
                }


def _labels(output: CategoryOutput, ranking: Sequence[tuple[str, float]]) -> Iterator[ExplainedLabel]:
    found = output.thresholds
    for name, confidence in ranking[:RANKED]:
        limit = None if found is None else found.by_label.get(name, found.default)
        yield {"name": name, "confidence": confidence, "threshold": limit}


def _compared(output: CategoryOutput, label: Label) -> float:
    if output.thresholds is None or not label.probabilities:
        return label.confidence
    return softened(label.probabilities, output.thresholds.softness)


def _reason(output: CategoryOutput, label: Label, fields: Fields) -> Reason:
    """Return why an answer counts or not, in the order of the checks of `label_of` and `CategoryOutput.is_unsure`."""
    text = str(fields[TEXT])
    if not text.strip():
        return "blank"
    if label.best is None or label.best == UNKNOWN_LABEL:
        return "unknown"
    judged = None if output.evidence is None else output.evidence.judge(text, label.best)
    if judged is not None:
        return "evidence" if judged else "no evidence"
    if output.thresholds is None:
        return "no threshold"
    if label.best in output.thresholds.rejected:
        return "rejected"
    return "below threshold" if label.value is None else "above threshold"
