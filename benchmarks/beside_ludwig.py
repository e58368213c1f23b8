"""Compare Ludwig's servers with this package: the same models, texts and machine, in one run.

`ludwig serve` serves one model; the server that Hexabot's users run serves several (`benchmarks.multi_serve` imitates
it). Both are compared with `ludwig-serverless serve` and with the Lambda handler in the emulator. Servers start one
after another; for warm answers, all servers run at once and answer in turn.
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
RUNS, BUNDLES = ROOT / "build" / "shipped" / "runs", ROOT / "build" / "shipped" / "bundles"
ONE = ROOT / "build" / "bench" / "bundles" / "one"
CLIENTS = (1, 4, 16)
SECONDS = 4.0
"""Duration of the throughput measurement per number of clients."""
LUDWIG_ONE, OURS_ONE = "ludwig serve, intent", "this package, intent"
LUDWIG_THREE, OURS_THREE, LAMBDA = (
    "Ludwig's several models, three",
    "this package, three",
    "this package as a Lambda, three",
)
PAIRS = ((LUDWIG_ONE, OURS_ONE), (LUDWIG_THREE, OURS_THREE), (LUDWIG_THREE, LAMBDA))
SHOWN = 300
"""Maximum number of characters of an error in the table."""


@dataclass
class Candidate:
    """A server and its measurements.

    Attributes:
        name: Name in the tables.
        command: Returns the command that starts it on a port.
        models: Folder of its models, for their size.
        packages: Requirements of the server, for their size.
        path: Path of the request.
        body: Returns the request body for a text.
        cold: Milliseconds of each cold start.
        warm: Milliseconds of each warm answer.
        peak: Peak memory, in MB.
        throughput: Table cell by number of clients.
        rate: Answers per second by number of clients.
        failed: Why it could not be measured; "" otherwise.
    """

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
        """Start the server and record its cold start; if it does not answer, record why and return None."""
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
    """Measure, write the section, and return the exit status."""
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
    if by_name[OURS_THREE].rate:
        record(options, PART, {"serve_answers_per_second": max(by_name[OURS_THREE].rate.values())})
    return 1 if any(candidate.failed for candidate in found) else 0


def prepare() -> None:
    """Train and export the shipped models if any is missing."""
    names = ("intent", "language", "slots")
    wanted = [*(RUNS / name / "training.json" for name in names), *(BUNDLES / name / "manifest.json" for name in names)]
    if not all(path.exists() for path in wanted):
        say("Creating the shipped models (only once) ...")
        done = subprocess.run([sys.executable, "-m", "scripts.shipped_models"], cwd=ROOT, stdout=sys.stderr)
        if done.returncode:
            raise SystemExit("error: cannot create the shipped models")
    shutil.rmtree(ONE, ignore_errors=True)
    shutil.copytree(BUNDLES / "intent", ONE / "intent")


def candidates() -> list[Candidate]:
    """Return all servers to compare."""
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
    """Measure a server's answers per second; a Lambda sandbox handles one request at a time by design.

    Args:
        candidate: The server's entry, which gets the result.
        server: The running server.
        clients: Number of concurrent clients.
    """
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
    """Return the lines of the section: measurements, ratios and failures."""
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
        "Cold start: from the start of the process to its first answer, median (minimum to maximum). Memory: the peak "
        "of the process after the warm answers. Packages: everything that the server's requirements install.",
        "",
        *table(header, rows),
        "",
        "Answers per second:",
        "",
        *table(["", *(f"{clients} clients" if clients > 1 else "1 client" for clients in CLIENTS)], rates),
        "",
        "How many times more Ludwig needs (for 4 clients: how many times more answers per second this package gives), "
        "from the medians of this run:",
        "",
        *table(["", "cold", "warm p50", "warm p99", "memory", "packages", "4 clients"], ratio_rows(found)),
        *(f"\n{each.name} could not be measured: {each.failed}" for each in found if each.failed),
    ]


def ratio_rows(found: Sequence[Candidate]) -> list[list[str]]:
    """Return a table row for each pair that could be measured."""
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
    """Return the total size of a folder's files, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def packages_bytes(requirements: Iterable[str]) -> int:
    """Return the total size of packages and their installed requirements, in bytes, without bytecode."""
    waiting, seen, size = [Requirement(text).name.lower() for text in requirements], set(), 0
    while waiting:
        name = waiting.pop().replace("_", "-").lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # a requirement for another platform
        files = [Path(str(file.locate())) for file in package.files or () if file.suffix != ".pyc"]
        size += sum(path.stat().st_size for path in files if path.is_file())
        needs = [Requirement(text) for text in package.requires or ()]
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return size


if __name__ == "__main__":
    raise SystemExit(main())
