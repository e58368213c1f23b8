"""Provide the base image: pull AWS's, or else build a look-alike with the same contract.

The look-alike has everything that an image built on AWS's relies on: CPython 3.12 with pip in /var/lang, the runtime
interface client among its packages, the Runtime Interface Emulator, and an entry point that takes the handler's name.
It is built from this machine's Python and from Debian packages. It includes the machine's certificates and pip
settings, so that pip works during a build.
"""

import importlib.metadata
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.containers import Engine
from scripts.podman import engine, say

ROOT = Path(__file__).resolve().parents[1]
BASE_IMAGE = "public.ecr.aws/lambda/python:3.12"
ANSWER_SECONDS, PULL_SECONDS, DEBIAN_SECONDS = 20, 900, 600
LIBRARIES = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libreadline8", "libsqlite3-0", "libssl3"),
    *("libuuid1", "zlib1g"),
)
"""Libraries that CPython's extension modules link to."""
UNWANTED = shutil.ignore_patterns("__pycache__", "*.a", "test", "tests", "idlelib", "tkinter", "turtledemo", "config-*")
PIP_SETTING = re.compile(r"^[\w:.]+\.((?:extra-)?index-url|trusted-host|proxy|timeout)='(.*)'$", re.MULTILINE)
ENTRY_POINT = """\
#!/bin/sh
if [ $# -ne 1 ]; then
  echo "entrypoint requires the handler name to be the first argument" 1>&2
  exit 142
fi
export _HANDLER="$1"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
fi
exec /var/runtime/bootstrap
"""
BOOTSTRAP = """\
#!/bin/sh
exec /var/lang/bin/python3 -m awslambdaric "$_HANDLER"
"""
LIBRARY_PATH = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
CONTRACT = (
    "ENV LANG=en_US.UTF-8",
    "ENV TZ=:/etc/localtime",
    "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    f"ENV LD_LIBRARY_PATH={LIBRARY_PATH}",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
    'ENTRYPOINT ["/lambda-entrypoint.sh"]',
)


def ensure_base_image(engine: Engine) -> str:
    """Pull or build the base image if necessary, and return its name."""
    if not engine.has_image(BASE_IMAGE) and not _pulled(engine):
        say(f"Cannot pull {BASE_IMAGE}; building a look-alike ...")
        with tempfile.TemporaryDirectory(prefix="base-image-") as folder:
            _make_root(Path(folder))
            _import(engine, Path(folder))
    return BASE_IMAGE


def _pulled(engine: Engine) -> bool:
    """Return whether AWS's image could be pulled. LOOKALIKE_BASE=1 skips the attempt."""
    if os.environ.get("LOOKALIKE_BASE") == "1":
        return False
    try:
        engine.run("manifest", "inspect", BASE_IMAGE, timeout=ANSWER_SECONDS)
        engine.run("pull", "--quiet", BASE_IMAGE, timeout=PULL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def _make_root(root: Path) -> None:
    """Create the look-alike's file system."""
    options = ["--variant=minbase", f"--include={','.join(LIBRARIES)}"]
    _run("debootstrap", *options, "bookworm", str(root))
    for name in ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / name, ignore_errors=True)
    _copy_python(root / "var" / "lang")
    _copy_settings(root)
    emulator = _run(sys.executable, str(ROOT / "scripts" / "environment.py"), "emulator").strip()
    shutil.copy(emulator, root / "usr" / "local" / "bin" / "aws-lambda-rie")
    for name, content in {"lambda-entrypoint.sh": ENTRY_POINT, "var/runtime/bootstrap": BOOTSTRAP}.items():
        script = root / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(content, encoding="utf-8")
        script.chmod(0o755)
    (root / "var" / "task").mkdir()


def _copy_python(target: Path) -> None:
    """Copy this machine's CPython, pip and the runtime interface client; CPython finds its library by its own path."""
    source, version = Path(sys.base_prefix), "python{}.{}".format(*sys.version_info)
    library = target / "lib" / version
    shutil.copytree(source / "lib" / version, library, ignore=_without_packages, symlinks=True)
    for shared in source.glob("lib/libpython*.so*"):
        shutil.copy(shared, target / "lib", follow_symlinks=False)
    (target / "bin").mkdir()
    shutil.copy(source / "bin" / version, target / "bin")
    for name in ("python", "python3"):
        (target / "bin" / name).symlink_to(version)
    for file in _files_of("awslambdaric"):
        copied = library / "site-packages" / file
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.locate(), copied)
    _run(str(target / "bin" / "python3"), "-m", "compileall", "-q", str(library))


def _without_packages(folder: str, names: list[str]) -> set[str]:
    """Return the names to skip: files for developers only, and all installed packages except pip."""
    if Path(folder).name == "site-packages":
        return {name for name in names if not name.startswith("pip")}
    return UNWANTED(folder, names)


def _files_of(package: str) -> Iterator[importlib.metadata.PackagePath]:
    """Yield the files of an installed package and of its requirements."""
    found = importlib.metadata.distribution(package)
    yield from (file for file in found.files or () if ".." not in file.parts and "__pycache__" not in file.parts)
    for requirement in found.requires or ():
        if ";" not in requirement:
            yield from _files_of(re.split(r"[^\w.-]", requirement)[0])


def _copy_settings(root: Path) -> None:
    """Make pip use this machine's certificates and package index during a build."""
    bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    certificates = Path("etc/ssl/certs/ca-certificates.crt")
    if bundle and Path(bundle).is_file():
        shutil.copy(bundle, root / certificates)
    settings = {**_pip_settings(), "cert": f"/{certificates}"}
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    (root / "etc" / "pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pip_settings() -> dict[str, str]:
    """Return pip's index settings on this machine, except local folders, which a build cannot see."""
    listed = _run(str(Path(sys.base_prefix, "bin", "python3")), "-m", "pip", "config", "list")
    settings = dict(
        re.findall(r"^[\w:.]+\.((?:extra-)?index-url|trusted-host|proxy|timeout)='(.*)'$", listed, re.MULTILINE)
    )
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    if index:
        settings.setdefault("index-url", index)
    return {name: value for name, value in settings.items() if "file:" not in value}


def _import(engine: Engine, root: Path) -> None:
    changes = [part for line in CONTRACT for part in ("--change", line)]
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
        command = engine.command("import", *changes, "-", BASE_IMAGE)
        subprocess.run(command, stdin=archive.stdout, env=engine.environ, check=True, stdout=subprocess.DEVNULL)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEBIAN_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    print(ensure_base_image(engine()))
