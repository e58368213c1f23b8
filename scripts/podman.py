"""Find a container engine, or install Podman if possible: as root on Debian or Ubuntu."""

import os
import shutil
import subprocess
import sys
from functools import cache

from scripts.containers import Engine, NoEngineError, find_engine

PACKAGES = (
    *("podman", "crun", "runc", "fuse-overlayfs", "netavark", "aardvark-dns", "iptables", "buildah", "uidmap"),
    *("catatonit", "debootstrap"),
)


@cache
def engine() -> Engine:
    """Return an engine that works; install Podman first if necessary and possible.

    Raises:
        NoEngineError: No engine works, and Podman cannot be installed.
    """
    try:
        return find_engine()
    except NoEngineError as error:
        if not _may_install():
            raise
        say(f"{error}\nInstalling Podman ...")
    _install()
    return find_engine()


def say(line: str) -> None:
    """Print to the real stderr, past pytest's capture, so that it is visible during a test run."""
    print(line, file=sys.__stderr__, flush=True)


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    """Install Podman from the distribution. Raises NoEngineError if that fails."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", *command], env=environ, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise NoEngineError(
                f"No container engine is running, and apt-get cannot install one: {done.stderr.strip()}"
            )
