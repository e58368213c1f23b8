"""Record Ludwig's answers, so that tests can compare the shipped bundles with them without Ludwig."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from export.model import load_model
from export.parity import rows_to_try
from handler.bundle import read_bundle
from scripts.shipped_models import MODELS, test_rows

DATASET_ROWS = 60
RECORDED = ("_predictions", "_probabilities")
DIGITS = 7


def main(arguments: Sequence[str]) -> int:
    """Write a file of answers for each model of the demo, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, help="folder of the trained models")
    parser.add_argument("bundles", type=Path, help="folder of their bundles")
    parser.add_argument("answers", type=Path, help="folder to write to")
    options = parser.parse_args(arguments)
    options.answers.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        model = load_model(options.runs / name)
        rows = rows_to_try(model, read_bundle(options.bundles / name), test_rows().head(DATASET_ROWS))
        answers = model.predict(pd.DataFrame([row.values for row in rows], dtype=object))
        lines = [
            msgspec.json.encode({"row": row.name, "values": row.values, "answer": _recorded(answer)})
            for row, answer in zip(rows, answers, strict=True)
        ]
        (options.answers / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return 0


def _recorded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the columns from which all others can be derived."""
    return {column: _plain(value) for column, value in answer.items() if column.endswith(RECORDED)}


def _plain(value: Any) -> Any:
    if isinstance(value, str) or isinstance(value[0], str):
        return value
    return np.asarray(value, dtype=np.float64).round(DIGITS).tolist()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
