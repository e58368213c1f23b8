"""Manifest types for the proof of parity, the quantization measurements and the golden rows."""

from typing import Any, Literal

from handler.described import Described

GOLDEN_ROWS = 8
"""Of the rows that a bundle is proven on, how many it keeps unless its maker says otherwise."""


class WorstCase(Described, frozen=True):
    """A row in which the bundle came closest to failing. It is named, not quoted: rows are people's words.

    max_abs_diff: as in `Parity`, of this row.
    """

    row: str
    max_abs_diff: float | None
    labels_equal: bool
    ids_equal: bool


class Parity(Described, frozen=True, kw_only=True):
    """The certificate: how the bundle's answers compared with `LudwigModel.predict`, row by row.

    passed: whether the bundle keeps its promise. A bundle that failed stays failed, even after later changes.
    max_abs_diff: the largest difference of a number, such as a probability. None where numbers cannot be compared
        (NaN, infinity, other shapes), which only a bundle that failed has.
    tolerance: the largest difference allowed.
    promise: "exact" answers; or, of a quantized graph, "agreement" of labels as `Manifest.quantization` says.
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
        """Return whether the counts allow `passed`: a quantized graph needs exact ids, an exact one everything."""
        if self.max_abs_diff is None or not self.rows or self.ids_equal != self.rows:
            return False
        return self.promise == "agreement" or (self.labels_equal == self.rows and self.max_abs_diff <= self.tolerance)


class Candidate(Described, frozen=True, kw_only=True):
    """A graph that was tried, measured beside the exact one on the user's rows.

    agreement: share of the labels that are the exact graph's; of sequences, a label is a token's. accuracy: share of
    the labels that are right, where the rows tell. milliseconds: the median for one row. of_exact: this, divided by the
    exact graph's in the same run. reason: why it was not kept.
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
    """What was tried to make the graph smaller and faster. agreement, accuracy_loss (in points): what was asked for."""

    rows: int
    agreement: float
    accuracy_loss: float
    candidates: list[Candidate]


class GoldenRow(Described, frozen=True):
    """A row of the certificate that is asked again before a deployment takes traffic.

    row: its name. own: whether it is one of the user's own rows, and so holds people's words.
    values: by column. labels: what Ludwig answered, by column, without probabilities.
    """

    row: str
    own: bool
    values: dict[str, Any]
    labels: dict[str, Any]
