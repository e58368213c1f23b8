"""Measure cold starts in containers, compared with two baselines and plain FastAPI.

Each run starts a fresh container with the memory and CPU of a Lambda function and sends Hexabot's request. The emulator
starts the runtime on the first request, so the duration of that request is the user's cold start. Variants are
interleaved, the first round is discarded, and all variants must answer the same bytes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.report import parser, publish, ratios, record, say, spread, table
from benchmarks.sandbox import (
    DEFAULT_THREADS,
    HANDLERS,
    NAMES,
    KilledError,
    build_images,
    cores,
    minilm_bundle,
    sandbox,
)
from ludwig_serverless.simulation.durations import FULL_CORE_MEGABYTES
from scripts.ask_emulator import TEXTS
from scripts.containers import Engine, NoEngineError, find_engine

PART = "cold"
TRIO, MINILM = "three small models", "one transformer (MiniLM)"
VARIANTS = (*HANDLERS, DEFAULT_THREADS)
SIZES = (FULL_CORE_MEGABYTES, 512, 3008)
TEXT = TEXTS[1]


class Times(NamedTuple):
    """Durations of one cold start, in milliseconds.

    Attributes:
        answer: From the first request to its answer.
        init: The runtime's initialization within `answer`, as the emulator reports it.
        start: From the start of the container to the first answer.
    """

    answer: float
    init: float
    start: float


@dataclass(frozen=True)
class Case:
    """A variant with models and a memory size.

    Attributes:
        models: Name of the models in the tables.
        megabytes: The memory limit.
        variant: A key of NAMES.
        bundles: Folder of the models; None uses those of the image.
        taken: Durations of each round.
    """

    models: str
    megabytes: int
    variant: str
    bundles: Path | None = None
    taken: list[Times] = field(default_factory=list)

    @property
    def answers(self) -> list[float]:
        """The durations of the first answers, in milliseconds."""
        return [times.answer for times in self.taken]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    options = parser(PART, __doc__, runs=(10, "containers of each kind, after one that is discarded")).parse_args(
        arguments
    )
    try:
        engine = find_engine()
    except NoEngineError as error:
        say(f"error: {error}")
        return 1
    build_images(engine)
    found = cases(minilm_bundle())
    for run in range(-1, options.runs):
        say(f"Cold starts, round {run + 1} of {options.runs} ...")
        try:
            taken = [measure(engine, case) for case in found]
        except KilledError as error:
            say(f"Discarding this round: {error}")
            continue
        check_bodies(found, [body for _, body in taken])
        if run >= 0:
            for case, (times, _) in zip(found, taken, strict=True):
                case.taken.append(times)
    if len(found[0].taken) * 2 < options.runs:
        say("error: more than half of the rounds were discarded")
        return 1
    publish(options, PART, tables(found))
    ours = next(case for case in found if case.variant == "handler")
    record(
        options,
        PART,
        {"cold_start_milliseconds": float(np.median(ours.answers))},
        {"cold_start_milliseconds": ours.answers},
    )
    return 0


def cases(transformer: Path) -> list[Case]:
    """Return all cases of a round."""
    small = [Case(TRIO, size, variant) for size in SIZES for variant in VARIANTS]
    return small + [Case(MINILM, FULL_CORE_MEGABYTES, variant, transformer) for variant in VARIANTS]


def measure(engine: Engine, case: Case) -> tuple[Times, str]:
    """Start a fresh container and send one request.

    Returns:
        The durations, and the body of the answer.

    Raises:
        KilledError: The container exited before it answered.
    """
    with sandbox(engine, case.variant, case.megabytes, case.bundles) as started:
        asked = time.perf_counter()
        body = started.ask(TEXT)["body"]
        answered = time.perf_counter()
        init = started.init_milliseconds()
    return Times((answered - asked) * 1000, init, (answered - started.started) * 1000), body


def check_bodies(found: Sequence[Case], bodies: Sequence[str]) -> None:
    """Check that all variants with the same models answered the same bytes, and so are comparable.

    Raises:
        SystemExit: They did not.
    """
    first: dict[str, str] = {}
    for case, body in zip(found, bodies, strict=True):
        if first.setdefault(case.models, body) != body:
            raise SystemExit(f"error: with {case.models}, {NAMES[case.variant]} answered different bytes")


def tables(found: Sequence[Case]) -> list[str]:
    """Return the lines of the section: durations and ratios."""
    took = [
        [
            f"{case.models}, {case.megabytes} MB, {cores(case.megabytes):.2f} cores: {NAMES[case.variant]}",
            *map(spread, zip(*case.taken, strict=True)),
        ]
        for case in found
    ]
    return [
        f"Milliseconds, median (minimum to maximum) of {len(found[0].taken)} containers each:",
        "",
        *table(["", "first answer", "INIT within it", "container start to first answer"], took),
        "",
        "Ratios of the first answers in each round; all variants answered the same bytes:",
        "",
        *table(["", "minimum", "median", "maximum"], ratio_rows(found)),
    ]


def ratio_rows(found: Sequence[Case]) -> list[list[str]]:
    """Return a table row for each pair of variants with the same models and memory."""
    rows = []
    for first in (case for case in found if case.variant == "handler"):
        same = {
            case.variant: case for case in found if (case.models, case.megabytes) == (first.models, first.megabytes)
        }
        where = f"{first.models}, {first.megabytes} MB"
        for variant, other in (
            ("handler", "baseline_capi"),
            ("handler", "baseline_minimal"),
            ("handler", DEFAULT_THREADS),
            ("baseline_fastapi", "baseline_minimal"),
            ("baseline_fastapi", "handler"),
        ):
            pair = ratios(same[variant].answers, same[other].answers)
            rows.append([f"{where}: {NAMES[variant]} / {NAMES[other]}", *pair])
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
