"""Values of any file as the text of a dataset's cells."""

import math
from collections.abc import Mapping


def cell(value: object) -> str:
    """Return a value as the text of a dataset's cell.

    Args:
        value: A value of JSON, YAML or Parquet.

    Returns:
        The text; "" for a missing value, a number that is not finite, a list or an object; whole numbers without `.0`.
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
