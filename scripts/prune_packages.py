"""Remove files that the handler never uses from a folder of installed packages, and compile the rest.

This script runs without other packages: during the image build on the base image's Python, and for the zip package on
this machine's Python 3.12. It executes nothing of the folder, so the packages may be those of another processor.
"""

import argparse
import compileall
import re
import shutil
import struct
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from py_compile import PycInvalidationMode

TASK_ROOT = "/var/task"
"""Where Lambda puts the files. Compiled code names it, wherever it was compiled."""
UNWANTED = (
    "bin",
    # The wheel contains the runtime twice. The handler calls the C library, and not the Python extension.
    *("onnxruntime/capi/*/", "onnxruntime/capi/*.py", "onnxruntime/capi/*.so"),
    *(f"onnxruntime/{name}" for name in ("backend", "datasets", "quantization", "tools", "transformers")),
    *(f"numpy/{name}" for name in ("doc", "f2py", "_pyinstaller", "conftest.py")),
    *("numpy/**/tests", "numpy/_core/*_tests.*.so", "numpy/_core/_simd.*.so", "numpy/**/include", "numpy/**/*.a"),
    # Optional for FastAPI.
    *("pydantic/v1", "pydantic/mypy.py", "anyio/pytest_plugin.py", "anyio/_backends/_trio.py"),
    *("**/*.pyi", "**/*.pxd", "**/*.pyx", "**/*.h", "**/py.typed"),
    *(f"*.dist-info/{name}" for name in ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "top_level.txt")),
)
NEVER_IMPORTED = {
    ("onnxruntime", "flatbuffers"),
    ("onnxruntime", "packaging"),
    ("onnxruntime", "protobuf"),
    ("python-dateutil", "tzdata"),
}
"""Pairs of a package and a requirement that the handler never imports: removed tools, and named time zones."""
ONLY_TO_FETCH = {("tokenizers", "huggingface-hub")}
"""Requirements of `from_pretrained`, which the handler never calls, because bundles contain their tokenizers."""
ONLY_WITH_TORCH = {("onnxruntime", "numpy")}
"""onnxruntime's Python extension and torch's tensors need numpy; the C library and the handler do not."""
COMMAND_LINE = {"shtab", "uvicorn"}
"""Packages that only the command line imports: shell completion, and a server for machines other than Lambda."""
AWS_SERVICES = {"s3", "signin", "sso", "sso-oidc", "sts"}
"""Service descriptions that boto3 needs to read S3 with any kind of credentials."""


def main() -> int:
    """Prune the folder given on the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of `pip install --target`")
    parser.add_argument("--fetch", choices=["0", "1"], default="0", help="1: keep packages that fetch bundles")
    options = parser.parse_args()
    folder: Path = options.folder
    print(f"installed: {size(folder)}")
    cut = NEVER_IMPORTED | (set() if options.fetch == "1" else ONLY_TO_FETCH)
    if not (folder / "torch").is_dir():
        cut |= ONLY_WITH_TORCH
    print(f"not used: {', '.join(remove_unused(folder, cut))}")
    remove(path for pattern in UNWANTED for path in folder.glob(pattern))
    remove(path for path in folder.glob("boto*/data/*/") if path.name not in AWS_SERVICES)
    for path in folder.rglob("*.so*"):
        strip_symbols(path)
    if not compiled(folder):
        print(f"error: not everything in {folder} compiles; see above", file=sys.stderr)
        return 1
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    print(f"kept, compiled: {size(folder)}")
    return 0


def compiled(folder: Path) -> bool:
    """Compile every module of a folder, to the same bytes each time, and return whether all compile.

    One process compiles all modules in a fixed order, because the bytes depend on which constants it has seen before.
    """
    mode = PycInvalidationMode.UNCHECKED_HASH
    return bool(compileall.compile_dir(folder, quiet=1, stripdir=folder, prependdir=TASK_ROOT, invalidation_mode=mode))


def remove_unused(folder: Path, cut: set[tuple[str, str]]) -> list[str]:
    """Remove packages that no other package needs, if the requirements in `cut` are ignored.

    Args:
        folder: The folder of installed packages.
        cut: Pairs of a package and a requirement to ignore.

    Returns:
        The names of the removed packages, sorted.
    """
    found = {normalized(package.name): package for package in distributions(path=[str(folder)])}
    needs = {name: requirements(package) & found.keys() for name, package in found.items()}
    tops = found.keys() - {needed for needs_of in needs.values() for needed in needs_of} - COMMAND_LINE
    used: set[str] = set()
    waiting = list(tops)
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting += [needed for needed in needs[name] - used if (name, needed) not in cut]
    unused = sorted(found.keys() - used)
    for name in unused:
        remove(folder / file for file in found[name].files or ())
    for path in sorted(folder.rglob("*/"), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
    return unused


def requirements(package: Distribution) -> set[str]:
    """Return the names of a package's requirements, without extras."""
    lines = [line for line in package.requires or () if "extra ==" not in line]
    return {normalized(found[0]) for line in lines if (found := re.match(r"[\w.-]+", line))}


def normalized(name: str) -> str:
    """Return a package's normalized name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders; missing ones are ignored."""
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def strip_symbols(path: Path) -> None:
    """Truncate a shared library after its last segment: the loader ignores the linkers' and debuggers' tables there.

    AWS's base image has no `strip`. The offsets are those of a 64-bit little-endian ELF header.
    """
    with path.open("r+b") as file:
        header = bytearray(file.read(64))
        if header[:6] != b"\x7fELF\x02\x01":
            return
        (table,), (entry_bytes, entries) = struct.unpack_from("<Q", header, 32), struct.unpack_from("<HH", header, 54)
        file.seek(table)
        segments = [struct.unpack_from("<8xQ16xQ", file.read(entry_bytes)) for _ in range(entries)]
        struct.pack_into("<Q", header, 40, 0)  # e_shoff: offset of the section header table
        struct.pack_into("<HH", header, 60, 0, 0)  # e_shnum, e_shstrndx: number of sections, index of their names
        file.seek(0)
        file.write(header)
        file.truncate(max(table + entry_bytes * entries, *(offset + length for offset, length in segments)))


def size(folder: Path) -> str:
    """Return the total size and number of a folder's files as text."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files"


if __name__ == "__main__":
    raise SystemExit(main())
