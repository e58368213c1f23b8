"""Run the Lambda image and the baselines in containers with Lambda's limits on memory and CPU."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from benchmarks.report import ROOT, say
from handler.auth import new_token
from ludwig_serverless.simulation.durations import FULL_CORE_MEGABYTES
from scripts.ask_emulator import free_port, hexabot_event
from scripts.base_image import ensure_base_image
from scripts.containers import Engine
from scripts.image import added_to_base, build_image, stage_bundles

IMAGE = "ludwig-serverless:bench"
RIVALS_IMAGE = "ludwig-serverless:bench-rivals"
CONTEXT = ROOT / "build" / "bench" / "image"
MINILM_RUN = ROOT / "build" / "bench" / "runs" / "intent"
"""The run of the transformer that `minilm_bundle` exports."""
HANDLERS = {
    "handler": "handler.entrypoint.lambda_handler",
    "baseline_capi": "benchmarks.baseline_capi.lambda_handler",
    "baseline_minimal": "benchmarks.baseline_minimal.lambda_handler",
    "baseline_fastapi": "benchmarks.baseline_fastapi.lambda_handler",
}
"""The handler of each variant."""
DEFAULT_THREADS = "default_threads"
"""The minimal baseline without the image's OPENBLAS_NUM_THREADS, as a function of somebody who does not know of it."""
NAMES = {
    "handler": "this package",
    "baseline_capi": "the floor",
    "baseline_minimal": "the minimal baseline",
    "baseline_fastapi": "plain FastAPI",
    DEFAULT_THREADS: "the minimal baseline with numpy's default threads",
}
"""The names of the variants in the tables. The floor uses onnxruntime's C API, the minimal baseline Python's."""
START_SECONDS, ANSWER_SECONDS, LOG_SECONDS = 30, 60, 10
INIT_REPORT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)")
RIVALS = """\
FROM {image}
USER root
RUN python3 -c "import fastapi, mangum, numpy, python_multipart; from onnxruntime import InferenceSession" \\
    2> /dev/null || python3 -m pip install --quiet --no-cache-dir --upgrade --target /var/task {packages}
COPY benchmarks /var/task/benchmarks
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /var/task ; chmod -R a+rX /var/task
USER 993:990
"""
PINNED = re.compile(r"^((?:fastapi|mangum|numpy|onnxruntime|python-multipart)==[\w.]+)", re.MULTILINE)
TOKEN, DIGEST = new_token()


class KilledError(Exception):
    """Raised when a container exits before it answers."""


@dataclass(frozen=True)
class Sandbox:
    """A running container.

    Attributes:
        engine: The container engine.
        name: The container's id.
        port: Its port on 127.0.0.1.
        started: When it was started, in seconds of `time.perf_counter`.
    """

    engine: Engine
    name: str
    port: int
    started: float

    def ask(self, text: str) -> dict[str, Any]:
        """Send Hexabot's request and return the response.

        Raises:
            KilledError: The container exited, or its handler failed.
        """
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(hexabot_event(text, TOKEN)).encode())
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                answer: dict[str, Any] = json.load(response)
        except (OSError, HTTPException, ValueError) as error:
            raise KilledError(f"{type(error).__name__}: {error}") from None
        if answer.get("statusCode") != 200:
            raise KilledError(str(answer)[:200])
        return answer

    def init_milliseconds(self) -> float:
        """Return the duration of the initialization, as the emulator logs it.

        Raises:
            KilledError: The log does not contain it.
        """
        deadline = time.perf_counter() + LOG_SECONDS
        while True:
            logs = self.engine.run("logs", self.name)
            found = INIT_REPORT.search(logs.stderr + logs.stdout)
            if found is not None:
                return float(found[1])
            if time.perf_counter() > deadline:
                raise KilledError(f"the emulator's log has no INIT REPORT: {logs.stderr[-500:]}")
            time.sleep(0.1)  # the engine writes the log with a delay

    def peak_megabytes(self) -> float:
        """Return the peak resident memory of the runtime process, in MB."""
        code = (
            "import pathlib\n"
            "for path in pathlib.Path('/proc').glob('[0-9]*/status'):\n"
            "    if b'awslambdaric' in path.with_name('cmdline').read_bytes():\n"
            "        print(next(line.split()[1] for line in path.open() if line.startswith('VmHWM')))\n"
        )
        done = self.engine.run("exec", self.name, "python3", "-I", "-c", code)
        return max(map(int, done.stdout.split())) * 1024 / 1e6

    def was_killed(self) -> bool:
        """Return whether the kernel killed a process of the container because it was out of memory."""
        found = self.engine.run("inspect", "--format", "{{.State.OOMKilled}}", self.name, check=False)
        logs = self.engine.run("logs", self.name, check=False)
        return "true" in found.stdout.lower() or "signal: killed" in logs.stderr + logs.stdout


