"""Measure `ludwig-serverless batch` on synthetic tables: rows per second, efficiency, memory, and a killed run.

The rows are the demo's messages in random order. Memory is the peak of all processes together, and must not grow with
the number of rows. Efficiency is the speed of all processes, divided by the speed of one times their number. Both
tables are also answered by a run that is killed when half of the parts are written, and continued. For the small table
its files must equal those of a run without a break; for the large table, the digests of all engines on the page must be
equal, and a test compares them. Batches of Step Functions are answered in this process.

`--memory` measures only memory, with a tiny model, so that tens of millions of rows take minutes: what a run holds
besides its models must not grow with the rows.
"""

import argparse
import csv
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.report import ROOT, parser, provenance, record, say, table, write_section
from benchmarks.synthetic import write_bundle
from handler.command_line import usable_cores
from handler.events import BATCH_VERSION
from handler.hexabot import load_service
from handler.map_batches import answer_batch
from handler.settings import Settings
from ludwig_serverless.batch.command import PART_ROWS
from ludwig_serverless.cost.measured import BATCH_ROWS

PART = "bulk"
SECTIONS = {"local": "bulk", "ray": "bulk-ray", "spark": "bulk-spark"}
BUNDLES = ROOT / "examples" / "bundles"
MEMORY_SECTION = "bulk-memory"
SHARE, MEMORY_SHARE = 10, 50
"""The small table has this part of the large one's rows; the second one is for `--memory`."""
BATCHES = 40
"""Measured batches of Step Functions."""


class Measured(NamedTuple):
    """A run of the command.

    Attributes:
        seconds: How long it took, with the start of all processes.
        megabytes: The peak memory of its processes together.
    """

    seconds: float
    megabytes: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the engine's section, and return the exit status."""
    made = parser(PART, __doc__, rows=(1_000_000, "rows of the large table"))
    made.add_argument(
        "--engine", choices=list(SECTIONS), default="local", help="what to measure (default: %(default)s)"
    )
    made.add_argument(
        "--memory", action="store_true", help="measure only memory, with a tiny model, in local processes"
    )
    options = made.parse_args(arguments)
    if options.memory and options.engine != "local":
        made.error(f"--memory measures the local engine, but --engine is {options.engine}: leave one of them out")
    with tempfile.TemporaryDirectory() as folder:
        lines = (_memory if options.memory else _measured)(options, Path(folder))
    if options.engine == "local" and not options.memory:
        say("Batches of Step Functions ...")
        batch = map_batch(BATCHES)
        record(options, PART, {"map_batch_milliseconds": batch})
        lines += [
            "",
            f"The function answers a batch of {BATCH_ROWS} rows from Step Functions in {batch:.0f} ms of CPU time.",
        ]
    content = [provenance(PART), "", *lines]
    print("\n".join(content))
    write_section(options.page, MEMORY_SECTION if options.memory else SECTIONS[options.engine], content)
    return 0


