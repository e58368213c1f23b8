"""Convert a value from any file format to the text of a dataset cell."""

import math
from collections.abc import Mapping


def cell(value: object) -> str:
    """Return a value as the text of a dataset cell.

    Args:
        value: A value from JSON, YAML or Parquet.

    Returns:
        The text: "" for a missing value, a non-finite number, a list or an object. Whole numbers have no `.0`.
    """
    match value:
        case None | Mapping() | list() | tuple():
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
