"""Output features: convert the graph's output tensors to Ludwig's columns.

Each class describes an output in the manifest and implements its decoding. To add an output type, add a class here,
register it in `OutputFeature`, and describe it in `export/outputs.py`.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from handler.described import Described
from handler.evidence import Evidence
from handler.numbers import AnyNormalization, float32
from handler.probabilities import log_probability
from handler.tensor import Tensor
from handler.thresholds import Expected, Thresholds

Columns = dict[str, Any]
"""One row of Ludwig's answer: `<feature>_predictions`, `<feature>_probabilities` and so on."""


class CategoryOutput(Described, frozen=True, kw_only=True, omit_defaults=True, dict=True, tag="category"):
    """One label for each row.

    Source: `CategoryOutputFeature.postprocess_predictions`. The graph applies softmax or calibration.

    Attributes:
        name: The feature's name in Ludwig.
        labels: The labels in index order: probability i belongs to label i.
        thresholds: The confidence that an answer needs; None accepts every answer.
        evidence: For a language, what the text must contain; None leaves the decision to the thresholds.
        expected: What the model answered to rows that it was not trained on, or None.
    """

    name: str
    labels: list[str]
    thresholds: Thresholds | None = None
    evidence: Evidence | None = None
    expected: Expected | None = None

    @property
    def tensors(self) -> list[str]:
        """The names of the graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    @cached_property
    def column_names(self) -> list[str]:
        """The names of the columns: the label, all probabilities, the largest of them, and that of each label."""
        names = [f"{self.name}_{kind}" for kind in ("predictions", "probabilities", "probability")]
        return [*names, *(f"{self.name}_probabilities_{label}" for label in self.labels)]

    def is_unsure(self, columns: Columns, text: str | None = None) -> bool:
        """Return whether an answer is too uncertain to use.

        Args:
            columns: Ludwig's columns of one row.
            text: The text that the model read. If None, only the thresholds decide.

        Returns:
            True if the text is not evidence of the label or, where the evidence does not decide, the confidence is
            below the label's threshold.
        """
        label = columns[f"{self.name}_predictions"]
        judged = None if self.evidence is None or text is None else self.evidence.judge(text, label)
        if judged is not None:
            return not judged
        if self.thresholds is None:
            return False
        return self.thresholds.refuses(label, columns[f"{self.name}_probabilities"])

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Convert the graph's output tensors to Ludwig's columns.

        Args:
            tensors: By name: `predictions`, int64, (batch,), and `probabilities`, float32, (batch, labels).

        Yields:
            The columns of each row.
        """
        labels, names = self.labels, self.column_names
        predictions, probabilities = self.tensors
        if tensors[probabilities].shape[1:] != (len(labels),):
            raise ValueError(f"expected the probabilities of {len(labels)} labels, found {tensors[probabilities]}")
        for index, row in zip(tensors[predictions].tolist(), tensors[probabilities].tolist(), strict=True):
            yield dict(zip(names, (labels[index], row, max(row), *row)))  # noqa: B905 - checked above, for all rows


Decoding = Literal["argmax", "viterbi"]
TagUnit = Literal["word", "token"]


