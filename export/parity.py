"""Prove parity: compare the bundle, loaded from disk by the handler's predictor, with `LudwigModel.predict`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from export.console import progress
from export.edge_cases import values_to_try
from export.errors import ModelError, ParityError
from export.model import SourceModel
from export.rows import readable_rows
from handler.bundle import Manifest
from handler.certificate import Parity, WorstCase
from handler.errors import ServingError
from handler.inputs import BagInput, CategoryInput, InputFeature, SetInput
from handler.predictor import Predictor
from handler.text import TextInput

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4
AGREEMENT_TOLERANCE = 1.0
"""Tolerance of a quantized graph, whose probabilities may differ by any amount."""
ROUNDING = 2**-21
"""The largest relative difference between two float32 numbers whose last bits differ by rounding errors."""
BATCH_ROWS = 64
WORST_KEPT = 5
READ_AS_TEXT = (TextInput, CategoryInput, SetInput, BagInput)


@dataclass(frozen=True)
class Row:
    """One row of the proof.

    Attributes:
        name: The row's name in the certificate.
        values: The values, by column.
        odd: Whether the row is a generated edge case and not the user's own.
    """

    name: str
    values: Mapping[str, Any]
    odd: bool


@dataclass(frozen=True)
class Comparison:
    """The comparison of one row.

    Attributes:
        row: The row.
        labels: Ludwig's non-numeric columns.
        ids_equal: Whether all preprocessed arrays are equal; see `same_input`.
        labels_equal: Whether all non-numeric columns are equal.
        max_abs_diff: The largest numeric difference, relative for numbers above one.
        differences: Descriptions of the differences, for the terminal.
    """

    row: Row
    labels: dict[str, Any]
    ids_equal: bool
    labels_equal: bool
    max_abs_diff: float
    differences: list[str]

    @property
    def badness(self) -> tuple[bool, bool, float]:
        """Sort key: wrong labels first, then wrong ids, then the largest difference."""
        return (not self.labels_equal, not self.ids_equal, self.max_abs_diff)


def rows_to_try(model: SourceModel, manifest: Manifest, dataset: "pd.DataFrame | None") -> list[Row]:
    """Return the rows of a proof: edge cases, then the user's own rows.

    Args:
        model: The model.
        manifest: The manifest of its bundle.
        dataset: The user's own rows, or None.

    Returns:
        The rows.

    Raises:
        ModelError: The dataset lacks a column that the model reads.
    """
    tried: dict[str, dict[str, Any]] = {}
    for feature in manifest.inputs:  # several may read one column
        known = model.metadata[feature.name].get("idx2str", ())
        tried[feature.column] = values_to_try(feature, known) | tried.get(feature.column, {})
    rows = []
    for number in range(max(map(len, tried.values()))):
        names, values = zip(*(list(options.items())[number % len(options)] for options in tried.values()), strict=True)
        rows.append(Row(" / ".join(names), dict(zip(tried, values, strict=True)), odd=True))
    if dataset is not None:
        dataset = readable_rows(dataset, [_described(feature) for feature in manifest.inputs])
        if lacking := [column for column in tried if column not in dataset]:
            raise ModelError(
                f"The dataset has the columns {list(dataset.columns)}, but the model also reads {lacking}: add them."
            )
        for number, record in enumerate(dataset[list(tried)].to_dict("records")):
            given = {str(column): None if value != value else value for column, value in record.items()}
            rows.append(Row(f"row {number}", given, odd=False))
    return rows


def _described(feature: InputFeature) -> dict[str, str]:
    """Return an input as a feature for `readable_rows`: one that reads text, or one that keeps the values' types."""
    return {"name": feature.column, "type": "sequence" if isinstance(feature, READ_AS_TEXT) else "number"}


class Proof(NamedTuple):
    """The certificate of a bundle, and all comparisons behind it, worst first."""

    parity: Parity
    comparisons: list[Comparison]


def prove(model: SourceModel, folder: Path, rows: Sequence[Row]) -> Proof:
    """Compare a bundle with its model.

    Args:
        model: The model, which Ludwig runs on the CPU.
        folder: The bundle's folder, which the handler's predictor loads from disk.
        rows: The rows. Edge cases run one by one, as messages arrive; the user's rows run in batches.

    Returns:
        The proof that the answers are exact.

    Raises:
        ParityError: The bundle fails on a row that Ludwig answers.
    """
    import pandas as pd

    predictor = Predictor(folder)
    columns = [feature.column for feature in predictor.manifest.inputs]
    frame = pd.DataFrame({column: pd.Series([row.values[column] for row in rows], dtype=object) for column in columns})
    return compare(predictor, rows, model.encode(frame), model.predict(frame))


