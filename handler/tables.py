"""Read the rows of a batch."""

from typing import Any

import msgspec

from handler.errors import PayloadTooLargeError, RequestError


class RequestTable(msgspec.Struct, frozen=True):
    """Rows of values in pandas' "split" orientation.

    Attributes:
        columns: The names of the columns.
        data: The values of each row, one for each column.
        index: The label of each row; None for numbers.
    """

    columns: list[str]
    data: list[list[Any]]
    index: list[int | str] | None = None


def read_table(dataset: Any, max_rows: int) -> RequestTable:
    """Parse and check the field `dataset`.

    Args:
        dataset: A table in pandas' "split" orientation, or the same as a JSON string.
        max_rows: The largest allowed number of rows.

    Returns:
        The table. Each row has a value for each column, and each row has a label if there is an index.

    Raises:
        PayloadTooLargeError: There are too many rows.
        RequestError: The table is missing or malformed.
    """
    shape = 'a table such as {"columns": ["text"], "data": [["hello"], ["goodbye"]]}'
    if dataset is None:
        raise RequestError(f"The field 'dataset' is missing: send {shape}.")
    try:
        is_text = isinstance(dataset, str)
        table = msgspec.json.decode(dataset, type=RequestTable) if is_text else msgspec.convert(dataset, RequestTable)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise RequestError(f"The field 'dataset' is not {shape}: {error}.") from None
    if len(table.data) > max_rows:
        raise PayloadTooLargeError(
            f"The batch has {len(table.data)} rows, and the limit is {max_rows}: send several smaller batches."
        )
    for number, row in enumerate(table.data):
        if len(row) != len(table.columns):
            raise RequestError(
                f"Row {number} of the dataset has {len(row)} values, but there are {len(table.columns)} columns."
            )
    if table.index is not None and len(table.index) != len(table.data):
        raise RequestError(f"The dataset has {len(table.data)} rows, but its index has {len(table.index)} entries.")
    return table
