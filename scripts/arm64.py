"""Run the arm64 package on this machine: qemu emulates a Graviton processor, and the models answer their golden rows.

Lambda may hide /sys, and onnxruntime has aborted there on arm64 (onnxruntime#10038, #15650). So the package answers
twice: with /sys and without it. The test uses Debian's Python 3.13 for arm64, not Lambda's 3.12. The packages have the
same versions, and the libraries of onnxruntime and tokenizers are the same files.
"""

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handler.errors import BundleError
from scripts.debian import DebianError, install
from scripts.environment import MissingToolError
from scripts.zip_package import ZipPackageError, build

ROOT = Path(__file__).resolve().parent.parent
BUNDLES = ROOT / "examples" / "bundles"
FOLDER = ROOT / "build" / "arm64"
SUITE, PYTHON = "trixie", "3.13"
"""The Debian release whose Python runs, and its version."""
EMULATOR = "qemu-aarch64-static"
SECONDS = 600
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""
"""What /proc/cpuinfo says on a Graviton2.

qemu shows this machine's. In that of an x86-64 machine, onnxruntime's library cpuinfo finds no core, and it crashes.
"""
ENTER = """
mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" && mount --bind "$1/cpuinfo" "$1/proc/cpuinfo" || exit
if [ "$2" = shown ]; then mount --rbind /sys "$1/sys" || exit; fi
exec env -i NLU_BUNDLES=/var/task/bundles NLU_OPEN=1 "$(command -v chroot)" "$1" /emulator "/usr/bin/python$3" -c "$4"
"""
"""Enter the system in a mount namespace of its own, which ends with the process."""
ANSWER = """
import json, sys
sys.path.insert(0, "/var/task")
from handler.entrypoint import lambda_handler
print(json.dumps([lambda_handler(event, None) for event in json.load(sys.stdin)]))
"""
GOLDEN_CHECK = {"check": "golden"}


class EmulationError(Exception):
    """Raised when the package cannot be run, or fails; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Build the package, run it with and without /sys, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundles", type=Path, default=BUNDLES, help="a folder of bundles")
    options = parser.parse_args(arguments)
    try:
        system = make_system(FOLDER / "root")
        add_package(system, options.bundles)
        for sys_shown in (True, False):
            (answer,) = run(system, [GOLDEN_CHECK], sys_shown=sys_shown)
            state = "with /sys" if sys_shown else "without /sys"
            if answer["changed"] or answer["unproven"]:
                raise EmulationError(f"On arm64, {state}, golden rows have other answers: {answer}")
            print(
                f"arm64, {state}: {answer['checked']} golden rows of {', '.join(answer['models'])} answered as proven"
            )
    except (BundleError, EmulationError, MissingToolError, ZipPackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def make_system(folder: Path) -> Path:
    """Create a folder with a minimal arm64 Debian and the emulator; an existing one is reused.

    Args:
        folder: The folder. Nothing in it is installed or started, only unpacked.

    Raises:
        EmulationError: The emulator or debootstrap is missing and cannot be installed, or Debian cannot be downloaded.
    """
    if not all(map(shutil.which, (EMULATOR, "debootstrap"))):
        try:
            install("qemu-user-static", "debootstrap")
        except DebianError as error:
            raise EmulationError(f"Running arm64 programs needs qemu and debootstrap. {error}") from None
    if not (folder / "emulator").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("bin", "lib", "sbin"):
            (folder / "usr" / name).mkdir(parents=True)
            (folder / name).symlink_to(f"usr/{name}")
        for name in ("proc", "sys", "dev", "tmp"):
            (folder / name).mkdir()
        _download_debian(folder)
        (folder / "cpuinfo").write_text(CPUINFO, encoding="utf-8")
        shutil.copy(shutil.which(EMULATOR) or EMULATOR, folder / "emulator")
    return folder


def _download_debian(folder: Path) -> None:
    """Unpack Debian's Python and its libraries; running their installers would need the kernel's help."""
    packages = folder.with_name("debian")
    options = ("--arch=arm64", "--variant=minbase", "--download-only", f"--include=python{PYTHON},libstdc++6")
    _run("debootstrap", *options, SUITE, packages)
    for package in sorted((packages / "var" / "cache" / "apt" / "archives").glob("*.deb")):
        _run("dpkg-deb", "--extract", package, folder)
    shutil.rmtree(packages)


def add_package(system: Path, bundles: Path) -> None:
    """Build the arm64 package, and unpack it where Lambda does.

    Args:
        system: The folder of `make_system`.
        bundles: A folder of bundles.

    Raises:
        BundleError: There is no bundle, or one is invalid.
        MissingToolError: uv is missing.
        ZipPackageError: The package cannot be built.
    """
    task = system / "var" / "task"
    shutil.rmtree(task, ignore_errors=True)
    with zipfile.ZipFile(build(bundles, "arm64", system.parent, python=PYTHON).path) as package:
        package.extractall(task)


def run(system: Path, events: Sequence[Any], *, sys_shown: bool) -> list[Any]:
    """Start the function under the emulator, and send it events.

    Args:
        system: The folder of `make_system`, with a package.
        events: The events.
        sys_shown: Whether the process sees /sys.

    Returns:
        The answers.

    Raises:
        EmulationError: No namespace can be made, or the function failed or aborted.
    """
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh"]
    done = subprocess.run(
        [*command, str(system), "shown" if sys_shown else "hidden", PYTHON, ANSWER],
        input=json.dumps(events), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise EmulationError(f"The function ended with status {done.returncode} on arm64: {said}")
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1000:]
        raise EmulationError(f"`{command[0]}` failed with status {done.returncode}: {said}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
