"""Find a container engine that works on this machine: Docker or Podman."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSWER_SECONDS = 30
BUILD_SECONDS = 1800
CAP_SYS_RESOURCE = 1 << 24
PODMAN_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""What Podman needs where root may not raise limits, or where cgroups are of both versions."""
ADVICE = (
    "Install Docker, or Podman (Debian and Ubuntu: `apt-get install podman`; macOS: `brew install podman`, then "
    "`podman machine init --now`), start it, and run the command again."
)


class NoEngineError(Exception):
    """Raise when no container engine runs here."""


@dataclass(frozen=True)
class Engine:
    """A container engine's command line. environ: what its processes must be started with."""

    program: str
    environ: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return `docker` or `podman`."""
        return Path(self.program).name

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the engine's."""
        return [self.program, *arguments]

    def run(
        self, *arguments: str, check: bool = True, quiet: bool = True, timeout: float = BUILD_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. quiet: keep what it prints, instead of showing it.

        Raises CalledProcessError, with the command's own words as a note, if `check` and it fails.
        """
        pipe = subprocess.PIPE if quiet else None
        command = self.command(*arguments)
        done = subprocess.run(command, env=self.environ, stdout=pipe, stderr=pipe, text=True, timeout=timeout)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
            error.add_note(done.stderr or "")
            raise error
        return done

    def has_image(self, name: str) -> bool:
        """Return whether an image exists on this machine."""
        return self.run("image", "inspect", name, check=False).returncode == 0


def find_engine() -> Engine:
    """Return the first engine that answers. Raises NoEngineError, saying what each one said."""
    found = [program for name in ("docker", "podman") if (program := shutil.which(name))]
    said = []
    for program in found:
        engine = Engine(program, _environ(program))
        answer = engine.run("info", check=False, timeout=ANSWER_SECONDS)
        if answer.returncode == 0:
            return engine
        said.append(f"`{engine.name} info` ended with {_last_line(answer.stderr)!r}.")
    reason = " ".join(said) or "Neither docker nor podman is on the PATH."
    raise NoEngineError(f"No container engine runs here: {reason} {ADVICE}")


def _environ(program: str) -> Mapping[str, str]:
    """Return the environment for an engine, with a configuration where Podman's own defaults fail."""
    if Path(program).name != "podman" or "CONTAINERS_CONF" in os.environ or not _is_restricted():
        return dict(os.environ)
    configuration = ROOT / ".tools" / "containers.conf"
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text(PODMAN_CONFIGURATION, encoding="utf-8")
    return {**os.environ, "CONTAINERS_CONF": str(configuration)}


def _is_restricted() -> bool:
    """Tell whether this is a root without all of root's rights, or with cgroups of both versions."""
    status = Path("/proc/self/status")
    if not status.is_file() or os.geteuid() != 0:
        return False
    effective = next(line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    lacks_right = not int(effective.split()[1], 16) & CAP_SYS_RESOURCE
    return lacks_right or Path("/sys/fs/cgroup/unified").is_dir()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