class SequenceOutput(Described, frozen=True, kw_only=True, dict=True, tag="sequence"):
    """One label for each position of a sequence, as a tagger predicts.

    Source: `SequenceOutputFeature.postprocess_predictions`. The graph takes the argmax over the labels.

    Attributes:
        name: The feature's name in Ludwig.
        labels: The labels in index order, special symbols included.
        special_labels: Symbols that are not tags: start, stop, padding and unknown.
        aligned_with: The text input whose token positions the tags belong to, or None.
        responds: Also answer the labels as one text, as Ludwig does for outputs of type text.
        decoding: How to choose the tags that Hexabot gets: "argmax" keeps Ludwig's, "viterbi" takes the best sequence
            in which every slot is complete. Ludwig's columns are the same in both cases.
        tag_unit: What a tag of the training data belongs to. With "word", entities begin only at words; with "token",
            also inside a word if a token there can begin a value, such as `hôtel` in `l'hôtel`.
    """

    name: str
    labels: list[str]
    special_labels: list[str]
    aligned_with: str | None = None
    responds: bool = False
    decoding: Decoding = "argmax"
    tag_unit: TagUnit = "word"

    @property
    def tensors(self) -> list[str]:
        """The names of the graph's outputs that this feature reads."""
        kinds = ["predictions", "probabilities", *(["logits"] if self.decoding == "viterbi" else [])]
        return [f"{self.name}::{kind}" for kind in kinds]

    @cached_property
    def column_names(self) -> list[str]:
        """The names of the columns: the labels, their probabilities, and the probability of the sequence."""
        return [f"{self.name}_{kind}" for kind in ("predictions", "probabilities", "probability")]

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Convert the graph's output tensors to Ludwig's columns.

        Args:
            tensors: By name: `predictions`, int64, and their `probabilities`, float32, both (batch, length).

        Yields:
            The columns of each row. As in Ludwig, `<feature>_probability` is the sum of the log probabilities over the
            padded length, so it is not in [0, 1].
        """
        predictions, probabilities = [tensors[name].tolist() for name in self.tensors[:2]]
        logarithms = float32([log_probability(row) for row in probabilities])
        names, known = self.column_names, self.labels
        for indices, row, logarithm in zip(predictions, probabilities, logarithms, strict=True):
            labels = [known[index] for index in indices]
            columns: Columns = {names[0]: labels, names[1]: row}
            if self.responds:
                columns[f"{self.name}_response"] = " ".join(labels)
            columns[names[2]] = logarithm
            yield columns


class BinaryOutput(Described, frozen=True, kw_only=True, tag="binary"):
    """True or false for each row.

    Source: `BinaryOutputFeature.postprocess_predictions`. The graph applies the threshold and the calibration.

    Attributes:
        name: The feature's name in Ludwig.
        labels: The words for false and true, if the training data had words; None for Booleans.
    """

    name: str
    labels: tuple[str, str] | None = None

    @property
    def tensors(self) -> list[str]:
        """The names of the graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Convert the graph's output tensors to Ludwig's columns.

        Args:
            tensors: By name: `predictions`, bool, and the `probabilities` of true, float32, both (batch,).

        Yields:
            The columns of each row.
        """
        predictions, probabilities = (tensors[name].tolist() for name in self.tensors)
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
    """One number for each row.

    Source: `NumberOutputFeature.postprocess_predictions`. The graph clips the value.

    Attributes:
        name: The feature's name in Ludwig.
        normalization: How training scaled the numbers.
    """

    name: str
    normalization: AnyNormalization

    @property
    def tensors(self) -> list[str]:
        """The name of the graph's output that this feature reads."""
        return [f"{self.name}::predictions"]

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Undo the normalization of the graph's predictions.

        Args:
            tensors: By name: `predictions`, float32, (batch,), normalized.

        Yields:
            The column of each row, on the original scale.
        """
        for prediction in self.normalization.invert(tensors[self.tensors[0]].tolist()):
            yield {f"{self.name}_predictions": prediction}


class SetOutput(Described, frozen=True, kw_only=True, tag="set"):
    """Every label whose probability reaches a threshold.

    Source: `SetOutputFeature.postprocess_predictions`.

    Attributes:
        name: The feature's name in Ludwig.
        labels: The labels in index order.
        threshold: The smallest probability of a chosen label.
    """

    name: str
    labels: list[str]
    threshold: float

    @property
    def tensors(self) -> list[str]:
        """The names of the graph's outputs that this feature reads."""
        return [f"{self.name}::predictions", f"{self.name}::probabilities"]

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Convert the graph's output tensors to Ludwig's columns.

        Args:
            tensors: By name: `predictions`, zeros and ones, and `probabilities`, float32, both (batch, labels).

        Yields:
            The columns of each row: the chosen labels, and only their probabilities.
        """
        predictions, probabilities = (tensors[name].tolist() for name in self.tensors)
        (threshold,) = float32([self.threshold])
        for chosen, row in zip(predictions, probabilities, strict=True):
            yield {
                f"{self.name}_predictions": [
                    label for label, is_chosen in zip(self.labels, chosen, strict=True) if is_chosen
                ],
                f"{self.name}_probabilities": [probability for probability in row if probability >= threshold],
            }


class VectorOutput(Described, frozen=True, kw_only=True, tag="vector"):
    """A vector of numbers for each row. Source: `VectorOutputFeature.postprocess_predictions`."""

    name: str

    @property
    def tensors(self) -> list[str]:
        """The name of the graph's output that this feature reads."""
        return [f"{self.name}::predictions"]

    def rows(self, tensors: Mapping[str, Tensor]) -> Iterator[Columns]:
        """Convert the graph's `predictions`, float32, (batch, size), to Ludwig's column."""
        for row in tensors[self.tensors[0]].tolist():
            yield {f"{self.name}_predictions": row}


OutputFeature = CategoryOutput | SequenceOutput | BinaryOutput | NumberOutput | SetOutput | VectorOutput


def merged(outputs: Mapping[str, Columns]) -> Columns:
    """Merge the columns of several output features into one row, as Ludwig does.

    Args:
        outputs: The columns of one row, by output feature.

    Returns:
        All columns of the row.
    """
    columns: Columns = {}
    for found in outputs.values():
        columns |= found
    return columns
