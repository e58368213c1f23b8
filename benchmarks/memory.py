"""Measure the memory of the Lambda process, of each import and model in it, and the size of the image.

Peaks are those of the runtime process in a container with Lambda's limits (`VmHWM` in /proc). Then the memory limit is
lowered, and the runtime either answers or is killed by the kernel.
"""

import json
import time
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.report import parser, publish, record, say, spread, table
from benchmarks.sandbox import (
    DIGEST,
    HANDLERS,
    IMAGE,
    NAMES,
    KilledError,
    build_images,
    image_megabytes,
    minilm_bundle,
    sandbox,
)
from ludwig_serverless.simulation.durations import FULL_CORE_MEGABYTES
from scripts.ask_emulator import TEXTS
from scripts.containers import Engine, NoEngineError, find_engine

PART = "memory"
LIMITS = (512, 256, 128)
ANSWERS = 100
BIGGEST = 12
OURS = ("handler.hexabot", "handler.gateway", "handler.routes")
IMPORTS = ("awslambdaric.bootstrap", "ctypes", "handler.light_imports", *OURS)
SUBWORD_IMPORTS = ("awslambdaric.bootstrap", "ctypes", "handler.light_imports", "tokenizers", *OURS)
STEPS = """
import json, os, sys
from pathlib import Path

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

found = [["Python itself", resident()]]
def step(name, run):
    before = resident()
    made = run()
    found.append([name, resident() - before])
    return made

def imported(name):
    step(f"import {name}", lambda: __import__(name, fromlist=["_"]))

for name in sys.argv[1:]:
    imported(name)
from handler.hexabot import Service
from handler.predictor import Predictor
from handler.settings import Settings
from handler.graph import session_class
settings = Settings.from_env(os.environ)
step("load onnxruntime", session_class)
models = {}
for folder in sorted(path.parent for path in Path(os.environ["NLU_BUNDLES"]).glob("*/manifest.json")):
    models[folder.name] = step(f"model {folder.name}", lambda: Predictor(folder, settings.threads))
service = Service(models, settings)
step("first answer", lambda: service.predict({"text": "book me a flight to New York"}))
step("99 more answers", lambda: all(service.predict({"text": "book me a flight to New York"}) for _ in range(99)))
print(json.dumps(found))
"""
PACKAGES = """
import json, pathlib
root, sizes = pathlib.Path("/var/task"), {}
for path in root.rglob("*"):
    if path.is_file() and root / "bundles" not in path.parents:
        top = path.relative_to(root).parts[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
print(json.dumps(sizes))
"""


@dataclass(frozen=True)
class Models:
    """The models of a measurement.

    Attributes:
        name: Their name in the tables.
        bundles: Their folder; None uses the bundles in the image.
    """

    name: str
    bundles: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    options = parser(PART, __doc__, runs=(3, "containers of each kind")).parse_args(arguments)
    try:
        engine = find_engine()
    except NoEngineError as error:
        say(f"error: {error}")
        return 1
    build_images(engine)
    both = (Models("three small models", None), Models("one transformer (MiniLM)", minilm_bundle()))
    say("Peaks ...")
    peaks = {
        (models.name, variant): [peak(engine, variant, models) for _ in range(options.runs)]
        for models in both
        for variant in HANDLERS
    }
    say("Limits ...")
    limits = [[models.name, *(outcome(engine, models, limit) for limit in LIMITS)] for models in both]
    say("Contributors ...")
    contributors = {models.name: steps(engine, models) for models in both}
    sizes = json.loads(python(engine, PACKAGES))
    added = image_megabytes(engine)
    publish(options, PART, tables(peaks, limits, contributors, sizes, added))
    small = peaks[both[0].name, "handler"]
    record(options, PART, {"memory_megabytes": float(np.median(small)), "image_megabytes": added})
    return 0


def peak(engine: Engine, variant: str, models: Models) -> float:
    """Return the peak memory of a fresh runtime after its answers, in MB."""
    with sandbox(engine, variant, FULL_CORE_MEGABYTES, models.bundles) as started:
        for index in range(ANSWERS):
            started.ask(TEXTS[index % len(TEXTS)])
        return started.peak_megabytes()


def outcome(engine: Engine, models: Models, limit: int) -> str:
    """Start the handler with a memory limit and send requests.

    Args:
        engine: The container engine.
        models: The models.
        limit: The memory limit, in MB.

    Returns:
        The outcome, as a table cell.
    """
    # Podman's monitor writes a file `oom` into its working folder.
    with TemporaryDirectory() as folder, chdir(folder), sandbox(engine, "handler", limit, models.bundles) as started:
        asked = time.perf_counter()
        try:
            started.ask(TEXTS[0])
            first = (time.perf_counter() - asked) * 1000
            for index in range(ANSWERS):
                started.ask(TEXTS[index % len(TEXTS)])
        except KilledError as error:
            return "killed: out of memory" if started.was_killed() else f"fails: {str(error)[:80]}"
        return f"answers; the first after {first:.0f} ms"


def steps(engine: Engine, models: Models) -> list[tuple[str, float]]:
    """Return what each import and each model adds to the process, in MB, in order."""
    mounted = () if models.bundles is None else ("-v", f"{models.bundles.resolve()}:/models:ro")
    folder = "/var/task/bundles" if models.bundles is None else "/models"
    given = ("-e", f"NLU_BUNDLES={folder}", "-e", f"NLU_TOKEN_DIGESTS={DIGEST}")
    found = python(engine, STEPS, *mounted, *given, arguments=IMPORTS if models.bundles is None else SUBWORD_IMPORTS)
    return [(name, added) for name, added in json.loads(found.splitlines()[-1])]


def python(engine: Engine, code: str, *options: str, arguments: Sequence[str] = ()) -> str:
    """Run Python code in the image, and return its stdout."""
    return engine.run("run", "--rm", *options, "--entrypoint", "python3", IMAGE, "-c", code, *arguments).stdout


def tables(
    peaks: dict[tuple[str, str], list[float]],
    limits: Sequence[Sequence[str]],
    contributors: dict[str, list[tuple[str, float]]],
    sizes: dict[str, int],
    added: float,
) -> list[str]:
    """Return the lines of the section."""
    biggest = sorted(sizes.items(), key=lambda item: -item[1])[:BIGGEST]
    lines = [
        f"Peak resident memory in MB after {ANSWERS} answers, median (minimum to maximum) of fresh containers:",
        "",
        *table(["", "MB"], [[f"{name}: {NAMES[kind]}", spread(taken, 1)] for (name, kind), taken in peaks.items()]),
        "",
        f"With less memory, and the CPU share that Lambda gives for it, {ANSWERS} answers:",
        "",
        *table(["", *(f"{limit} MB" for limit in LIMITS)], limits),
    ]
    for name, found in contributors.items():
        lines += [
            "",
            f"What adds memory to the process with {name}, in MB and in this order (shared imports count once):",
            "",
        ]
        lines += table(["", "MB"], [[step, f"{megabytes:.1f}"] for step, megabytes in found])
    lines += ["", f"The image adds {added:.1f} MB to its base, without bundles. The largest parts:", ""]
    return lines + table(["", "MB"], [[name, f"{size / 1e6:.1f}"] for name, size in biggest])


if __name__ == "__main__":
    raise SystemExit(main())