def compare(
    predictor: Predictor,
    rows: Sequence[Row],
    expected_ids: Mapping[str, Sequence[Any]],
    expected: Sequence[Mapping[str, Any]],
    reference: str = "Ludwig",
) -> Proof:
    """Compare a bundle's answers with those of the model that it was built from.

    Args:
        predictor: The loaded bundle.
        rows: The rows.
        expected_ids: The preprocessed array of each row, by input.
        expected: The expected columns of each row.
        reference: The name of the program that gave the expected answers, for messages.

    Returns:
        The proof that the answers are exact.

    Raises:
        ParityError: The bundle fails on a row.
    """
    found: list[dict[str, Any]] = []
    while len(found) < len(rows):
        size = 1 if rows[len(found)].odd else BATCH_ROWS
        found += _answers(predictor, rows[len(found) : len(found) + size])
        progress(f"{predictor.manifest.name}: compared with {reference}, rows", len(found), len(rows))
    found_ids = {name: np.asarray(ids) for name, ids in predictor.encode([row.values for row in rows]).items()}
    comparisons = []
    for index, row in enumerate(rows):
        ids_equal = all(same_input(ids[index], expected_ids[name][index]) for name, ids in found_ids.items())
        comparisons.append(_compare(row, ids_equal, expected[index], found[index], reference))
    comparisons.sort(key=lambda comparison: comparison.badness, reverse=True)
    return Proof(_certificate(comparisons), comparisons)


def same_input(found: np.ndarray, expected: Any) -> bool:
    """Return whether an encoded input is Ludwig's.

    Args:
        found: The handler's array for one row.
        expected: Ludwig's array for the same row.

    Returns:
        Whether shapes and values are equal. Numbers in float32 may differ in their last bits, because numpy's logarithm
        itself gives different bits on different processors.
    """
    expected = np.asarray(expected)
    if found.dtype.kind != "f":
        return np.array_equal(found, expected)
    return found.shape == expected.shape and np.allclose(found, expected, rtol=ROUNDING, atol=0)


def agreed(found: Proof, exact: Proof) -> Proof:
    """Return the proof of a quantized graph, which promises agreement and not exactness.

    The quantized graph is measured against the exact graph only, so it fails if the exact graph fails.

    Args:
        found: The comparison of the quantized graph with Ludwig.
        exact: The comparison of the exact graph with Ludwig.

    Returns:
        The proof, with the promise `agreement`.
    """
    parity = msgspec.structs.replace(found.parity, promise="agreement", tolerance=AGREEMENT_TOLERANCE)
    return Proof(msgspec.structs.replace(parity, passed=exact.parity.passed and parity.is_earned), found.comparisons)


def _answers(predictor: Predictor, rows: Sequence[Row]) -> list[dict[str, Any]]:
    try:
        return predictor.predict([row.values for row in rows])
    except ServingError:
        raise
    except Exception as error:  # onnxruntime and torch raise their own types
        raise ParityError(
            f"{predictor.manifest.name} fails where its model answers ({rows[0].name}): {type(error).__name__}: "
            f"{str(error)[:300]}. No bundle was written: train with another encoder (docs/support.md lists them)."
        ) from None


def _compare(
    row: Row, ids_equal: bool, expected: Mapping[str, Any], found: Mapping[str, Any], reference: str
) -> Comparison:
    """Compare the columns of one row: labels must be equal, and numbers must be close."""
    differences = [] if ids_equal else ["token ids differ"]
    labels_equal, largest = True, 0.0
    for column in sorted({*expected, *found}):
        if column not in expected or column not in found:
            labels_equal = False
            differences.append(f"column {column} is only in {reference if column in expected else 'the bundle'}")
        elif _is_numeric(expected[column]):
            difference = _distance(expected[column], found[column])
            largest = max(largest, difference)
            if difference > TOLERANCE:
                differences.append(f"{column} differs by {difference:.2g}")
        elif expected[column] != found[column]:
            labels_equal = False
            differences.append(f"{column}: {reference} {expected[column]!r}, the bundle {found[column]!r}")
    labels = {column: value for column, value in expected.items() if not _is_numeric(value)}
    return Comparison(row, labels, ids_equal, labels_equal, largest, differences)


def _is_numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fiu"


def _distance(expected: Any, found: Any) -> float:
    """Return the largest difference, relative for numbers above one, because sums of logarithms grow with length."""
    one, other = np.asarray(expected, dtype=np.float64), np.asarray(found, dtype=np.float64)
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(one)), initial=0.0))


def _finite(difference: float) -> float | None:
    """Return a difference for the manifest, or None if it is infinite, which JSON cannot represent."""
    return difference if math.isfinite(difference) else None


def _certificate(comparisons: Sequence[Comparison]) -> Parity:
    rows = len(comparisons)
    ids_equal = sum(comparison.ids_equal for comparison in comparisons)
    labels_equal = sum(comparison.labels_equal for comparison in comparisons)
    largest = max(comparison.max_abs_diff for comparison in comparisons)
    return Parity(
        passed=ids_equal == labels_equal == rows and largest <= TOLERANCE,
        rows=rows,
        odd_rows=sum(comparison.row.odd for comparison in comparisons),
        ids_equal=ids_equal,
        labels_equal=labels_equal,
        max_abs_diff=_finite(largest),
        tolerance=TOLERANCE,
        worst=[
            WorstCase(
                row=comparison.row.name,
                max_abs_diff=_finite(comparison.max_abs_diff),
                labels_equal=comparison.labels_equal,
                ids_equal=comparison.ids_equal,
            )
            for comparison in comparisons[:WORST_KEPT]
        ],
    )
