"""Choose a bundle's golden rows: those that came closest to failing the proof, to check again before a deployment."""

from collections.abc import Sequence

from export.parity import Comparison, Row
from handler.certificate import GoldenRow

GOLDEN_ODD_ROWS = 8
GOLDEN_CHARACTERS = 300


def golden_rows(comparisons: Sequence[Comparison], own_rows: int) -> list[GoldenRow]:
    """Choose the rows to check again before a deployment takes traffic: the ones closest to failing.

    Long rows, and rows with values that JSON cannot represent, are skipped.

    Args:
        comparisons: All comparisons, worst first.
        own_rows: Maximum number of the user's own rows.

    Returns:
        The user's own rows, then edge cases.
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
