"""The dataset that an import writes: CSV, JSON Lines or Parquet."""

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.config import SPLIT
from training.errors import DatasetError
from training.imports.examples import INTENT, LANGUAGE, SLOTS, TEXT, Example

ENDINGS = (".csv", ".jsonl", ".parquet")


def write_dataset(output: Path, examples: Sequence[Example], splits: Sequence[int] | None) -> None:
    """Write the examples as a dataset.

    Args:
        output: A path that ends in .csv, .jsonl or .parquet.
        examples: The rows, in order.
        splits: 0 (train), 1 (validation) or 2 (test) for each row; None writes no such column.

    Raises:
        DatasetError: The file cannot be written. An existing file stays unchanged.
    """
    extra = [{**each.traits, **each.provenance} for each in examples]
    others = list(dict.fromkeys(name for found in extra for name in found))
    names = [TEXT, INTENT, SLOTS, LANGUAGE, *others, *([SPLIT] if splits else [])]
    rows = (
        [each.text, each.intent, each.tags, each.language, *(found.get(name, "") for name in others)]
        + ([splits[position]] if splits else [])
        for position, (each, found) in enumerate(zip(examples, extra, strict=True))
    )
    write_table(output, names, rows)


def write_table(output: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows under a temporary name, then rename it.

    Args:
        output: A path that ends in .csv, .jsonl or .parquet.
        names: The columns.
        rows: The values of each row, in the order of the columns.

    Raises:
        DatasetError: The file cannot be written. An existing file stays unchanged.
    """
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    write = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": _write_parquet}[output.suffix.lower()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write(temporary, names, rows)
        temporary.replace(output)
    except OSError as error:
        raise DatasetError(f"Cannot write {output}: {error.strerror or error}.") from None
    finally:
        temporary.unlink(missing_ok=True)


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for row in rows:  # readers end a row at a carriage return, but the writer does not quote it
            (quoting if any("\r" in str(value) for value in row) else writer).writerow(row)


def _write_json_lines(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")


def _write_parquet(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import pandas as pd

    pd.DataFrame(list(rows), columns=list(names)).to_parquet(path, index=False)
