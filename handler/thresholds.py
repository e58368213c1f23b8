"""Confidence thresholds: which answers of a category are too uncertain to use, and which confidences are usual."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from handler.described import Described

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Thresholds(Described, frozen=True, kw_only=True):
    """Confidence thresholds, in [0, 1]. An answer below its threshold counts as unknown.

    Attributes:
        default: The threshold of every label that `by_label` does not name.
        by_label: Thresholds of single labels.
        softness: The softmax temperature at which the confidence is compared; 1 compares the probability itself.
        rejected: The labels for messages out of scope. An answer with one of them always counts as unknown.
    """

    default: Probability
    by_label: dict[str, Probability] = msgspec.field(default_factory=dict)
    softness: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    rejected: list[str] = msgspec.field(default_factory=list)

    def refuses(self, label: str, probabilities: Sequence[float]) -> bool:
        """Return whether an answer is below its threshold.

        Args:
            label: The predicted label.
            probabilities: The probabilities of all labels, which sum to 1.

        Returns:
            True if the answer counts as unknown.
        """
        limit = self.by_label.get(label, self.default)
        return label in self.rejected or softened(probabilities, self.softness) < limit


Count = Annotated[int, msgspec.Meta(ge=0)]


class Expected(Described, frozen=True, kw_only=True):
    """What a category answered to rows that it was not trained on. Drift is measured against it; see `handler.drift`.

    Attributes:
        labels: How often each label was predicted. A label that is absent was never predicted.
        edges: The inner edges of the bins of the confidence, ascending. A bin contains its lower edge.
        confidence: The number of rows in each bin, one more than there are edges.
    """

    labels: dict[str, Count]
    edges: list[Probability]
    confidence: list[Count]

    def __post_init__(self) -> None:
        if len(self.confidence) != len(self.edges) + 1 or sorted(set(self.edges)) != self.edges:
            raise ValueError(f"{len(self.edges)} edges, which must ascend, do not fit {len(self.confidence)} bins")


def softened(probabilities: Sequence[float], softness: float) -> float:
    """Return the largest probability after temperature scaling, that is, with all logits divided by `softness`.

    The plain softmax is close to 1 even for many messages out of scope. At a higher temperature, the confidence depends
    on the best label's distance to all other labels, and not only on its distance to the second.

    Args:
        probabilities: The softmax of the logits.
        softness: The temperature, greater than 0. Above 1, the confidence is lower.

    Returns:
        The confidence, in (0, 1].
    """
    largest = max(probabilities)
    # softmax(logits / s) is proportional to softmax(logits) ** (1 / s), so the logits themselves are not needed.
    return largest if softness == 1 else 1 / sum((each / largest) ** (1 / softness) for each in probabilities)
