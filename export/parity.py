"""The proof: the bundle, read from disk by the shipped predictor, beside `LudwigModel.predict`, row by row."""

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
from handler.certificate import GoldenRow, Parity, WorstCase
from handler.errors import ServingError
from handler.inputs import BagInput, CategoryInput, InputFeature, SetInput
from handler.predictor import Predictor
from handler.text import TextInput

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4
AGREEMENT_TOLERANCE = 1.0
"""Of a quantized graph, whose probabilities may differ by any amount."""
BATCH_ROWS = 64
WORST_KEPT = 5
GOLDEN_ODD_ROWS = 8
GOLDEN_CHARACTERS = 300
READ_AS_TEXT = (TextInput, CategoryInput, SetInput, BagInput)


@dataclass(frozen=True)
class Row:
    """One row to try: a name for the certificate, and the values by column."""

    name: str
    values: Mapping[str, Any]
    odd: bool


@dataclass(frozen=True)
class Comparison:
    """How one row came out. labels: Ludwig's columns that hold no numbers. differences: for a person to read."""

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
    """Return the rows of a certificate: odd ones, and the user's own."""
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
                f"The rows to prove on have the columns {list(dataset.columns)}; the model reads {lacking}."
            )
        for number, record in enumerate(dataset[list(tried)].to_dict("records")):
            given = {str(column): None if value != value else value for column, value in record.items()}
            rows.append(Row(f"row {number}", given, odd=False))
    return rows


def _described(feature: InputFeature) -> dict[str, str]:
    """Return an input as a feature that reads text, or values of its own types."""
    return {"name": feature.column, "type": "sequence" if isinstance(feature, READ_AS_TEXT) else "number"}


class Proof(NamedTuple):
    """The certificate of a bundle, and every comparison that it counts, the worst first."""

    parity: Parity
    comparisons: list[Comparison]


def prove(model: SourceModel, folder: Path, rows: Sequence[Row]) -> Proof:
    """Compare a bundle with its model.

    Args:
        model: The model, which Ludwig asks on the CPU.
        folder: The bundle, which the shipped predictor reads from disk.
        rows: What to ask: odd rows one by one, as messages arrive; the user's rows in batches.

    Returns:
        The proof, of answers that must be exact.

    Raises:
        ParityError: The bundle fails on a row.
    """
    import pandas as pd

    predictor = Predictor(folder)
    columns = [feature.column for feature in predictor.manifest.inputs]
    frame = pd.DataFrame({column: pd.Series([row.values[column] for row in rows], dtype=object) for column in columns})
    expected_ids, expected = model.encode(frame), model.predict(frame)
    found: list[dict[str, Any]] = []
    while len(found) < len(rows):
        size = 1 if rows[len(found)].odd else BATCH_ROWS
        found += _answers(predictor, rows[len(found) : len(found) + size])
        progress(f"{predictor.manifest.name}: compared with Ludwig, rows", len(found), len(rows))
    found_ids = predictor.encode([row.values for row in rows])
    comparisons = []
    for index, row in enumerate(rows):
        ids_equal = all(np.array_equal(ids[index], expected_ids[name][index]) for name, ids in found_ids.items())
        comparisons.append(_compare(row, ids_equal, expected[index], found[index]))
    comparisons.sort(key=lambda comparison: comparison.badness, reverse=True)
    return Proof(_certificate(comparisons), comparisons)


def agreed(found: Proof, exact: Proof) -> Proof:
    """Return the proof of a quantized graph, which promises agreement and not exactness.

    found: the quantized graph beside Ludwig. exact: the graph that it was made of, beside Ludwig. The quantized graph
    was measured beside that one only, so a failure there is a failure here, however well the two agree.
    """
    parity = msgspec.structs.replace(found.parity, promise="agreement", tolerance=AGREEMENT_TOLERANCE)
    return Proof(msgspec.structs.replace(parity, passed=exact.parity.passed and parity.is_earned), found.comparisons)


def _answers(predictor: Predictor, rows: Sequence[Row]) -> list[dict[str, Any]]:
    try:
        return predictor.predict([row.values for row in rows])
    except ServingError:
        raise
    except Exception as error:  # onnxruntime and torch raise kinds of their own
        raise ParityError(
            f"{predictor.manifest.name} fails where its model answers, on {rows[0].name}: {type(error).__name__}: "
            f"{str(error)[:300]}. No bundle was written; train with another encoder (docs/support.md lists them)."
        ) from None


def golden_rows(comparisons: Sequence[Comparison], own_rows: int) -> list[GoldenRow]:
    """Return rows to ask again before a deployment takes traffic: those nearest to failing, of the user's own and odd.

    own_rows: how many of the user's own to keep at most. Long rows, and rows with values that JSON lacks, are left out.
    """
    kept: list[GoldenRow] = []
    for odd, most in ((False, own_rows), (True, GOLDEN_ODD_ROWS)):
        fit = [found for found in comparisons if found.row.odd is odd and found.labels_equal and _is_small(found.row)]
        kept += [
            GoldenRow(row=found.row.name, own=not odd, values=dict(found.row.values), labels=found.labels)
            for found in fit[:most]
        ]
    return kept


def _is_small(row: Row) -> bool:
    values = row.values.values()
    plain = all(value is None or isinstance(value, str | int | float) for value in values)
    return plain and sum(len(str(value)) for value in values) <= GOLDEN_CHARACTERS


def _compare(row: Row, ids_equal: bool, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Comparison:
    """Compare the columns of one row: labels must be the same, numbers near each other."""
    differences = [] if ids_equal else ["other token ids"]
    labels_equal, largest = True, 0.0
    for column in sorted({*expected, *found}):
        if column not in expected or column not in found:
            labels_equal = False
            differences.append(f"column {column} is only {'in Ludwig' if column in expected else 'in the bundle'}")
        elif _is_numeric(expected[column]):
            difference = _distance(expected[column], found[column])
            largest = max(largest, difference)
            if difference > TOLERANCE:
                differences.append(f"{column} differs by {difference:.2g}")
        elif expected[column] != found[column]:
            labels_equal = False
            differences.append(f"{column}: Ludwig {expected[column]!r}, the bundle {found[column]!r}")
    labels = {column: value for column, value in expected.items() if not _is_numeric(value)}
    return Comparison(row, labels, ids_equal, labels_equal, largest, differences)


def _is_numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "fiu"


def _distance(expected: Any, found: Any) -> float:
    """Return the largest difference, relative where numbers are above one: sums of logarithms grow with length."""
    one, other = np.asarray(expected, dtype=np.float64), np.asarray(found, dtype=np.float64)
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(one)), initial=0.0))


def _finite(difference: float) -> float | None:
    """Return a difference as the manifest holds it: JSON has no infinity."""
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
