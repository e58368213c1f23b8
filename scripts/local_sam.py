"""Run the template on this machine with AWS's SAM: one event, or the whole HTTP API. No account is needed."""

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
    """Raise when something is missing that SAM needs; the message says how to get it."""


def main(arguments: Sequence[str]) -> int:
    """Build the image and run what the command line asks for. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        engine = find_engine()
        need_base_image(engine, BASE_IMAGE)
        with docker_host(engine) as environ:
            template = build(options.sam, environ, options.bundles)
            if options.command == "invoke":
                return run(invoke_command(options.sam, template, options.event), environ)
            say(f"The API will listen on http://127.0.0.1:{options.port} and accept the token `local-only`.")
            return run(api_command(options.sam, template, options.port), environ)
    except (BundleError, LocalSamError, NoBaseImageError, NoEngineError) as error:
        say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sam", help="the program: `python3 scripts/environment.py cloud` installs it beside its Python")
    parser.add_argument("--bundles", type=Path, default=BUNDLES, help="folder of bundles to bake into the image")
    commands = parser.add_subparsers(dest="command", required=True)
    invoke = commands.add_parser("invoke", help="answer one event")
    invoke.add_argument("event", type=_event, help="a file such as those of examples/events")
    api = commands.add_parser("api", help="serve the HTTP API until it is stopped")
    api.add_argument("--port", type=int, default=8000)
    return parser


def _event(name: str) -> Path:
    if not Path(name).is_file():
        known = ", ".join(sorted(path.stem for path in EVENTS.glob("*.json") if path.stem != "env"))
        raise argparse.ArgumentTypeError(f"there is no file {name}; examples/events has {known}")
    return Path(name)


@contextmanager
def docker_host(engine: Engine) -> Iterator[dict[str, str]]:
    """Give the environment in which SAM finds the engine; Podman answers as Docker does for as long as that is used."""
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
        # Podman leaves a file named `oom` where it was started when a container runs out of memory.
        service = subprocess.Popen(command, cwd=folder, env=engine.environ)
        try:
            _wait_for(address, service)
            yield {**environ, "DOCKER_HOST": f"unix://{address}"}
        finally:
            service.terminate()
            service.wait(START_SECONDS)


def build(sam: str, environ: Mapping[str, str], bundles: Path = BUNDLES) -> Path:
    """Build the image, and return a template that holds the service's function alone.

    The functions that only deployments call would have SAM fetch images of their own. Raises LocalSamError.
    """
    say("Building the image ...")
    stage_bundles(bundles)
    baked = f"BakedBundles={STAGED.relative_to(ROOT).as_posix()}"
    command = [sam, "build", "--build-dir", str(BUILD), "--parameter-overrides", baked]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    if done.returncode:
        say(done.stdout[-3000:] + done.stderr[-3000:])
        raise LocalSamError("`sam build` failed: its last lines are above.")
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
    place = ["--host", "127.0.0.1", "--port", str(port)]
    return [sam, "local", "start-api", *place, "--warm-containers", "EAGER", *_shared(template)]


def _shared(template: Path) -> list[str]:
    return ["--template", str(template), "--env-vars", str(EVENTS / "env.json"), "--skip-pull-image"]


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run SAM until it ends or this program is told to. Returns its exit status."""
    process = subprocess.Popen(command, cwd=ROOT, env=environ)
    # SAM cleans its containers up on TERM; in the background it ignores INT.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait(START_SECONDS)


def say(line: str) -> None:
    """Tell what happens on stderr: stdout is the function's answer."""
    print(line, file=sys.stderr, flush=True)


def _wait_for(address: Path, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not address.exists():
        if service.poll() is not None or time.monotonic() > deadline:
            raise LocalSamError("`podman system service` did not start: run it by hand to see why.")
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
