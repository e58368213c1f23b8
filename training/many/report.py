"""The report of a manifest's entries: a page that links to each run's report, and the same as JSON and CSV."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from training.evaluation.report import rendered
from training.many.record import LOG, Record, read_record
from training.whole_files import write_whole

REPORT, REPORT_JSON, REPORT_CSV = "report.html", "report.json", "report.csv"
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def write_reports(folder: Path, entries: Sequence[Path]) -> None:
    """Write report.html, report.json and report.csv, each atomically.

    Args:
        folder: The folder of all entries.
        entries: The folders of the manifest's entries. Each has a record.
    """
    records = [record for entry in entries if (record := read_record(entry))]
    rows = [_row(record, folder.absolute()) for record in records]
    counts = {
        state: sum(row["state"] == state for row in rows) for state in ("finished", "failed", "running", "waiting")
    }
    page = rendered(TEMPLATE, folder=folder.resolve().name, rows=rows, counts=counts)
    write_whole(folder / REPORT, page.encode("utf-8", errors="backslashreplace"))
    write_whole(folder / REPORT_JSON, msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    write_whole(folder / REPORT_CSV, _csv(rows).encode("utf-8", errors="backslashreplace"))


def _row(record: Record, folder: Path) -> dict[str, Any]:
    """Return what the reports show of an entry. Links start from the folder of all entries."""
    return {
        "name": record.name,
        "command": record.command[0],
        "state": record.state,
        "rows": record.rows,
        "languages": record.languages,
        "scores": {
            name: {
                "metric": each.metric,
                "score": each.score,
                "baseline": each.baseline,
                "report": Path(os.path.relpath(each.report, folder)).as_posix(),
            }
            for name, each in record.scores.items()
        },
        "bundle_bytes": record.bundle_bytes,
        "seconds": record.seconds,
        "attempts": record.attempts,
        "reason": record.reason,
        "log": f"{record.name}/{LOG}" if record.attempts else None,
    }


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as CSV: one line for each entry, and two columns for each output."""
    flat = []
    for row in rows:
        line = {key: value for key, value in row.items() if key != "scores"}
        line["languages"] = " ".join(row["languages"])
        for name, score in row["scores"].items():
            line[f"{name}_{score['metric']}"] = score["score"]
            line[f"{name}_baseline"] = score["baseline"]
        flat.append(line)
    names = list(dict.fromkeys(name for line in flat for name in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
