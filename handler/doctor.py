"""Measure a cold start in a separate process, and show its steps as a waterfall."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from handler.errors import DeploymentError
from handler.extras import ROOT
from handler.files import StrPath

if TYPE_CHECKING:
    from handler.bundle import Graph, Manifest
    from handler.graph import RunningGraph

IMPORT = re.compile(r"import time: +\d+ \| +(\d+) \| ( *)(\S+)")
SHOWN_MILLISECONDS = 2.0
BAR = 40
"""The width of the waterfall in characters."""
IMPORTS = "imports"
TEXT = "book me a flight to New York next friday morning"


class Imported(NamedTuple):
    """The import of a module.

    Attributes:
        name: The module's full name.
        depth: How many imports it is nested in.
        milliseconds: The time that it took, nested imports included.
    """

    name: str
    depth: int
    milliseconds: float


class StartTimings(NamedTuple):
    """The timings of a start.

    Attributes:
        stages: Milliseconds by stage, in order.
        modules: How many modules were imported.
    """

    stages: dict[str, float]
    modules: int


def examine(environ: Mapping[str, str]) -> str:
    """Start the service in a new process and return a table of what took how long.

    Args:
        environ: The environment variables of the process, NLU_BUNDLES included.

    Returns:
        The table, as text.

    Raises:
        DeploymentError: The service does not start. The message quotes the last line of its stderr.
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
        reason = said[-1] if said else f"exit status {child.returncode}"
        raise DeploymentError(f"The service does not start: {reason}")
    return table(StartTimings(**json.loads(child.stdout)), read_imports(child.stderr), whole)


def read_imports(stderr: str) -> list[Imported]:
    """Parse the output of `python -X importtime`.

    Args:
        stderr: The output, which lists a module after the modules that it imports.

    Returns:
        The imports, each one before the imports nested in it.
    """
    found = [
        Imported(match[3], len(match[2]) // 2, int(match[1]) / 1000)
        for match in map(IMPORT.match, stderr.splitlines())
        if match
    ]
    return list(_parents_first(found))


def table(start: StartTimings, imports: list[Imported], whole_milliseconds: float) -> str:
    """Format the timings of a start as a table.

    Args:
        start: The stages of the start.
        imports: The imports in the order of `read_imports`. Those under two milliseconds are left out.
        whole_milliseconds: The time of the whole process.

    Returns:
        One line for each stage, with the imports indented below the first one.
    """
    taken = sum(start.stages.values())
    lines = [f"{'milliseconds':>12}  one start on this machine; run the command again to see how much times vary"]
    began = 0.0
    for name, milliseconds in start.stages.items():
        lines.append(f"{milliseconds:12.1f}  {_bar(began / taken, milliseconds / taken)}  {name}")
        began += milliseconds
        if name == IMPORTS:
            lines += [
                f"{module.milliseconds:12.1f}  {' ' * BAR}  {'  ' * (module.depth + 1)}{module.name}"
                for module in imports
                if module.milliseconds >= SHOWN_MILLISECONDS and not module.name.startswith("handler.doctor")
            ]
    lines.append(f"{whole_milliseconds - taken:12.1f}  Python's own startup and shutdown, and the tracing of imports")
    lines.append(f"{start.modules:12}  modules imported")
    return "\n".join(lines)


def _bar(began: float, took: float) -> str:
    """Return the bar of a step, from the shares of the whole start that passed before it and that it took."""
    first = min(int(began * BAR), BAR - 1)
    return (" " * first + "#" * max(1, round(took * BAR))).ljust(BAR)[:BAR]


def _parents_first(imports: list[Imported]) -> Iterator[Imported]:
    """Yield each import before the imports nested in it; Python reports it after them."""
    pending: list[list[Imported]] = []
    for module in imports:
        own = [module]
        # Groups that are nested deeper were imported by this module: move them behind it, in order.
        while pending and pending[-1][0].depth > module.depth:
            own[1:1] = pending.pop()
        pending.append(own)
    for group in pending:
        yield from group


def start() -> StartTimings:
    """Start the service with this process's environment, ask it twice, and return the timings."""
    stages: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        began, known = time.perf_counter(), sum(stages.values())
        yield
        # What the stages inside this one took is theirs.
        inner = sum(stages.values()) - known
        stages[name] = round((time.perf_counter() - began) * 1000 - inner, 3)

    with stage(IMPORTS):
        from handler import light_imports  # isort: split

        from handler import gateway, golden, predictor, routes  # noqa: F401
        from handler.bundle import read_bundle
        from handler.graph import load_graph, session_class
        from handler.hexabot import Service
        from handler.logs import configure
        from handler.settings import Settings
    with stage("settings and log"):
        settings = Settings.from_env(os.environ)
        configure("ERROR")
    with stage("finding bundles, and fetching remote ones"):
        folders = [
            folder
            for location in predictor.fetched(settings.bundles, settings.cache)
            for folder in predictor.bundle_folders(location)
        ]
    with stage("loading onnxruntime"):
        session_class()

    def timed_read(folder: StrPath) -> "Manifest":
        with stage(f"{os.path.basename(folder)}: manifest and hashes"):
            return read_bundle(folder)

    def timed_load(graph: "Graph", folder: StrPath, threads: int = 1) -> "RunningGraph":
        with stage(f"{os.path.basename(folder)}: graph"):
            return load_graph(graph, folder, threads)

    vars(predictor).update(read_bundle=timed_read, load_graph=timed_load)
    predictors = {}
    for folder in folders:
        with stage(f"{os.path.basename(folder)}: tokenizers, vocabularies and the rest"):
            loaded = predictor.Predictor(folder, settings.threads)
        predictors[loaded.manifest.name] = loaded
    with stage("routes"):
        service = Service(predictors, settings)
        routes.Routes(service, settings)
        light_imports.loaded()
    for name in ("first answer", "second answer"):
        with stage(name):
            service.predict({"text": TEXT})
    return StartTimings(stages, len(sys.modules))


if __name__ == "__main__":
    seen = start()
    import json

    print(json.dumps(seen._asdict()))
