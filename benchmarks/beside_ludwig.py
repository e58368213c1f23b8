"""Measure Ludwig's own servers beside this package: the same models, the same texts, the same machine, one run.

`ludwig serve` serves one model; the server that Hexabot's users run serves several (`benchmarks.multi_serve` has its
shape). Both are compared with `ludwig-serverless serve`, and with the Lambda under its emulator. Starts are one after
another; for warm answers all servers are up, and are asked in turn.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from benchmarks.clients import Body, NoAnswerError, Server, answers_per_second, form, latencies, started
from benchmarks.report import ROOT, parser, publish, record, say, spread, table
from benchmarks.sandbox import DIGEST, TOKEN
from scripts.ask_emulator import TEXTS, free_port, hexabot_event

PART = "beside_ludwig"
RUNS, BUNDLES = ROOT / "build" / "demo" / "runs", ROOT / "build" / "demo" / "bundles"
ONE = ROOT / "build" / "bench" / "bundles" / "one"
CLIENTS = (1, 4, 16)
SECONDS = 4.0
"""How long so many clients ask."""
LUDWIG_ONE, OURS_ONE = "ludwig serve, intent", "this package, intent"
LUDWIG_THREE, OURS_THREE, LAMBDA = (
    "Ludwig's several models, three",
    "this package, three",
    "this package as a Lambda, three",
)
PAIRS = ((LUDWIG_ONE, OURS_ONE), (LUDWIG_THREE, OURS_THREE), (LUDWIG_THREE, LAMBDA))
SHOWN = 300
"""Characters of an error that the table quotes."""


@dataclass
class Candidate:
    """A server, and what it took. failed: why it could not be measured, or nothing."""

    name: str
    command: Callable[[int], list[str]]
    models: Path
    packages: Sequence[str]
    path: str = "/predict"
    body: Body = form
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    throughput: dict[int, str] = field(default_factory=dict)
    rate: dict[int, float] = field(default_factory=dict)
    failed: str = ""

    def start(self, stack: ExitStack) -> Server | None:
        """Start it, or keep why it did not answer."""
        port = free_port()
        environ = {**os.environ, "NLU_OPEN": "1", "NLU_BUNDLES": str(self.models), "NLU_TOKEN_DIGESTS": DIGEST}
        try:
            server = stack.enter_context(started(self.command(port), environ, port, TEXTS[0], self.path, self.body))
        except NoAnswerError as error:
            self.failed = str(error)[:SHOWN]
            say(f"{self.name} does not answer: {self.failed}")
            return None
        self.cold.append(server.cold)
        return server


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the section. Returns the exit status."""
    options = parser(
        PART, __doc__, runs=(3, "starts of each server"), requests=(150, "warm answers of each server")
    ).parse_args(arguments)
    prepare()
    found = candidates()
    for run in range(options.runs - 1):
        for candidate in found:
            say(f"Start {run + 1} of {options.runs}: {candidate.name} ...")
            with ExitStack() as stack:
                candidate.start(stack)
    with ExitStack() as stack:
        up = [(candidate, server) for candidate in found if (server := candidate.start(stack))]
        say("Warm answers ...")
        for (candidate, _), taken in zip(
            up, latencies([server for _, server in up], TEXTS, options.requests), strict=True
        ):
            candidate.warm = taken
        for candidate, server in up:
            say(f"Many clients: {candidate.name} ...")
            candidate.peak.append(server.peak_megabytes())
            for clients in CLIENTS:
                measure_throughput(candidate, server, clients)
    publish(options, PART, tables(found))
    by_name = {candidate.name: candidate for candidate in found}
    if by_name[LUDWIG_THREE].peak:
        record(options, PART, {"ludwig_memory_megabytes": by_name[LUDWIG_THREE].peak[0]})
    if by_name[LUDWIG_THREE].rate:
        record(options, PART, {"ludwig_answers_per_second": max(by_name[LUDWIG_THREE].rate.values())})
    return 1 if any(candidate.failed for candidate in found) else 0


def prepare() -> None:
    """Have the demo's models and their bundles, training and exporting what is missing."""
    names = ("intent", "language", "slots")
    wanted = [*(RUNS / name / "training.json" for name in names), *(BUNDLES / name / "manifest.json" for name in names)]
    if not all(path.exists() for path in wanted):
        say("Making the demo's models, once ...")
        done = subprocess.run([sys.executable, "-m", "scripts.demo"], cwd=ROOT, stdout=sys.stderr)
        if done.returncode:
            raise SystemExit("error: the demo's models could not be made")
    shutil.rmtree(ONE, ignore_errors=True)
    shutil.copytree(BUNDLES / "intent", ONE / "intent")


