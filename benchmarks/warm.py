"""Measure warm answers with and without their graphs, compared with two baselines and plain FastAPI.

In process, the runs of graphs are timed inside each answer. The rest is the code around it: the event,
authentication, the body, tokenization, the columns, the JSON, and the log line, which is written as in production. Then
all variants run in the emulator, over HTTP. Variants take turns; in process, each runs BLOCK answers at a time, because
in a real Lambda function the CPU caches contain only one variant's code.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime

from benchmarks.report import ROOT, parser, publish, ratios, record, say, table
from benchmarks.sandbox import DIGEST, HANDLERS, NAMES, TOKEN
from handler.onnx_session import CSession
from scripts.ask_emulator import TEXTS, hexabot_event, invoke, running_lambda

PART = "warm"
BLOCK = 50
EVENTS = [hexabot_event(text, TOKEN) for text in TEXTS]
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class Taken:
    """Durations of answers, in milliseconds.

    Attributes:
        answer: Whole answers, in process.
        overhead: The same answers without their graphs.
        emulator: Requests over HTTP, through the emulator.
    """

    answer: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    emulator: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    made = parser(
        PART, __doc__, runs=(2000, "answers of each kind in process"), requests=(300, "requests to each emulator")
    )
    made.add_argument(
        "bundles", nargs="?", default="examples/bundles", help="a folder of bundles (default: %(default)s)"
    )
    options = made.parse_args(arguments)
    taken = {name: Taken() for name in HANDLERS}
    os.environ |= {"NLU_BUNDLES": str(Path(options.bundles).resolve()), "NLU_TOKEN_DIGESTS": DIGEST}
    say("Answers in process ...")
    logged, answered = in_process(taken, options.runs)
    say("Answers in the emulator ...")
    under_emulator(taken, options.requests)
    publish(options, PART, tables(taken, logged))
    record(
        options,
        PART,
        {
            "warm_answer_milliseconds": float(np.median(taken["handler"].emulator)),
            "log_bytes_per_message": logged,
            "answer_bytes_per_message": answered,
        },
        {"warm_answer_milliseconds": taken["handler"].emulator},
    )
    return 0


def in_process(taken: dict[str, Taken], runs: int) -> tuple[float, float]:
    """Measure all variants in turn; return the number of bytes that the handler logs and answers per message."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # as Lambda's runtime does for Mangum
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log, redirect_stdout(log), timed_graphs() as graphs:
        handlers: dict[str, Handler] = {
            name: import_module(handler.rpartition(".")[0]).lambda_handler for name, handler in HANDLERS.items()
        }
        for start in range(-BLOCK, runs, BLOCK):
            for name, handler in handlers.items():
                for index in range(start, min(start + BLOCK, runs)):
                    answer, alone = one_answer(handler, index, graphs)
                    if index >= 0:
                        taken[name].answer.append(answer)
                        taken[name].overhead.append(answer - alone)
        log.seek(0)
        lines = [line for line in log if '"message":"request"' in line]
        bodies = [handlers["handler"](event, None)["body"] for event in EVENTS]
    return mean_bytes(lines), mean_bytes(bodies)


def mean_bytes(texts: Sequence[str]) -> float:
    """Return the mean length of texts in UTF-8, in bytes."""
    return float(np.mean([len(text.encode()) for text in texts]))


def one_answer(handler: Handler, index: int, graphs: list[float]) -> tuple[float, float]:
    """Measure one answer.

    Args:
        handler: The variant's handler.
        index: Number of the request, which selects the text.
        graphs: The list of `timed_graphs`.

    Returns:
        The duration of the answer and of its graphs, in milliseconds.

    Raises:
        SystemExit: The handler failed.
    """
    graphs.clear()
    started = time.perf_counter()
    answer = handler(EVENTS[index % len(EVENTS)], None)
    took = time.perf_counter() - started
    if answer["statusCode"] != 200:
        raise SystemExit(f"error: the handler answered {answer}")
    if not graphs:
        raise SystemExit(f"error: {handler.__module__} answered without running a graph")
    return took * 1000, sum(graphs) * 1000


@contextmanager
def timed_graphs() -> Iterator[list[float]]:
    """Time each run of a graph, and yield the list of durations in seconds, which the caller clears."""
    taken: list[float] = []

    def timed(run: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return run(*arguments, **options)
            finally:
                taken.append(time.perf_counter() - started)

        return measured

    floor = import_module("benchmarks.baseline_capi")  # loads the models of NLU_BUNDLES
    with ExitStack() as stack:
        for runner, name in ((CSession, "run"), (onnxruntime.InferenceSession, "run"), (floor, "run_session")):
            stack.enter_context(patch.object(runner, name, timed(getattr(runner, name))))
        yield taken


def under_emulator(taken: dict[str, Taken], requests: int) -> None:
    """Measure all variants in turn over HTTP, through AWS's emulator."""
    command = [sys.executable, "scripts/environment.py", "emulator"]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(running_lambda(Path(found), {}, handler)) for name, handler in HANDLERS.items()
        }
        for index in range(-10, requests):
            for name, url in urls.items():
                started = time.perf_counter()
                answer = invoke(url, EVENTS[index % len(EVENTS)])
                took = (time.perf_counter() - started) * 1000
                if answer["statusCode"] != 200:
                    raise SystemExit(f"error: {name} answered {answer}")
                if index >= 0:
                    taken[name].emulator.append(took)


def tables(taken: dict[str, Taken], logged: float) -> list[str]:
    """Return the lines of the section."""
    rows = []
    for name, took in taken.items():
        graphs = np.subtract(took.answer, took.overhead).tolist()
        kinds = (
            ("answer in process", took.answer),
            ("its graphs alone", graphs),
            ("answer without its graphs", took.overhead),
            ("request over HTTP, through the emulator", took.emulator),
        )
        rows += [[f"{NAMES[name]}: {kind}", *percentiles(values), str(len(values))] for kind, values in kinds]
    pairs = (
        ("handler", "baseline_capi"),
        ("handler", "baseline_minimal"),
        ("baseline_fastapi", "baseline_minimal"),
        ("baseline_fastapi", "handler"),
    )
    compared = [
        [f"{NAMES[variant]} / {NAMES[other]}: {kind}", *ratios(part_medians(first), part_medians(second))]
        for variant, other in pairs
        for kind, first, second in (
            ("answer", taken[variant].answer, taken[other].answer),
            ("answer without its graphs", taken[variant].overhead, taken[other].overhead),
            ("over HTTP", taken[variant].emulator, taken[other].emulator),
        )
    ]
    return [
        "Milliseconds for one utterance and three models:",
        "",
        *table(["", "minimum", "p50", "p99", "maximum", "answers"], rows),
        "",
        "Ratios of the medians in ten parts of the run:",
        "",
        *table(["", "minimum", "median", "maximum"], compared),
        "",
        f"This package logs {logged:.0f} bytes per message; the minimal baseline logs nothing.",
    ]


def percentiles(values: Sequence[float]) -> list[str]:
    """Return minimum, median, 99th percentile and maximum as table cells."""
    return [f"{value:.3f}" for value in np.percentile(values, (0, 50, 99, 100))]


def part_medians(values: Sequence[float], parts: int = 10) -> list[float]:
    """Split a run into parts, at most one per value, and return the median of each."""
    return [float(np.median(part)) for part in np.array_split(values, min(parts, len(values)))]


if __name__ == "__main__":
    raise SystemExit(main())
