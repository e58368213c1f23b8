"""Output features: convert the graph's output arrays to Ludwig's columns.

Each class is the manifest's description of an output and its behavior. To add an output type, add a class here,
register it in `OutputFeature`, and describe it in `export/outputs.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from handler.described import Described
from handler.evidence import Evidence
from handler.numbers import AnyNormalization

Columns = dict[str, Any]
"""One row of Ludwig's answer: `<feature>_predictions`, `<feature>_probabilities` and so on."""

SMALLEST_PROBABILITY = 1e-10
"""Below it Ludwig takes no logarithm. Source: `compute_sequence_probability` in `ludwig.features.feature_utils`."""


Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Thresholds(Described, frozen=True, kw_only=True):
    """Confidences below which an answer counts as unknown. by_label: for some labels, in place of the default."""

    default: Probability
    by_label: dict[str, Probability] = msgspec.field(default_factory=dict)


class CategoryOutput(Described, frozen=True, kw_only=True, omit_defaults=True, tag="category"):
    """One label a row.

    labels: in index order, so that probability i is that of label i. thresholds: None takes every answer for good.
    evidence: of a language, what a text must show; None where only the thresholds count.
    Source: `CategoryOutputFeature.postprocess_predictions`; softmax or calibration are taken in the graph.
    """

    name: str
    labels: list[str]
    thresholds: Thresholds | None = None
    evidence: Evidence | None = None

    @property
    def tensors(self) -> list[str]:
        """The graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    def is_unsure(self, columns: Columns, text: str | None = None) -> bool:
        """Return whether an answer is less sure than it must be.

        Args:
            columns: Ludwig's columns of the answer.
            text: What the model was asked, where it reads text. Without it, only the thresholds count.
        """
        label = columns[f"{self.name}_predictions"]
        judged = None if self.evidence is None or text is None else self.evidence.judge(text, label)
        if judged is not None:
            return not judged
        if self.thresholds is None:
            return False
        limit = self.thresholds.by_label.get(label, self.thresholds.default)
        return bool(columns[f"{self.name}_probability"] < limit)

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read predictions, (batch,), and probabilities, (batch, labels), as Ludwig's columns."""
        predictions, probabilities = (arrays[name].tolist() for name in self.tensors)
        for index, row in zip(predictions, probabilities, strict=True):
            columns: Columns = {
                f"{self.name}_predictions": self.labels[index],
                f"{self.name}_probabilities": row,
                f"{self.name}_probability": max(row),
            }
            for label, probability in zip(self.labels, row, strict=True):
                columns[f"{self.name}_probabilities_{label}"] = probability
            yield columns


Decoding = Literal["argmax", "viterbi"]


class SequenceOutput(Described, frozen=True, kw_only=True, tag="sequence"):
    """One label for each position of a sequence, as a tagger gives them.

    labels: in index order, special symbols included.
    special_labels: symbols that are not tags: start, stop, padding and unknown.
    aligned_with: the text input whose token positions the tags belong to, or None.
    responds: answer the labels as one text too, as Ludwig does for outputs of type text.
    decoding: how Hexabot's tags come of the graph's answer: Ludwig's own, or the best that make whole slots. The
    columns are Ludwig's in both cases.
    Source: `SequenceOutputFeature.postprocess_predictions`; the maximum over labels is taken in the graph.
    """

    name: str
    labels: list[str]
    special_labels: list[str]
    aligned_with: str | None = None
    responds: bool = False
    decoding: Decoding = "argmax"

    @property
    def tensors(self) -> list[str]:
        """The graph's outputs that this feature reads."""
        kinds = ["predictions", "probabilities", *(["logits"] if self.decoding == "viterbi" else [])]
        return [f"{self.name}::{kind}" for kind in kinds]

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read predictions and their probabilities, both (batch, length), as Ludwig's columns.

        `<feature>_probability` is the sum of the logarithms over the padded length, as in Ludwig: not in [0, 1].
        """
        predictions, probabilities = (arrays[name] for name in self.tensors[:2])
        logarithms = np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1.0)).sum(axis=-1).tolist()
        rows = zip(predictions.tolist(), probabilities.tolist(), logarithms, strict=True)
        for indices, row, logarithm in rows:
            labels = [self.labels[index] for index in indices]
            columns: Columns = {f"{self.name}_predictions": labels, f"{self.name}_probabilities": row}
            if self.responds:
                columns[f"{self.name}_response"] = " ".join(labels)
            columns[f"{self.name}_probability"] = logarithm
            yield columns


class BinaryOutput(Described, frozen=True, kw_only=True, tag="binary"):
    """True or false. labels: the words for false and true, where training had words.

    Source: `BinaryOutputFeature.postprocess_predictions`; threshold and calibration are taken in the graph.
    """

    name: str
    labels: tuple[str, str] | None = None

    @property
    def tensors(self) -> list[str]:
        """The graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read predictions and the probabilities of true, both (batch,), as Ludwig's columns."""
        predictions, probabilities = (arrays[name].tolist() for name in self.tensors)
        false, true = self.labels or ("False", "True")
        for prediction, probability in zip(predictions, probabilities, strict=True):
            yield {
                f"{self.name}_predictions": self.labels[prediction] if self.labels else prediction,
                f"{self.name}_probabilities": [1 - probability, probability],
                f"{self.name}_probabilities_{false}": 1 - probability,
                f"{self.name}_probabilities_{true}": probability,
                f"{self.name}_probability": max(1 - probability, probability),
            }


class NumberOutput(Described, frozen=True, kw_only=True, tag="number"):
    """A number. Source: `NumberOutputFeature.postprocess_predictions`; clipping is done in the graph."""

    name: str
    normalization: AnyNormalization

    @property
    def tensors(self) -> list[str]:
        """The graph's output that this feature reads."""
        return [f"{self.name}::predictions"]

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read normalized predictions, (batch,), as Ludwig's column, on their own scale."""
        for prediction in self.normalization.invert(arrays[self.tensors[0]]).tolist():
            yield {f"{self.name}_predictions": prediction}


class SetOutput(Described, frozen=True, kw_only=True, tag="set"):
    """Those labels that are probable enough. Source: `SetOutputFeature.postprocess_predictions`."""

    name: str
    labels: list[str]
    threshold: float

    @property
    def tensors(self) -> list[str]:
        """The graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read predictions, zeros and ones, and probabilities, both (batch, labels), as Ludwig's columns."""
        predictions, probabilities = (arrays[name] for name in self.tensors)
        for chosen, row in zip(predictions, probabilities, strict=True):
            yield {
                f"{self.name}_predictions": [self.labels[index] for index in np.flatnonzero(chosen)],
                f"{self.name}_probabilities": row[row >= self.threshold].tolist(),
            }


class VectorOutput(Described, frozen=True, kw_only=True, tag="vector"):
    """A list of numbers. Source: `VectorOutputFeature.postprocess_predictions`."""

    name: str

    @property
    def tensors(self) -> list[str]:
        """The graph's output that this feature reads."""
        return [f"{self.name}::predictions"]

    def rows(self, arrays: Mapping[str, np.ndarray]) -> Iterator[Columns]:
        """Read predictions, (batch, size), as Ludwig's column."""
        for row in arrays[self.tensors[0]].tolist():
            yield {f"{self.name}_predictions": row}


OutputFeature = CategoryOutput | SequenceOutput | BinaryOutput | NumberOutput | SetOutput | VectorOutput


def merged(outputs: Mapping[str, Columns]) -> Columns:
    """Join the columns of several output features into one row, as Ludwig answers it."""
    return {column: value for columns in outputs.values() for column, value in columns.items()}
