"""Manifest types for the proof of parity, the quantization measurements and the golden rows."""

from typing import Any, Literal

from handler.described import Described

GOLDEN_ROWS = 8
"""How many of the rows of the proof a bundle keeps by default."""


class WorstCase(Described, frozen=True):
    """One of the rows that came closest to failing the proof.

    Attributes:
        row: The row's name. The row itself is not quoted, because it may contain what users wrote.
        max_abs_diff: The largest difference in this row; see `Parity`.
        labels_equal: Whether all labels are Ludwig's.
        ids_equal: Whether all encoded inputs are Ludwig's: ids exactly, and numbers up to rounding errors of float32.
    """

    row: str
    max_abs_diff: float | None
    labels_equal: bool
    ids_equal: bool


class Parity(Described, frozen=True, kw_only=True):
    """The certificate: how the bundle's answers compare with those of `LudwigModel.predict`, row by row.

    Attributes:
        passed: Whether the bundle keeps its promise. A failed proof stays failed, even after later changes.
        rows: How many rows were compared.
        odd_rows: How many of them are built-in edge cases instead of the user's rows.
        ids_equal: In how many rows the encoded inputs are Ludwig's.
        labels_equal: In how many rows all labels are Ludwig's.
        max_abs_diff: The largest absolute difference between two numbers, such as probabilities. None if numbers
            cannot be compared (NaN, infinity, different shapes), which only a failed proof has.
        tolerance: The largest allowed difference.
        worst: The rows that came closest to failing.
        promise: "exact" for answers equal to Ludwig's; "agreement" for a quantized graph, whose labels agree as often
            as `Manifest.quantization` says.
    """

    passed: bool
    rows: int
    odd_rows: int
    ids_equal: int
    labels_equal: int
    max_abs_diff: float | None
    tolerance: float
    worst: list[WorstCase]
    promise: Literal["exact", "agreement"] = "exact"

    @property
    def is_earned(self) -> bool:
        """Return whether the counts allow `passed`.

        Both promises need the inputs of every row to be exact. "exact" also needs every label and every number.
        """
        if self.max_abs_diff is None or not self.rows or self.ids_equal != self.rows:
            return False
        return self.promise == "agreement" or (self.labels_equal == self.rows and self.max_abs_diff <= self.tolerance)


class GraphCandidate(Described, frozen=True, kw_only=True):
    """A quantized graph, measured against the exact one on the user's rows.

    Attributes:
        name: The graph's file name.
        agreement: The share of labels that equal the exact graph's, in [0, 1]. In a sequence, each token has a label.
        accuracy: The share of correct labels, in [0, 1]; None if the rows have no labels.
        max_abs_diff: The largest absolute difference between two probabilities.
        milliseconds: The median time for one row.
        of_exact: This time divided by the exact graph's time in the same run.
        bytes: The size of the graph's file.
        kept: Whether the bundle uses this graph.
        reason: Why the graph was not kept; "" if it was.
    """

    name: str
    agreement: float = 0.0
    accuracy: float | None = None
    max_abs_diff: float = 0.0
    milliseconds: float = 0.0
    of_exact: float = 1.0
    bytes: int = 0
    kept: bool = False
    reason: str = ""


class Quantization(Described, frozen=True, kw_only=True):
    """The attempts to make the graph smaller and faster.

    Attributes:
        rows: How many rows the candidates were measured on.
        agreement: The required share of equal labels, in [0, 1].
        accuracy_loss: The largest allowed loss of accuracy, in percentage points.
        candidates: The exact graph and every quantized one.
    """

    rows: int
    agreement: float
    accuracy_loss: float
    candidates: list[GraphCandidate]


class GoldenRow(Described, frozen=True):
    """A row of the proof that is checked again before a deployment takes traffic.

    Attributes:
        row: The row's name.
        own: Whether this is one of the user's rows, which may contain what users wrote.
        values: The raw values, by column.
        labels: Ludwig's answer, by column, without probabilities.
    """

    row: str
    own: bool
    values: dict[str, Any]
    labels: dict[str, Any]
