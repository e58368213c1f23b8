"""Build the zip package for Lambda: the handler, its pinned packages and bundles, to the same bytes each time."""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from handler.errors import BundleError
from scripts.environment import MissingToolError, find_uv
from scripts.image import stage_bundles
from scripts.zip_template import write_template

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "zip"
PACKAGE, TEMPLATE = "function.zip", "template.yaml"
PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""The wheels to install. AWS's runtime for Python 3.12 has glibc 2.34, and so accepts them."""
PYTHON = "3.12"
MOST_ZIPPED, MOST_UNZIPPED = 50 * 2**20, 250 * 2**20
"""Lambda's limits in bytes: of a direct upload, and of all files."""
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can store; every file has it."""
FILE_MODE = 0o100644


class ZipPackageError(Exception):
    """Raised when no package can be built; the message says what to do."""


@dataclass(frozen=True)
class Built:
    """A package.

    Attributes:
        path: The zip.
        digest: Its SHA-256 digest, in hex.
        zipped: Its size in bytes.
        unzipped: Total size of its files in bytes.
    """

    path: Path
    digest: str
    zipped: int
    unzipped: int


def main(arguments: Sequence[str]) -> int:
    """Build the package and its template, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=Path, default=ROOT / "examples" / "bundles", help="a folder of bundles")
    parser.add_argument("--architecture", choices=sorted(PLATFORMS), default="x86_64", help="default: %(default)s")
    parser.add_argument("--fetch", choices=["0", "1"], default="0", help="1: add boto3 and huggingface_hub")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"folder for {PACKAGE} and {TEMPLATE}")
    options = parser.parse_args(arguments)
    try:
        built = build(options.bundles, options.architecture, options.output, options.fetch)
    except (BundleError, MissingToolError, ZipPackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_template(options.output / TEMPLATE, built.path.name, options.architecture)
    print(f"{built.path}: {built.zipped / 1e6:.1f} MB, unzipped {built.unzipped / 1e6:.1f} MB, {options.architecture}")
    print(f"sha256 {built.digest}")
    if options.output.resolve() == OUTPUT:
        print("Deploy it with `sam build --config-env zip && sam deploy --config-env zip`")
    return 0


def build(bundles: Path, architecture: str, output: Path, fetch: str = "0", python: str = PYTHON) -> Built:
    """Build a package for Lambda from the pinned wheels of its processor.

    Args:
        bundles: A bundle, or a folder of bundles.
        architecture: `x86_64` or `arm64`, which may differ from this machine's.
        output: The folder to write `function.zip` to. The same inputs give the same bytes with the same Python.
        fetch: "1" to add boto3 and huggingface_hub.
        python: Version of Python that the compiled packages are for. Lambda's is the default.

    Raises:
        BundleError: There is no bundle, or one is invalid.
        MissingToolError: uv is not installed and cannot be.
        ZipPackageError: The packages cannot be installed, or the result exceeds Lambda's limits.
    """
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        raise ZipPackageError(
            f"Lambda's Python is {PYTHON}, and {sys.version.split()[0]} compiles for another one: use `make zip`."
        )
    with tempfile.TemporaryDirectory(prefix="zip-package-") as created:
        folder, staged = Path(created, "task"), Path(created, "bundles")
        stage_bundles(bundles, staged)
        name = "fetch" if fetch == "1" else "handler"
        _run(
            *(find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", folder),  # type: ignore[no-untyped-call]
            *("--python-platform", PLATFORMS[architecture], "--python-version", python, "--only-binary", ":all:"),
            # Copies, because pruning changes files, and links would lead into uv's cache.
            *("--link-mode", "copy", "--require-hashes", "--no-deps", "-r", ROOT / "requirements" / f"{name}.txt"),
        )
        shutil.copytree(ROOT / "handler", folder / "handler", ignore=shutil.ignore_patterns("__pycache__"))
        _run(sys.executable, ROOT / "scripts" / "prune_packages.py", folder, "--fetch", fetch)
        _run(sys.executable, ROOT / "scripts" / "sbom.py", folder)
        staged.rename(folder / "bundles")
        output.mkdir(parents=True, exist_ok=True)
        return checked(write_zip(folder, output / PACKAGE))


def write_zip(folder: Path, target: Path) -> Built:
    """Write the files of a folder to a zip: sorted, all with the same time and mode, readable by all users.

    Args:
        folder: The folder.
        target: The zip, which is replaced.
    """
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system = 3  # Unix, whose mode is in the upper half of the attributes
            entry.external_attr = FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    content = target.read_bytes()
    unzipped = sum(path.stat().st_size for _, path in files)
    return Built(target, hashlib.sha256(content).hexdigest(), len(content), unzipped)


def checked(built: Built) -> Built:
    """Return a package that Lambda accepts.

    Raises:
        ZipPackageError: The package is too large. The zip is removed.
    """
    for size, most, state in ((built.zipped, MOST_ZIPPED, "zipped"), (built.unzipped, MOST_UNZIPPED, "unzipped")):
        if size > most:
            built.path.unlink()
            raise ZipPackageError(
                f"The package has {size / 2**20:.1f} MB {state}, and Lambda accepts at most {most // 2**20} MB: "
                "leave out bundles (BUNDLES=folder), load them from S3 (FETCH=1), or deploy the image (`make image`)."
            )
    return built


def _run(*command: object) -> None:
    """Run a command with its output on stderr.

    Raises:
        ZipPackageError: The command failed; its own message is above.
    """
    if subprocess.run([str(part) for part in command], stdout=sys.stderr, check=False).returncode:
        raise ZipPackageError(f"`{Path(str(command[0])).name} {command[1]}` failed: see its message above.")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
