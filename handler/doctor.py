"""Measure a cold start in a separate process: time per import and per bundle."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from handler.errors import DeploymentError
from handler.extras import ROOT

IMPORT = re.compile(r"import time: +\d+ \| +(\d+) \| ( *)(\S+)")
SHOWN_MILLISECONDS = 2.0
TEXT = "book me a flight to New York next friday morning"


class Imported(NamedTuple):
    """A module's import. depth: below the modules that asked for it. milliseconds: with all that it asked for."""

    name: str
    depth: int
    milliseconds: float


class Start(NamedTuple):
    """A start, taken apart. stages: milliseconds by name, in order. modules: how many were imported."""

    stages: dict[str, float]
    modules: int


def examine(environ: Mapping[str, str]) -> str:
    """Start a service with these settings, and return a table of what took how long.

    Raises DeploymentError, with what the start said, if it fails.
    """
    import json
    import subprocess

    began = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "handler.doctor"],
        env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH")]))},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = (time.perf_counter() - began) * 1000
    said = [line for line in child.stderr.splitlines() if not line.startswith("import time:")]
    if child.returncode:
        raise DeploymentError(f"The service does not start: {said[-1] if said else child.returncode}")
    return table(Start(**json.loads(child.stdout)), read_imports(child.stderr), whole)


def read_imports(stderr: str) -> list[Imported]:
    """Read what `python -X importtime` wrote, in import order: a module comes before the modules that it imports."""
    found = [
        Imported(match[3], len(match[2]) // 2, int(match[1]) / 1000)
        for match in map(IMPORT.match, stderr.splitlines())
        if match
    ]
    return list(_parents_first(found))


def table(start: Start, imports: list[Imported], whole_milliseconds: float) -> str:
    """Return a start as a person reads it: what took at least two milliseconds, below what asked for it."""
    lines = [f"{'milliseconds':>12}  of a start, in one run on this machine: run it again to see the noise"]
    for name, milliseconds in start.stages.items():
        lines.append(f"{milliseconds:12.1f}  {name}")
        if name == "imports":
            lines += [
                f"{module.milliseconds:12.1f}  {'  ' * (module.depth + 1)}{module.name}"
                for module in imports
                if module.milliseconds >= SHOWN_MILLISECONDS and not module.name.startswith("handler.doctor")
            ]
    rest = whole_milliseconds - sum(start.stages.values())
    lines.append(f"{rest:12.1f}  Python's own start and end, and the tracing of imports")
    lines.append(f"{start.modules:12}  modules imported")
    return "\n".join(lines)


def _parents_first(imports: list[Imported]) -> Iterator[Imported]:
    """Turn the order round: Python names a module after all that it imported."""
    pending: list[list[Imported]] = []
    for module in imports:
        own = [module]
        while pending and pending[-1][0].depth > module.depth:
            own[1:1] = pending.pop()
        pending.append(own)
    for group in pending:
        yield from group


def start() -> Start:
    """Start a service by this process's environment, and ask it something."""
    stages: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        stages[name] = round((time.perf_counter() - began) * 1000, 3)

    with stage("imports"):
        import os

        from handler import gateway, golden, routes  # noqa: F401
        from handler.graph import load_graph
        from handler.hexabot import Service
        from handler.predictor import Predictor, bundle_folders
        from handler.settings import Settings
        from handler.sources import local_folders
    settings = Settings.from_env(os.environ)
    with stage("bundles found, and fetched where they are remote"):
        folders = [
            folder for place in local_folders(settings.bundles, settings.cache) for folder in bundle_folders(place)
        ]
    predictors = {}
    for folder in folders:
        with stage(f"{folder.name}: read and checked, loaded"):
            predictor = Predictor(folder, settings.threads)
        graph = predictor.manifest.graph
        with stage(
            f"  of {folder.name}, its graph alone, once more ({predictor.manifest.files[graph.file].bytes} bytes)"
        ):
            load_graph(graph, folder, settings.threads)
        predictors[predictor.manifest.name] = predictor
    service = Service(predictors, settings)
    for name in ("first answer", "second answer"):
        with stage(name):
            service.predict({"text": TEXT})
    return Start(stages, len(sys.modules))


if __name__ == "__main__":
    seen = start()
    import json

    print(json.dumps(seen._asdict()))
