"""Run template.yaml locally with AWS SAM: one event, or the whole HTTP API. No AWS account is needed."""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from handler.errors import BundleError
from scripts.containers import Engine, NoEngineError, find_engine
from scripts.image import BASE_IMAGE, STAGED, NoBaseImageError, need_base_image, stage_bundles

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "sam"
EVENTS = ROOT / "examples" / "events"
BUNDLES = ROOT / "examples" / "bundles"
START_SECONDS = 30


class LocalSamError(Exception):
    """Raised when SAM or a service that it needs fails; the message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Build the image, run the requested command, and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        engine = find_engine()
        need_base_image(engine, BASE_IMAGE)
        with docker_host(engine) as environ:
            template = build(options.sam, environ, options.bundles)
            if options.command == "invoke":
                return run(invoke_command(options.sam, template, options.event), environ)
            say(f"Starting the API on http://127.0.0.1:{options.port}; its token is `local-only`.")
            return run(api_command(options.sam, template, options.port), environ)
    except (BundleError, LocalSamError, NoBaseImageError, NoEngineError) as error:
        say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sam", help="path of the `sam` program: `python3 scripts/environment.py cloud` installs it")
    parser.add_argument("--bundles", type=Path, default=BUNDLES, help="folder of bundles to include in the image")
    commands = parser.add_subparsers(dest="command", required=True)
    invoke = commands.add_parser("invoke", help="answer one event")
    invoke.add_argument("event", type=_event, help="an event file, such as those in examples/events")
    api = commands.add_parser("api", help="serve the HTTP API until it is stopped")
    api.add_argument("--port", type=int, default=8000)
    return parser


def _event(name: str) -> Path:
    if not Path(name).is_file():
        known = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json") if path.stem != "env"))
        raise argparse.ArgumentTypeError(f"{name} does not exist; examples/events has {known}")
    return Path(name)


@contextmanager
def docker_host(engine: Engine) -> Iterator[dict[str, str]]:
    """Yield the environment in which SAM finds the engine; inside the context, Podman serves Docker's API."""
    environ = {
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **engine.environ,
    }
    if engine.name != "podman" or "DOCKER_HOST" in environ:
        yield environ
        return
    with tempfile.TemporaryDirectory(prefix="podman-") as folder:
        address = Path(folder, "podman.sock")
        command = engine.command("system", "service", "--time=0", f"unix://{address}")
        # Podman writes a file `oom` into its working folder when a container runs out of memory.
        service = subprocess.Popen(command, cwd=folder, env=engine.environ)
        try:
            _wait_for(address, service)
            yield {**environ, "DOCKER_HOST": f"unix://{address}"}
        finally:
            service.terminate()
            service.wait(START_SECONDS)


def build(sam: str, environ: Mapping[str, str], bundles: Path = BUNDLES) -> Path:
    """Build the image, and return a template with the service's function only.

    For the functions that only deployments call, SAM would pull further images.

    Args:
        sam: Path of the `sam` program.
        environ: The environment that `docker_host` yields.
        bundles: Folder of bundles to include in the image.

    Raises:
        LocalSamError: `sam build` failed.
    """
    say("Building the image ...")
    stage_bundles(bundles)
    baked = f"BakedBundles={STAGED.relative_to(ROOT).as_posix()}"
    command = [sam, "build", "--build-dir", str(BUILD), "--parameter-overrides", baked]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    if done.returncode:
        say(done.stdout[-3000:] + done.stderr[-3000:])
        raise LocalSamError("`sam build` failed: see its output above.")
    template: Any = yaml.safe_load((BUILD / "template.yaml").read_text(encoding="utf-8"))
    resources = template["Resources"]
    template["Resources"] = {
        name: resource
        for name, resource in resources.items()
        if name == "Function" or resource["Type"] != "AWS::Serverless::Function"
    }
    local = BUILD / "local.yaml"
    local.write_text(yaml.safe_dump(template), encoding="utf-8")
    return local


def invoke_command(sam: str, template: Path, event: Path) -> list[str]:
    """Return the command line that answers one event."""
    return [sam, "local", "invoke", "Function", "--event", str(event), *_shared(template)]


def api_command(sam: str, template: Path, port: int) -> list[str]:
    """Return the command line that serves the HTTP API on this machine only."""
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return [sam, "local", "start-api", *address, "--warm-containers", "EAGER", *_shared(template)]


def _shared(template: Path) -> list[str]:
    return ["--template", str(template), "--env-vars", str(EVENTS / "env.json"), "--skip-pull-image"]


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run SAM until it exits or this program is interrupted, and return its exit status."""
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    # SAM removes its containers on SIGTERM; in the background it ignores SIGINT.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait(START_SECONDS)


def say(line: str) -> None:
    """Print a progress message to stderr, because stdout has only the function's answer."""
    print(line, file=sys.stderr, flush=True)


def _wait_for(address: Path, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not address.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise LocalSamError("`podman system service` did not start: run it yourself to see the error.")
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
