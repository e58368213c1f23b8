"""Helpers of the import tests: run an import on the command line, and return its output."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from export.rows import read_rows
from training.__main__ import main

DATA = Path(__file__).parent / "data"

Rows = list[dict[str, Any]]


def imported(folder: Path, *arguments: object, suffix: str = ".csv") -> tuple[Rows, dict[str, Any]]:
    """Import, and return the dataset as `fit` reads it, and the report."""
    output, report = folder / f"data{suffix}", folder / "report.json"
    assert main(["import", *map(str, arguments), "--output", str(output), "--report", str(report)]) == 0
    rows = read_rows(output).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows], json.loads(report.read_text("utf-8"))


def error_of(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object) -> str:
    """Return the one line that an import fails with, and check that nothing was written."""
    before = sorted(folder.iterdir())
    assert main(["import", *map(str, arguments), "--output", str(folder / "data.csv")]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sorted(folder.iterdir()) == before
    return err.removeprefix("error: ").strip()


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def slots(rows: Rows) -> dict[str, str]:
    return {row["text"]: row["slots"] for row in rows}


def places(report: dict[str, Any], section: str, what: str) -> list[str]:
    """Return the rows of a finding in a report, without their files."""
    found = [entry["rows"] for entry in report[section] if entry["what"].startswith(what)]
    return [row["place"].removeprefix(str(DATA) + os.sep) for rows in found for row in rows]
