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
"""Settings for Podman if root cannot raise limits, or if the system mixes both cgroup versions."""
ADVICE = (
    "Install Docker, or Podman (Debian and Ubuntu: `apt-get install podman`; macOS: `brew install podman`, then "
    "`podman machine init --now`), start it, and re-run the command."
)


class NoEngineError(Exception):
    """Raised when no container engine runs on this machine."""


@dataclass(frozen=True)
class Engine:
    """The command line of a container engine.

    Attributes:
        program: Path of the program.
        environ: Environment variables for its processes.
    """

    program: str
    environ: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return `docker` or `podman`."""
        return Path(self.program).name

    def command(self, *arguments: str) -> list[str]:
        """Return the command line for some arguments."""
        return [self.program, *arguments]

    def run(
        self, *arguments: str, check: bool = True, quiet: bool = True, timeout: float = BUILD_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for it.

        Args:
            *arguments: The arguments of the engine.
            check: Whether to raise an exception if the command fails.
            quiet: Whether to capture its output instead of showing it.
            timeout: Maximum duration, in seconds.

        Raises:
            subprocess.CalledProcessError: The command failed, and `check` is True. Its stderr is a note of the error.
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
    """Return the first engine that responds.

    Raises:
        NoEngineError: No engine responds. The message quotes each engine's error.
    """
    found = [program for name in ("docker", "podman") if (program := shutil.which(name))]
    errors = []
    for program in found:
        engine = Engine(program, _environ(program))
        answer = engine.run("info", check=False, timeout=ANSWER_SECONDS)
        if answer.returncode == 0:
            return engine
        errors.append(f"`{engine.name} info` failed with {_last_line(answer.stderr)!r}.")
    reason = " ".join(errors) or "Neither docker nor podman is on the PATH."
    raise NoEngineError(f"No container engine is running: {reason} {ADVICE}")


def _environ(program: str) -> Mapping[str, str]:
    """Return the environment for an engine; on restricted systems, it has a configuration for Podman."""
    if Path(program).name != "podman" or "CONTAINERS_CONF" in os.environ or not _is_restricted():
        return dict(os.environ)
    configuration = ROOT / ".tools" / "containers.conf"
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text(PODMAN_CONFIGURATION, encoding="utf-8")
    return {**os.environ, "CONTAINERS_CONF": str(configuration)}


def _is_restricted() -> bool:
    """Return whether root lacks a capability that Podman needs, or the system mixes both cgroup versions."""
    status = Path("/proc/self/status")
    if not status.is_file() or os.geteuid() != 0:
        return False
    effective = next(line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    lacks_capability = not int(effective.split()[1], 16) & CAP_SYS_RESOURCE
    return lacks_capability or Path("/sys/fs/cgroup/unified").is_dir()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