def candidates() -> list[Candidate]:
    """Return every server."""
    ludwig = str(Path(sys.executable).with_name("ludwig"))
    runs = [str(RUNS / name) for name in ("intent", "language", "slots")]
    model = RUNS / "intent" / "model"
    emulator = subprocess.run(
        [sys.executable, "scripts/environment.py", "emulator"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()

    def serve(bundles: Path) -> Callable[[int], list[str]]:
        return lambda port: [sys.executable, "-m", "handler", "serve", str(bundles), "--open", "--port", str(port)]

    def as_lambda(port: int) -> list[str]:
        addresses = ("--runtime-interface-emulator-address", f"127.0.0.1:{port}")
        runtime = ("--runtime-api-address", f"127.0.0.1:{free_port()}")
        return [
            emulator,
            *addresses,
            *runtime,
            sys.executable,
            "-m",
            "awslambdaric",
            "handler.entrypoint.lambda_handler",
        ]

    own = [
        str(requirement)
        for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    theirs = ["ludwig", "fastapi", "uvicorn", "python-multipart"]
    return [
        Candidate(
            LUDWIG_ONE,
            lambda port: [ludwig, "serve", "-m", str(model), "-H", "127.0.0.1", "-p", str(port)],
            model,
            theirs,
        ),
        Candidate(OURS_ONE, serve(ONE), ONE, [*own, "uvicorn"]),
        Candidate(
            LUDWIG_THREE,
            lambda port: [sys.executable, "-m", "benchmarks.multi_serve", *runs, "--port", str(port)],
            RUNS,
            theirs,
        ),
        Candidate(OURS_THREE, serve(BUNDLES), BUNDLES, [*own, "uvicorn"]),
        Candidate(
            LAMBDA,
            as_lambda,
            BUNDLES,
            [*own, "awslambdaric"],
            "/2015-03-31/functions/function/invocations",
            lambda text: json.dumps(hexabot_event(text, TOKEN)).encode(),
        ),
    ]


def measure_throughput(candidate: Candidate, server: Server, clients: int) -> None:
    """Let many clients ask one server; a Lambda's sandbox answers one at a time by design."""
    if candidate.name == LAMBDA and clients > 1:
        candidate.throughput[clients] = "one at a time"
        return
    try:
        rate = answers_per_second(server, TEXTS, clients, SECONDS)
    except NoAnswerError as error:
        candidate.throughput[clients] = f"fails: {str(error)[:80]}"
        return
    candidate.rate[clients] = rate
    candidate.throughput[clients] = f"{rate:.1f}"


def tables(found: Sequence[Candidate]) -> list[str]:
    """Return the section: what each took, the ratios, and who failed."""
    header = ["", "cold start, ms", "warm p50, ms", "warm p99, ms", "peak MB", "packages, MB", "models, MB"]
    rows = []
    for each in found:
        warm = [f"{value:.2f}" for value in np.percentile(each.warm, (50, 99))] if each.warm else ["fails", "fails"]
        cold = spread(each.cold) if each.cold else "fails"
        peak = f"{each.peak[0]:.0f}" if each.peak else "fails"
        disk = [f"{packages_bytes(each.packages) / 1e6:.0f}", f"{folder_bytes(each.models) / 1e6:.1f}"]
        rows.append([each.name, cold, *warm, peak, *disk])
    rates = [[each.name, *(each.throughput.get(clients, "fails") for clients in CLIENTS)] for each in found]
    return [
        "Cold: from the process's start to its first answer, median (minimum to maximum). Memory: the peak of the "
        "process after the warm answers. Packages: all that the server's requirements install.",
        "",
        *table(header, rows),
        "",
        "Answers a second:",
        "",
        *table(["", *(f"{clients} clients" if clients > 1 else "1 client" for clients in CLIENTS)], rates),
        "",
        "How many times as much Ludwig takes (of answers a second: how many times as many this package gives), from "
        "the medians of this run:",
        "",
        *table(["", "cold", "warm p50", "warm p99", "memory", "packages", "4 clients"], ratio_rows(found)),
        *(f"\n{each.name} could not be measured: {each.failed}" for each in found if each.failed),
    ]


def ratio_rows(found: Sequence[Candidate]) -> list[list[str]]:
    """Return a row for each pair that could be measured."""
    by_name = {candidate.name: candidate for candidate in found}
    rows = []
    for theirs, ours in ((by_name[first], by_name[second]) for first, second in PAIRS):
        if not theirs.warm or not ours.warm:
            continue
        warm = [np.percentile(theirs.warm, at) / np.percentile(ours.warm, at) for at in (50, 99)]
        numbers = [np.median(theirs.cold) / np.median(ours.cold), *warm, theirs.peak[0] / ours.peak[0]]
        numbers.append(packages_bytes(theirs.packages) / packages_bytes(ours.packages))
        rate = f"{ours.rate[4] / theirs.rate[4]:.1f}" if 4 in ours.rate and 4 in theirs.rate else "one at a time"
        rows.append([f"{theirs.name} / {ours.name}", *(f"{number:.1f}" for number in numbers), rate])
    return rows


def folder_bytes(folder: Path) -> int:
    """Return the size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def packages_bytes(requirements: Iterable[str]) -> int:
    """Return the size of the files of some packages and of all that they require here, bytecode left out."""
    waiting, seen, size = [Requirement(text).name.lower() for text in requirements], set(), 0
    while waiting:
        name = waiting.pop().replace("_", "-").lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system
        files = [Path(str(file.locate())) for file in package.files or () if file.suffix != ".pyc"]
        size += sum(path.stat().st_size for path in files if path.is_file())
        needs = [Requirement(text) for text in package.requires or ()]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return size


if __name__ == "__main__":
    raise SystemExit(main())
