"""Measure `ludwig-serverless batch` on synthetic tables: rows per second, efficiency of processes, and memory.

The rows are the demo's messages in random order. Memory is the peak of all processes together, and must not grow with
the number of rows. Efficiency is the speed of all processes, divided by the speed of one times their number. Batches of
Step Functions are answered in this process.
"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.report import ROOT, parser, publish, record, say, table
from handler.events import BATCH_VERSION
from handler.hexabot import load_service
from handler.map_batches import answer_batch
from handler.settings import Settings
from ludwig_serverless.cost.measured import BATCH_ROWS

PART = "bulk"
BUNDLES = ROOT / "examples" / "bundles"
SHARE = 10
"""The small table has this part of the large one's rows."""
BATCHES = 40
"""Measured batches of Step Functions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    made = parser(PART, __doc__)
    made.add_argument("--rows", type=int, default=1_000_000, help="rows of the large table (default: %(default)s)")
    options = made.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        speeds: dict[int, float] = {}
        for number, processes in ((options.rows // SHARE, 1), (options.rows // SHARE, cores), (options.rows, cores)):
            say(f"{number:,} rows, {processes} processes ...")
            source = written(Path(folder, f"in-{number}.parquet"), number)
            seconds, peak = run(source, Path(folder, f"out-{number}-{processes}"), processes)
            speeds[processes] = number / seconds
            efficiency = f"{speeds[processes] / (processes * speeds[1]):.0%}"
            rows.append(
                [
                    f"{number:,}",
                    str(processes),
                    f"{seconds:,.0f}",
                    f"{number / seconds:,.0f}",
                    efficiency,
                    f"{peak:,.0f}",
                ]
            )
    say("Batches of Step Functions ...")
    batch = map_batch(BATCHES)
    record(options, PART, {"map_batch_milliseconds": batch})
    publish(
        options,
        PART,
        [
            "The compact answers of the shipped bundles, as Parquet, with the start of all processes:",
            "",
            *table(["rows", "processes", "seconds", "rows/s", "efficiency", "peak memory, MB"], rows),
            "",
            f"The function answers a batch of {BATCH_ROWS} rows from Step Functions in {batch:.0f} ms of CPU time.",
        ],
    )
    return 0


def map_batch(batches: int) -> float:
    """Answer batches of Step Functions in this process, with the JSON that Lambda's runtime reads and writes.

    Args:
        batches: How many batches to measure.

    Returns:
        The median of their CPU times in milliseconds. One thread answers, so a function with one vCPU takes as long.
    """
    service = load_service(Settings(bundles=(str(BUNDLES),), open=True))
    choose, texts, taken = random.Random(0).choices, messages(), []
    asked = {"answer": "compact", "text_column": "text", "keep": "id", "columns": "", "format": "CSV"}
    for _ in range(batches + 1):
        items = [{"id": str(number), "text": text} for number, text in enumerate(choose(texts, k=BATCH_ROWS))]
        event = json.dumps({"BatchInput": {"ludwig_serverless_batch": BATCH_VERSION, **asked}, "Items": items})
        started = time.process_time()
        answer = answer_batch(json.loads(event), service, "en", None)
        json.dumps(answer)
        taken.append((time.process_time() - started) * 1000)
        if len(answer.get("rows", ())) != BATCH_ROWS:
            raise SystemExit(f"error: the function answered {str(answer)[:200]}")
    return median(taken[1:])


def messages() -> list[str]:
    """Return the demo's messages."""
    with (ROOT / "examples/demo/dataset.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def written(path: Path, rows: int) -> Path:
    """Write a table of the demo's messages, in groups of rows, if it does not exist yet."""
    import pyarrow as pa
    import pyarrow.parquet

    if path.exists():
        return path
    texts = messages()
    choose, group = random.Random(0).choices, 100_000
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, group):
            number = min(group, rows - start)
            columns = {"id": range(start, start + number), "text": choose(texts, k=number)}
            writer.write_table(pa.table(columns, schema))
    return path


def run(source: Path, output: Path, processes: int) -> tuple[float, float]:
    """Answer a table in a new process.

    Args:
        source: The table.
        output: The folder for the answers.
        processes: How many processes answer.

    Returns:
        The seconds, and the peak memory of the process and its children in MB.
    """
    command = ["batch", str(source), str(output), "--bundles", str(BUNDLES), "--processes", str(processes)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ludwig_serverless", *command], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if status:
        raise SystemExit(f"error: `ludwig-serverless {' '.join(command)}` failed: see its message above")
    return seconds, max(peaks)


def _watch(process: "subprocess.Popen[bytes]", peaks: list[float]) -> None:
    while process.poll() is None:
        peaks.append(_megabytes(process.pid))
        time.sleep(0.2)


def _megabytes(pid: int) -> float:
    """Return the proportional set size of a process and its children, which counts shared pages once."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return own / 1024 + sum(_megabytes(int(child)) for child in children)


if __name__ == "__main__":
    sys.exit(main())
