"""Labels of a whole text: which one to answer, and how the compact answer shows it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.outputs import BinaryOutput, CategoryOutput, Columns, NumberOutput, SetOutput
from handler.unsure import LANGUAGE

if TYPE_CHECKING:
    from handler.answer_types import Intent, RankedIntent, Trait, Withheld

INTENT: Final = "intent"
RANKED = 10
"""The number of intents in a ranking."""
UNKNOWN_LABEL = "<UNK>"
"""Ludwig's label for values outside its vocabulary. Clients never see it."""


class Label(NamedTuple):
    """A label of a whole text.

    Attributes:
        value: The label to answer; None if the model is unsure.
        confidence: The probability of `best`, in [0, 1].
        best: The most probable label; None if there is none.
        ranking: All labels with their probabilities, most probable first.
        probabilities: What the threshold is compared with; empty if there is no label.
    """

    value: str | None
    confidence: float
    best: str | None
    ranking: list[tuple[str, float]]
    probabilities: Sequence[float] = ()


def label_of(output: CategoryOutput, columns: Columns, text: str, allowed: frozenset[str] | None) -> Label:
    """Choose the label of a text: the most probable one, or the most probable of the allowed ones.

    Args:
        output: The output that predicted the text.
        columns: Ludwig's columns of its answer.
        text: The text.
        allowed: The only labels to choose from; None for all.

    Returns:
        The label. A blank text has none.
    """
    probabilities = columns[f"{output.name}_probabilities"]
    labeled = zip(output.labels, probabilities, strict=True)
    ranking = [
        (label, probability)
        for label, probability in sorted(labeled, key=lambda each: -each[1])
        if label != UNKNOWN_LABEL and (allowed is None or label in allowed)
    ]
    is_unknown = allowed is None and columns[f"{output.name}_predictions"] == UNKNOWN_LABEL
    if not text.strip() or not ranking or is_unknown:  # a blank message has no intent, however confident the model is
        return Label(None, 0.0, None, ranking)
    best, confidence = ranking[0]
    if allowed is None:  # keep Ludwig's own choice, which also breaks ties
        best = columns[f"{output.name}_predictions"]
    else:
        # Thresholds look at the largest probability, so limit those of the other labels to the chosen label's.
        probabilities = [min(each, confidence) for each in probabilities]
    asked = {f"{output.name}_predictions": best, f"{output.name}_probabilities": probabilities}
    return Label(None if output.is_unsure(asked, text) else best, confidence, best, ranking, probabilities)


def shown_intent(label: Label | None) -> "Intent":
    """Return the intent of the compact answer.

    Args:
        label: The label of the output `intent`; None if no model has it.

    Returns:
        The intent, with a ranking of the most probable ones.
    """
    if label is None:
        return {"name": None, "confidence": 0.0, "ranking": []}
    ranking: list[RankedIntent] = [
        {"name": name, "confidence": confidence} for name, confidence in label.ranking[:RANKED]
    ]
    return {"name": label.value, "confidence": 0.0 if label.value is None else label.confidence, "ranking": ranking}


def shown_traits(labels: Mapping[str, Label]) -> "dict[str, Trait]":
    """Return the other labels of the compact answer, without those that are too unsure.

    Args:
        labels: The labels of a text, by role.

    Returns:
        A trait for each role that is neither the intent nor the language.
    """
    return {
        name: {"value": label.value, "confidence": label.confidence}
        for name, label in labels.items()
        if name not in (LANGUAGE, INTENT) and label.value is not None
    }


def withheld_labels(labels: Mapping[str, Label]) -> "dict[str, Withheld]":
    """Return the best labels that are below their threshold, by output."""
    withheld: dict[str, Withheld] = {}
    for name, label in labels.items():
        if label.value is None and label.best is not None:
            best, confidence = label.best, label.confidence
            withheld[name] = (
                {"name": best, "confidence": confidence}
                if name == INTENT
                else {"value": best, "confidence": confidence}
            )
    return withheld


def trait_of(output: Any, columns: Columns) -> "Trait | None":
    """Return the trait of an output that is neither a category nor slots; None if its type is not a trait."""
    value = columns.get(f"{output.name}_predictions")
    match output:
        case BinaryOutput():
            label = str(value) if output.labels else ("true" if value else "false")
            return {"value": label, "confidence": columns[f"{output.name}_probability"]}
        case NumberOutput() | SetOutput():
            return {"value": value, "confidence": None}
    return None
