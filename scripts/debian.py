"""Install packages of Debian or Ubuntu that local tests need."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALL_SECONDS = 600
LOCK = Path(tempfile.gettempdir(), "ludwig-serverless-apt.lock")
"""Held by the process that installs: of two `apt-get update` at once, one fails."""


class DebianError(Exception):
    """Raised when packages cannot be installed; the message quotes apt-get, or says what to do."""


def can_install() -> bool:
    """Return whether this is Debian or Ubuntu, and the user is root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    """Install packages of the distribution.

    Args:
        *packages: Their names.

    Raises:
        DebianError: This is not Debian or Ubuntu, the user is not root, or apt-get fails.
    """
    if not can_install():
        raise DebianError(f"Install it on Debian or Ubuntu with `sudo apt-get install {' '.join(packages)}`.")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *command], env=environ, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
            if done.returncode:
                raise DebianError(f"apt-get cannot install it: {done.stderr.strip()}")