def build_images(engine: Engine, bundles: Path = ROOT / "examples" / "bundles") -> None:
    """Build the Lambda image as it is deployed and, on top of it, an image with the compiled baselines."""
    say("Building the images ...")
    base = ensure_base_image(engine)
    stage_bundles(bundles)
    build_image(engine, IMAGE, ROOT / "build" / "image" / "bundles", base)
    shutil.rmtree(CONTEXT, ignore_errors=True)
    (CONTEXT / "benchmarks").mkdir(parents=True)
    for name in ("__init__", "baseline_answers", "baseline_capi", "baseline_minimal", "baseline_fastapi"):
        shutil.copy(ROOT / "benchmarks" / f"{name}.py", CONTEXT / "benchmarks")
    pinned = PINNED.findall((ROOT / "requirements" / "full.txt").read_text(encoding="utf-8"))
    (CONTEXT / "Dockerfile").write_text(RIVALS.format(image=IMAGE, packages=" ".join(pinned)), encoding="utf-8")
    engine.run("build", "-t", RIVALS_IMAGE, str(CONTEXT))


def image_megabytes(engine: Engine) -> float:
    """Return the size that the handler's image adds to its base, in MB."""
    return added_to_base(engine, IMAGE)[0] / 1e6


@contextmanager
def sandbox(engine: Engine, variant: str, megabytes: int, bundles: Path | None = None) -> Iterator[Sandbox]:
    """Start a fresh container with Lambda's limits; its runtime starts on the first request.

    Args:
        engine: The container engine.
        variant: A key of HANDLERS, or DEFAULT_THREADS.
        megabytes: The memory limit; the CPU limit is in proportion.
        bundles: A folder of bundles to mount; None uses those of the image.

    Yields:
        The container, with its emulator listening.
    """
    port = free_port()
    image = IMAGE if variant == "handler" else RIVALS_IMAGE
    folder = "/var/task/bundles" if bundles is None else "/models"
    mounted = () if bundles is None else ("-v", f"{bundles.resolve()}:{folder}:ro")
    limits = ("--read-only", "--tmpfs", "/tmp", "-m", f"{megabytes}m", "--cpus", f"{cores(megabytes):.3f}")
    settings = {"NLU_BUNDLES": folder, "NLU_TOKEN_DIGESTS": DIGEST}
    if variant == DEFAULT_THREADS:
        settings["OPENBLAS_NUM_THREADS"], variant = "", "baseline_minimal"
    given = [option for name, value in settings.items() for option in ("-e", f"{name}={value}")]
    published = ("-p", f"127.0.0.1:{port}:8080")
    name = engine.run("create", *limits, *mounted, *published, *given, image, HANDLERS[variant]).stdout.strip()
    try:
        started = time.perf_counter()
        engine.run("start", name)
        wait_for_emulator(port)
        yield Sandbox(engine, name, port, started)
    finally:
        engine.run("rm", "-f", "-t", "0", name, check=False)


def cores(megabytes: int) -> float:
    """Return the CPU cores that Lambda allocates for a memory size, at most 2 to fit on a laptop."""
    return min(megabytes / FULL_CORE_MEGABYTES, 2.0)


def wait_for_emulator(port: int) -> None:
    """Wait until the emulator responds: with 404 to this path, for which it does not start the runtime."""
    deadline = time.perf_counter() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=ANSWER_SECONDS).close()
        except HTTPError:
            return
        except (URLError, HTTPException, OSError):
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.01)


def minilm_bundle() -> Path:
    """Return a folder with a transformer's bundle.

    The first call trains and exports it, in about five minutes. Later ones export it again if export has changed.
    """
    run, bundles = MINILM_RUN, ROOT / "build" / "bench" / "bundles" / "minilm"
    dataset = ("--dataset", "examples/demo/dataset.csv")
    if not (run / "training.json").exists():
        say("Training a transformer for one epoch (only once) ...")
        chosen = ("--config", "intent-minilm", "--pretrained", "minilm", "--epochs", "1", "--overwrite")
        _python("-m", "training", "fit", *chosen, *dataset, "--output", str(run))
    manifest = bundles / "intent" / "manifest.json"
    changed = max(path.stat().st_mtime for path in (ROOT / "export").rglob("*.py"))
    if not manifest.exists() or manifest.stat().st_mtime < changed:
        say("Exporting it ...")
        _python("-m", "export", str(run), str(manifest.parent), *dataset, "--max-rows", "50", "--force")
    for path in manifest.parent.iterdir():
        _evict(path)
    return bundles


def _evict(path: Path) -> None:
    """Drop a file from the page cache, so that its pages are those of a file that was read.

    The kernel caches a file that was just written in larger pieces, and more of them become resident.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _python(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(f"error: python {' '.join(arguments[:3])} failed with status {done.returncode}")