def _measured(options: argparse.Namespace, folder: Path) -> list[str]:
    engine, cores = options.engine, usable_cores()
    numbers = [options.rows // SHARE, options.rows]
    small, large = (written(folder / f"{number}.parquet", number) for number in numbers)
    speeds: dict[int, float] = {}
    rows = []
    for processes in [1, cores] if engine == "local" else [cores]:
        say(f"{numbers[0]:,} rows, {processes} processes ...")
        found = run(small, folder / f"whole-{processes}", engine, processes)
        speeds[processes] = numbers[0] / found.seconds
        efficiency = f"{speeds[processes] / (processes * speeds[1]):.0%}" if 1 in speeds else ""
        rows.append(_row(numbers[0], "whole", processes, found, efficiency))
    digests = []
    for source, number in zip([small, large], numbers, strict=True):
        say(f"{number:,} rows, killed half-way and continued ...")
        output = folder / f"killed-{number}"
        found = killed(source, output, engine, cores, number)
        rows.append(_row(number, "killed half-way and continued", cores, found, ""))
        digests.append(digest(output))
    if digests[0] != digest(folder / f"whole-{cores}"):
        raise SystemExit(f"error: the {engine} engine wrote other files after it was killed")
    header = ["rows", "run", "processes", "seconds", "rows/s", "efficiency", "peak memory, MB"]
    return [
        f"The compact answers of the shipped bundles, as Parquet, with `--engine {engine}` and the start of all "
        "processes, once more after the kill:",
        "",
        *table(header, rows),
        "",
        "The run that was killed with SIGKILL wrote the same files for the small table as the other run. SHA-256 of "
        f"all answers for the large one: `{digests[1]}`.",
    ]


def _memory(options: argparse.Namespace, folder: Path) -> list[str]:
    bundles = write_bundle(folder / "bundles" / "intent", vocabulary=100, labels=4, length=2).parent
    cores = usable_cores()
    rows = []
    for number in (options.rows // MEMORY_SHARE, options.rows):
        say(f"{number:,} rows, a tiny model, {cores} processes ...")
        source = written(folder / f"{number}.parquet", number)
        found = run(source, folder / f"out-{number}", "local", cores, bundles=bundles)
        rows.append([f"{number:,}", str(cores), f"{found.megabytes:,.0f}"])
    return [
        "A tiny model, so that the memory is that of reading, answering and writing:",
        "",
        *table(["rows", "processes", "peak memory, MB"], rows),
    ]


def _row(number: int, run_name: str, processes: int, found: Measured, efficiency: str) -> list[str]:
    seconds, speed, peak = found.seconds, number / found.seconds, found.megabytes
    return [f"{number:,}", run_name, str(processes), f"{seconds:,.0f}", f"{speed:,.0f}", efficiency, f"{peak:,.0f}"]


def killed(source: Path, output: Path, engine: str, processes: int, number: int) -> Measured:
    """Answer a table with a run that is killed when half of its parts are written, and continue it.

    Args:
        source: The table.
        output: The folder for the answers.
        engine: The engine.
        processes: How many processes answer.
        number: The rows of the table.

    Returns:
        The seconds of both runs together, and the peak memory of the one that needed more.
    """
    half = max(number // PART_ROWS // 2, 1)
    first = run(source, output, engine, processes, is_killed=lambda: len(_parts(output)) >= half)
    if len(_parts(output)) * PART_ROWS >= number:
        raise SystemExit(f"error: the {engine} engine had finished before it was killed: measure more rows with --rows")
    second = run(source, output, engine, processes)
    return Measured(first.seconds + second.seconds, max(first.megabytes, second.megabytes))


def digest(output: Path) -> str:
    """Return the SHA-256 of the names and the bytes of all answers in a folder."""
    found = hashlib.sha256()
    for path in _parts(output):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def _parts(output: Path) -> list[Path]:
    return sorted(output.glob("part-*.parquet"))


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


def run(
    source: Path,
    output: Path,
    engine: str,
    processes: int,
    *,
    is_killed: Callable[[], bool] = lambda: False,
    bundles: Path = BUNDLES,
) -> Measured:
    """Answer a table in a new process.

    Args:
        source: The table.
        output: The folder for the answers.
        engine: The engine.
        processes: How many processes answer.
        is_killed: Asked all the time; when it returns True, the process is killed.
        bundles: The models.

    Returns:
        What was measured.
    """
    command = ["batch", str(source), str(output), "--bundles", str(bundles), "--engine", engine]
    command += ["--master", f"local[{processes},4]"] if engine == "spark" else ["--processes", str(processes)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [_python(engine), "-m", "ludwig_serverless", *command], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    peaks, was_killed = [0.0], False
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    while process.poll() is None:
        time.sleep(0.1)
        if is_killed():
            process.kill()
            was_killed = True
            process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode and not was_killed:
        raise SystemExit(f"error: `ludwig-serverless {' '.join(command)}` failed: see its message above")
    return Measured(seconds, max(peaks))


def _python(engine: str) -> str:
    """Return the Python of the environment that has the engine, which is created if necessary."""
    if engine == "local":
        return sys.executable
    command = [sys.executable, str(ROOT / "scripts" / "environment.py"), engine]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


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
