"""Measure one training on two workers beside the same on one: speed-up and efficiency, with a thread for each worker.

The time is that from the end of the first epoch to the end of the last, evaluations and checkpoints included. The two
trainings alternate, so that a change of the machine's load affects both.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import ROOT, parser, publish, ratios, say, table

PART = "parallel"
DATASET = ROOT / "examples" / "demo" / "dataset.csv"
CONFIGS = ("intent-lstm", "intent-minilm")
WORKERS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    options = parser(
        PART, __doc__, rounds=(1, "trainings of each kind"), epochs=(3, "epochs, of which the first does not count")
    ).parse_args(arguments)
    rows = []
    for config in CONFIGS:
        times: dict[int, list[float]] = {1: [], WORKERS: []}
        for number in range(options.rounds):
            for workers, found in times.items():
                say(f"{config}, {workers} workers, round {number + 1} ...")
                found.append(seconds(config, options.epochs, workers))
        speed_ups = ratios(times[1], times[WORKERS])
        rows.append([f"`{config}`", *speed_ups, f"{float(speed_ups[1]) / WORKERS:.0%}"])
    header = ["configuration", "speed-up: lowest", "median", "highest", "efficiency"]
    publish(options, PART, [f"{WORKERS} workers beside one, on the demo's rows:", "", *table(header, rows)])
    return 0


def seconds(config: str, epochs: int, workers: int) -> float:
    """Train, and return the time from the end of the first epoch to the end of the last, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        paths = ["--dataset", str(DATASET), "--output", str(Path(folder, "run"))]
        command = [sys.executable, "-m", "training", "fit", "--config", config, *paths, "--epochs", str(epochs)]
        if "minilm" in config:
            command += ["--pretrained", "minilm"]
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        process = subprocess.Popen(
            [*command, "--workers", str(workers)],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            ends = [time.monotonic() for line in process.stderr or () if line.startswith("  epoch ")]
        if process.returncode or len(ends) != epochs:
            raise SystemExit(f"error: {config} on {workers} workers failed with status {process.returncode}")
    return ends[-1] - ends[0]


if __name__ == "__main__":
    raise SystemExit(main())
