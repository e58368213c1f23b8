"""Find a container engine, or install Podman if possible: as root on Debian or Ubuntu."""

import sys
from functools import cache

from scripts.containers import Engine, NoEngineError, find_engine
from scripts.debian import DebianError, can_install, install

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
        if not can_install():
            raise
        say(f"{error}\nInstalling Podman ...")
    try:
        install(*PACKAGES)
    except DebianError as error:
        raise NoEngineError(f"No container engine is running. {error}") from None
    return find_engine()


def say(line: str) -> None:
    """Print to the real stderr, past pytest's capture, so that it is visible during a test run."""
    print(line, file=sys.__stderr__, flush=True)
