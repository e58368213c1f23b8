"""Remove from a folder of installed packages what answering never touches, and compile the rest.

Runs inside the build of the image, on the base image's Python, and needs nothing else.
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

UNWANTED = (
    "bin",
    # The Python extension holds the whole runtime; this is the same once more, for programs in C.
    "onnxruntime/capi/libonnxruntime.so*",
    *(f"onnxruntime/{name}" for name in ("backend", "datasets", "quantization", "tools", "transformers")),
    *(f"numpy/{name}" for name in ("doc", "f2py", "_pyinstaller", "conftest.py")),
    *("numpy/**/tests", "numpy/_core/*_tests.*.so", "numpy/_core/_simd.*.so", "numpy/**/include", "numpy/**/*.a"),
    # FastAPI looks for it and works without it.
    *("pydantic/v1", "pydantic/mypy.py", "anyio/pytest_plugin.py", "anyio/_backends/_trio.py"),
    *("**/*.pyi", "**/*.pxd", "**/*.pyx", "**/*.h", "**/py.typed"),
    *(f"*.dist-info/{name}" for name in ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "top_level.txt")),
)
NUMPY_WITHOUT_TORCH = ("ctypeslib", "fft", "ma", "polynomial", "random", "testing", "typing")
"""What numpy loads when it is first asked for, and the handler asks for none of it."""
NEVER_IMPORTED = {
    ("onnxruntime", "flatbuffers"),
    ("onnxruntime", "packaging"),
    ("onnxruntime", "protobuf"),
    ("python-dateutil", "tzdata"),
}
"""Requirements (of, on) that answering never comes to: tools that are removed above, and time zones by name."""
ONLY_TO_FETCH = {("tokenizers", "huggingface-hub")}
"""Requirements of `from_pretrained`, which the handler never calls: bundles hold their tokenizers."""
COMMAND_LINE = {"shtab", "uvicorn"}
"""What only the command line imports: a server for other machines than Lambda, and completion in a shell."""
AWS_SERVICES = {"s3", "signin", "sso", "sso-oidc", "sts"}
"""What boto3 needs to read S3 with any kind of credentials, of the hundreds of services that it describes."""


def main() -> int:
    """Prune the folder that the command line names. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="what `pip install --target` filled")
    parser.add_argument("--fetch", choices=["0", "1"], default="0", help="1: keep what fetches bundles")
    options = parser.parse_args()
    folder: Path = options.folder
    print(f"installed: {size(folder)}")
    removed = remove_unused(folder, NEVER_IMPORTED if options.fetch == "1" else NEVER_IMPORTED | ONLY_TO_FETCH)
    print(f"not used: {', '.join(removed)}")
    remove(path for pattern in UNWANTED for path in folder.glob(pattern))
    if not (folder / "torch").is_dir():
        remove(folder / "numpy" / name for name in NUMPY_WITHOUT_TORCH)
    remove(path for path in folder.glob("boto*/data/*/") if path.name not in AWS_SERVICES)
    for path in folder.rglob("*.so*"):
        strip_symbols(path)
    if not compileall.compile_dir(folder, quiet=1, workers=0, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH):
        print(f"error: not everything in {folder} compiles; see above", file=sys.stderr)
        return 1
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    print(f"kept, compiled: {size(folder)}")
    return 0


def remove_unused(folder: Path, cut: set[tuple[str, str]]) -> list[str]:
    """Remove the packages that no other needs once the requirements in `cut` are gone. Returns their names."""
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
    """Return the names of what a package requires, extras left out."""
    lines = [line for line in package.requires or () if "extra ==" not in line]
    return {normalized(found[0]) for line in lines if (found := re.match(r"[\w.-]+", line))}


def normalized(name: str) -> str:
    """Return a package's name as all its spellings compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders, those that are not there included."""
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def strip_symbols(path: Path) -> None:
    """Cut off what follows a shared library's last segment: tables for linkers and debuggers, which the loader skips.

    AWS's base image has no `strip`. The offsets are those of a 64-bit little-endian ELF header.
    """
    with path.open("r+b") as file:
        header = bytearray(file.read(64))
        if header[:6] != b"\x7fELF\x02\x01":
            return
        (table,), (entry_bytes, entries) = struct.unpack_from("<Q", header, 32), struct.unpack_from("<HH", header, 54)
        file.seek(table)
        segments = [struct.unpack_from("<8xQ16xQ", file.read(entry_bytes)) for _ in range(entries)]
        struct.pack_into("<Q", header, 40, 0)  # where the table of sections starts
        struct.pack_into("<HH", header, 60, 0, 0)  # how many there are, and which of them holds their names
        file.seek(0)
        file.write(header)
        file.truncate(max(table + entry_bytes * entries, *(offset + length for offset, length in segments)))


def size(folder: Path) -> str:
    """Say how much a folder holds."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files"


if __name__ == "__main__":
    raise SystemExit(main())
