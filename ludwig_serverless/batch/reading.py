"""Stream files as parts of rows, in constant memory. A row that cannot be read is reported, and the others follow."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
from pyarrow.fs import FileSystem

from handler.bulk import as_text
from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.plan import InputFile

BLOCK_BYTES = 1 << 20
KEPT_CHARACTERS = 200
"""How much of an unreadable row its report keeps."""


class Unreadable(NamedTuple):
    """A row that cannot be read.

    Attributes:
        row: Its number in the file, from 0; for CSV files among the rows that can be read, because pyarrow does not
            say more.
        reason: What is wrong.
        content: The start of the row.
    """

    row: int
    reason: str
    content: str


class Part(NamedTuple):
    """Some consecutive rows of a file.

    Attributes:
        file: The file's position in the plan.
        number: The part's position in the file.
        first_row: The number of its first row in the file, from 0.
        table: The rows. Columns of CSV files are strings.
        unreadable: The rows that could not be read, since the part before.
        done: The share of the file that is read, in [0, 1].
    """

    file: int
    number: int
    first_row: int
    table: pa.Table
    unreadable: list[Unreadable]
    done: float

    @property
    def name(self) -> str:
        """The name of the part's output file, without its extension."""
        return f"part-{self.file:05d}-{self.number:06d}"


def read_parts(system: FileSystem, file: InputFile, position: int, rows: int) -> Iterator[Part]:
    """Read a file part by part.

    Args:
        system: The file system.
        file: The file.
        position: Its position in the plan.
        rows: The number of rows in each part but the last.

    Yields:
        The parts, in order. Two runs yield the same parts.

    Raises:
        BatchError: The file as a whole cannot be read.
    """
    unreadable: list[Unreadable] = []
    read = {"parquet": _parquet, "csv": _csv, "jsonl": _json_lines}[file.format]
    number = first_row = 0
    waiting: list[pa.Table] = []
    waiting_rows = 0
    done = 0.0
    try:
        for table, done in read(system, file, unreadable, rows):
            waiting.append(table)
            waiting_rows += table.num_rows
            while waiting_rows >= rows:
                joined = pa.concat_tables(waiting, promote_options="permissive")
                part, rest = joined.slice(0, rows), joined.slice(rows)
                yield Part(position, number, first_row, part, unreadable.copy(), done)
                unreadable.clear()
                waiting, waiting_rows = [rest], rest.num_rows
                number, first_row = number + 1, first_row + rows
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(" .")
        raise BatchError(
            f"{file.path} cannot be read: {reason}. Repair or remove it, then run the same command again."
        ) from None
    if waiting_rows or unreadable or number == 0:
        table = pa.concat_tables(waiting, promote_options="permissive") if waiting else pa.table({})
        yield Part(position, number, first_row, table, unreadable.copy(), 1.0)


def _parquet(
    system: FileSystem, file: InputFile, unreadable: list[Unreadable], rows: int
) -> Iterator[tuple[pa.Table, float]]:
    with system.open_input_file(file.path) as stream:
        source = pa_parquet.ParquetFile(stream, pre_buffer=False)
        total, seen = max(source.metadata.num_rows, 1), 0
        for batch in source.iter_batches(batch_size=rows):
            seen += batch.num_rows
            yield pa.Table.from_batches([batch]), seen / total


def _csv(
    system: FileSystem, file: InputFile, unreadable: list[Unreadable], rows: int
) -> Iterator[tuple[pa.Table, float]]:
    seen = 0

    def note(row: Any) -> str:
        found = f"expected {row.expected_columns} values, found {row.actual_columns}"
        unreadable.append(Unreadable(seen, found, (row.text or "")[:KEPT_CHARACTERS]))
        return "skip"

    parse = pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note)
    read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
    with system.open_input_stream(file.path) as stream:
        header = pa_csv.open_csv(stream, read_options=read, parse_options=pa_csv.ParseOptions(
            newlines_in_values=True, invalid_row_handler=lambda row: "skip")).schema.names  # fmt: skip
    # Bytes at first: a value that is not UTF-8 must not end the run.
    types = pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.binary()), strings_can_be_null=False)
    with system.open_input_file(file.path) as stream:
        for batch in pa_csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=types):
            table = _decoded(pa.Table.from_batches([batch]), seen, unreadable)
            seen += batch.num_rows
            yield table, min(1.0, stream.tell() / max(file.bytes, 1))


def _decoded(table: pa.Table, first_row: int, unreadable: list[Unreadable]) -> pa.Table:
    """Convert columns of bytes to strings. Rows with bytes that are not UTF-8 become null and are reported."""
    try:
        return table.cast(pa.schema([(name, pa.string()) for name in table.schema.names]))
    except pa.ArrowInvalid:
        columns = {name: list(table.column(name).to_pylist()) for name in table.schema.names}
    bad: set[int] = set()
    for values in columns.values():
        for number, value in enumerate(values):
            try:
                values[number] = value.decode()
            except UnicodeDecodeError:
                bad.add(number)
    for number in sorted(bad):
        content = " ".join(
            value if isinstance(value, str) else value.decode(errors="replace")
            for value in (values[number] for values in columns.values())
        )
        unreadable.append(Unreadable(first_row + number, "a value is not UTF-8", content[:KEPT_CHARACTERS]))
    kept = [number for number in range(table.num_rows) if number not in bad]
    return pa.table({name: pa.array([values[n] for n in kept], pa.string()) for name, values in columns.items()})


def _json_lines(
    system: FileSystem, file: InputFile, unreadable: list[Unreadable], rows: int
) -> Iterator[tuple[pa.Table, float]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    records: list[dict[str, Any]] = []
    names: list[str] = []
    read_bytes = 0
    with system.open_input_stream(file.path) as stream:
        for number, line in enumerate(_lines(stream)):
            read_bytes += len(line) + 1
            if not line.strip():
                continue
            try:
                records.append(decode(line))
            except (msgspec.DecodeError, RecursionError) as error:
                content = line[:KEPT_CHARACTERS].decode(errors="replace")
                unreadable.append(Unreadable(number, f"this is not a JSON object: {error}", content))
            if len(records) == rows:
                names = names or list(dict.fromkeys(name for record in records for name in record))
                yield _table_of(records, names), min(1.0, read_bytes / max(file.bytes, 1))
                records = []
    if records:
        names = names or list(dict.fromkeys(name for record in records for name in record))
        yield _table_of(records, names), 1.0


def _lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _table_of(records: list[dict[str, Any]], names: list[str]) -> pa.Table:
    """Return records as strings: the types of JSON values may change from row to row, and those of a column may not."""
    return pa.table({name: pa.array([as_text(record.get(name)) for record in records], pa.string()) for name in names})
