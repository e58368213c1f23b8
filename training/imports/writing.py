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
    """Write a dataset under a temporary name, then rename it.

    Args:
        output: A path that ends in .csv, .jsonl or .parquet.
        examples: The rows, in order.
        splits: 0 (train), 1 (validation) or 2 (test) for each row; None writes no such column.

    Raises:
        DatasetError: The file cannot be written. An existing file stays unchanged.
    """
    traits = list(dict.fromkeys(name for example in examples for name in example.traits))
    names = [TEXT, INTENT, SLOTS, LANGUAGE, *traits, *([SPLIT] if splits else [])]
    rows = (
        [each.text, each.intent, each.tags, each.language, *(each.traits.get(name, "") for name in traits)]
        + ([splits[position]] if splits else [])
        for position, each in enumerate(examples)
    )
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
