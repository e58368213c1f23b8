"""Measure a cold start in a separate process: the time of each import and each bundle."""

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
    lines = [f"{'milliseconds':>12}  one start on this machine; run the command again to see how much times vary"]
    for name, milliseconds in start.stages.items():
        lines.append(f"{milliseconds:12.1f}  {name}")
        if name == "imports":
            lines += [
                f"{module.milliseconds:12.1f}  {'  ' * (module.depth + 1)}{module.name}"
                for module in imports
                if module.milliseconds >= SHOWN_MILLISECONDS and not module.name.startswith("handler.doctor")
            ]
    rest = whole_milliseconds - sum(start.stages.values())
    lines.append(f"{rest:12.1f}  Python's own startup and shutdown, and the tracing of imports")
    lines.append(f"{start.modules:12}  modules imported")
    return "\n".join(lines)


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
        began = time.perf_counter()
        yield
        stages[name] = round((time.perf_counter() - began) * 1000, 3)

    with stage("imports"):
        import os

        from handler import gateway, golden, routes  # noqa: F401
        from handler.graph import load_graph, session_class
        from handler.hexabot import Service
        from handler.predictor import Predictor, bundle_folders
        from handler.settings import Settings
        from handler.sources import local_folders
    settings = Settings.from_env(os.environ)
    with stage("finding bundles, and fetching remote ones"):
        folders = [
            folder
            for location in local_folders(settings.bundles, settings.cache)
            for folder in bundle_folders(location)
        ]
    with stage("loading onnxruntime"):
        session_class()
    predictors = {}
    for folder in folders:
        with stage(f"{folder.name}: verifying and loading"):
            predictor = Predictor(folder, settings.threads)
        graph = predictor.manifest.graph
        with stage(
            f"  {folder.name}: loading only its graph again ({predictor.manifest.files[graph.file].bytes} bytes)"
        ):
            load_graph(graph, folder, settings.threads)
        predictors[predictor.manifest.name] = predictor
    service = Service(predictors, settings)
    for name in ("first answer", "second answer"):
        with stage(name):
            service.predict({"text": TEXT})
    return StartTimings(stages, len(sys.modules))


if __name__ == "__main__":
    seen = start()
    import json

    print(json.dumps(seen._asdict()))
