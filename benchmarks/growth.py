"""Measure how latency and memory grow with the models and the requests, and where the curves bend.

Vocabulary, labels, sequence length and number of bundles grow in synthetic models with random weights, in the shape of
a small intent model. The length of the text grows with the demo's models. Concurrent sandboxes are processes in the
emulator on this machine. The slope is that of a line through the logarithms: 0 is constant, 1 is proportional. A curve
bends at the first point from which the slope to the last point is more than 0.5.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import ROOT, parser, publish, say, spread, table
from benchmarks.sandbox import DIGEST, TOKEN
from benchmarks.synthetic import write_bundle
from scripts.ask_emulator import TEXTS, hexabot_event, invoke, running_lambda

PART = "growth"
FOLDER = ROOT / "build" / "bench" / "growth"
DEMO = ROOT / "examples" / "bundles"
ANSWERS = 100
LONGEST_TEXT = 10_000
GROWING = {
    "vocabulary": (1_000, 4_000, 16_000, 64_000, 256_000),
    "labels": (10, 40, 160, 640, 2_560),
    "length": (16, 32, 64, 128, 256, 512),
}
BUNDLES = (1, 3, 10, 30)
CHARACTERS = (10, 100, 1_000, 10_000)
SANDBOXES = (1, 2, 4, 8)
SECONDS = 2.0
"""Duration of the throughput measurement per number of sandboxes."""
BEND = 0.5
PROBE_SECONDS = 120
COLUMNS = {
    "answer_milliseconds": ("answer, p50 ms", 3),
    "load_milliseconds": ("load, ms", 0),
    "peak_megabytes": ("peak MB", 1),
}
Point = dict[str, float]


@dataclass(frozen=True)
class Curve:
    """A quantity that grows.

    Attributes:
        name: Name of the quantity, for the table.
        points: Its values.
        measure: Measures one value.
        columns: Title and number of digits of each measured column.
    """

    name: str
    points: Sequence[int]
    measure: Callable[[int], Point]
    columns: dict[str, tuple[str, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    options = parser(PART, __doc__, runs=(3, "measurements of each point")).parse_args(arguments)
    shutil.rmtree(FOLDER, ignore_errors=True)
    lines: list[str] = []
    for curve in curves():
        say(f"Growing {curve.name} ...")
        taken: dict[int, list[Point]] = defaultdict(list)
        for _ in range(options.runs):
            for point in curve.points:
                taken[point].append(curve.measure(point))
        lines += curve_lines(curve, taken)
    shutil.rmtree(FOLDER, ignore_errors=True)
    head = f"Median (minimum to maximum) of {options.runs} fresh processes each, {ANSWERS} answers in each."
    publish(options, PART, [head, *lines])
    return 0


def curves() -> Iterator[Curve]:
    """Yield all curves."""
    for name, points in GROWING.items():
        title = {"length": "length of the padded sequence, tokens"}.get(name, name)
        yield Curve(title, points, partial(one_of, name), COLUMNS)
    yield Curve("bundles", BUNDLES, synthetic, COLUMNS)
    yield Curve("characters of the text", CHARACTERS, lambda count: probe(DEMO, text_of(count)), COLUMNS)
    burst = {
        "cold_milliseconds": ("slowest of the concurrent first answers, ms", 0),
        "answers_per_second": ("then answers per second, in total", 0),
    }
    yield Curve("concurrent sandboxes", SANDBOXES, sandboxes, burst)


def one_of(name: str, value: int) -> Point:
    """Measure one synthetic bundle with one given dimension."""
    return synthetic(1, **{name: value})


def synthetic(count: int, **shape: int) -> Point:
    """Measure a number of synthetic bundles with given dimensions."""
    bundles = FOLDER / "-".join([str(count), *(f"{name}{value}" for name, value in shape.items())])
    if not bundles.exists():
        for index in range(count):
            write_bundle(bundles / f"model{index}", name=f"model{index}", **shape)
    return probe(bundles, "w1 w2 w3 w4 w5 w6 w7 w8")


def text_of(characters: int) -> str:
    """Return a text of words with this number of characters."""
    sentence = TEXTS[1] + " "
    return (sentence * (characters // len(sentence) + 1))[:characters].rstrip().ljust(characters, "x")


def probe(bundles: Path, text: str) -> Point:
    """Measure a fresh process with these bundles and this text.

    Raises:
        SystemExit: The process failed.
    """
    environ = {**os.environ, "NLU_BUNDLES": str(bundles), "NLU_TOKEN_DIGESTS": DIGEST}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.probe", str(ANSWERS)],
        input=json.dumps(hexabot_event(text, TOKEN)),
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PROBE_SECONDS,
    )
    if done.returncode:
        raise SystemExit(f"error: a probe failed with status {done.returncode}: {done.stderr[-500:]}")
    measured: Point = json.loads(done.stdout)
    return measured


def sandboxes(count: int) -> Point:
    """Start sandboxes, send the first request to all of them at once, and then requests without pauses."""
    command = [sys.executable, "scripts/environment.py", "emulator"]
    emulator = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    environ = {"NLU_BUNDLES": str(DEMO), "NLU_TOKEN_DIGESTS": DIGEST}
    event = hexabot_event(TEXTS[1], TOKEN)
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        urls = [stack.enter_context(running_lambda(Path(emulator), environ)) for _ in range(count)]
        started = time.perf_counter()
        list(pool.map(invoke, urls, [event] * count))
        cold = (time.perf_counter() - started) * 1000
        answered = sum(pool.map(lambda url: answers_in(SECONDS, url, event), urls))
    return {"cold_milliseconds": cold, "answers_per_second": answered / SECONDS}


def answers_in(seconds: float, url: str, event: dict[str, Any]) -> int:
    """Send requests to one sandbox without pauses, and return the number of answers."""
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        invoke(url, event)
        count += 1
    return count


def curve_lines(curve: Curve, taken: dict[int, list[Point]]) -> list[str]:
    """Return a curve as a table, with slopes and bends."""
    medians = {key: [float(np.median([p[key] for p in taken[x]])) for x in curve.points] for key in curve.columns}
    rows = [
        [f"{point:,}", *(spread([p[key] for p in taken[point]], digits) for key, (_, digits) in curve.columns.items())]
        for point in curve.points
    ]
    slopes = [f"{slope(curve.points, medians[key]):.2f}" for key in curve.columns]
    bends = [bend(curve.points, medians[key]) for key in curve.columns]
    header = [curve.name, *(title for title, _ in curve.columns.values())]
    return ["", *table(header, [*rows, ["slope", *slopes], ["bends at", *bends]])]


def slope(points: Sequence[int], values: Sequence[float]) -> float:
    """Return the slope of the line through the logarithms."""
    return float(np.polyfit(np.log(points), np.log(values), 1)[0])


def bend(points: Sequence[int], values: Sequence[float]) -> str:
    """Return the first point from which the slope to the last point is more than 0.5, or "not here"."""
    for first in range(len(points) - 1):
        if np.log(values[-1] / values[first]) / np.log(points[-1] / points[first]) > BEND:
            return f"{points[first]:,}"
    return "not here"


if __name__ == "__main__":
    raise SystemExit(main())
