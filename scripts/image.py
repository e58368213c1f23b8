"""Build the Lambda image with bundles, and print the size that the handler adds to the base image."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from handler.bundle import MANIFEST, is_bundle, read_bundle
from handler.errors import BundleError
from handler.observers import SHADOW
from scripts.containers import Engine, NoEngineError, find_engine

ROOT = Path(__file__).resolve().parent.parent
BASE_IMAGE = "public.ecr.aws/lambda/python:3.12"
IMAGE = "ludwig-serverless"
STAGED = ROOT / "build" / "image" / "bundles"
"""Bundles are copied here for a build, because a build sees only files in the repository."""
MEASURE = """
import pathlib
root = pathlib.Path("/var/task")
files = [path for path in root.rglob("*") if path.is_file() and root / "bundles" not in path.parents]
print(sum(path.stat().st_size for path in files), len(files))
"""


class NoBaseImageError(Exception):
    """Raised when the base image is not on this machine and cannot be pulled."""


def main(arguments: Sequence[str]) -> int:
    """Build the image, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-image", default=BASE_IMAGE, help=f"base image (default: {BASE_IMAGE})")
    parser.add_argument("--bundles", type=Path, default=ROOT / "examples" / "bundles", help="a folder of bundles")
    parser.add_argument("--fetch", choices=["0", "1"], default="0", help="1: add boto3 and huggingface_hub")
    parser.add_argument("--target", choices=["onnx", "torchscript"], default="onnx", help="runtime of the graphs")
    parser.add_argument("--tag", default=IMAGE, help=f"name of the new image (default: {IMAGE})")
    options = parser.parse_args(arguments)
    try:
        engine = find_engine()
        need_base_image(engine, options.base_image)
        stage_bundles(options.bundles)
        build_image(engine, options.tag, STAGED, options.base_image, options.fetch, options.target, quiet=False)
        added, files = added_to_base(engine, options.tag)
    except (BundleError, NoEngineError, NoBaseImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd[:2])} failed with status {error.returncode}", file=sys.stderr)
        return 1
    print(f"{options.tag}: adds {added / 1e6:.1f} MB in {files} files to {options.base_image}, without bundles")
    digest = pinned(engine, options.base_image)
    if digest not in ("", options.base_image):
        print(f"To pin this base image, set BASE_IMAGE={digest}, or BaseImage={digest} in samconfig.toml")
    return 0


def need_base_image(engine: Engine, name: str) -> None:
    """Pull the base image if it is not on this machine.

    Raises:
        NoBaseImageError: It cannot be pulled. The message explains how to get one.
    """
    if engine.has_image(name):
        return
    print(f"Pulling {name} ...", file=sys.stderr, flush=True)
    if engine.run("pull", name, check=False, quiet=False).returncode:
        raise NoBaseImageError(
            f"{engine.name} cannot pull the base image {name}: see the error above. Check the network, or use another "
            "image (BASE_IMAGE=...). As root on Debian, `.venvs/full/bin/python -m scripts.base_image` builds a "
            "look-alike for local tests, not for AWS."
        )


def pinned(engine: Engine, name: str) -> str:
    """Return the name of an image with its digest instead of its tag.

    Args:
        engine: The engine that has the image.
        name: The image's name, with a tag or a digest.

    Returns:
        `name@sha256:...`, or "" for an image that was not pulled from a registry and so has no digest.
    """
    format_ = "{{range .RepoDigests}}{{println .}}{{end}}"
    listed = engine.run("image", "inspect", "--format", format_, name).stdout.split()
    repository = re.sub(r"(:[^:/@]+)?(@.*)?$", "", name)
    return next((digest for digest in listed if digest.startswith(f"{repository}@")), "")


def stage_bundles(source: Path, target: Path = STAGED) -> None:
    """Check the bundles of a folder and their shadows, and copy them to a folder that a build can read.

    Args:
        source: A bundle, or a folder of bundles.
        target: The folder of the copies, which is replaced.

    Raises:
        BundleError: There is no bundle, or one is invalid.
    """
    folders = [source] if is_bundle(source) else sorted(path.parent for path in source.glob(f"*/{MANIFEST}"))
    if not folders:
        raise BundleError(f"No bundle in {source}: make one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`.")
    shadows = [] if folders == [source] else sorted(path.parent for path in source.glob(f"{SHADOW}/*/{MANIFEST}"))
    for folder in (*folders, *shadows):
        read_bundle(folder)
    shutil.rmtree(target, ignore_errors=True)
    for folder in folders:
        shutil.copytree(folder, target / folder.resolve().name)
    for folder in shadows:
        shutil.copytree(folder, target / SHADOW / folder.resolve().name)


def build_image(
    engine: Engine,
    tag: str,
    bundles: Path,
    base_image: str = BASE_IMAGE,
    fetch: str = "0",
    target: str = "onnx",
    *,
    quiet: bool = True,
) -> None:
    """Build the Lambda image.

    Args:
        engine: The container engine.
        tag: Name of the new image.
        bundles: A folder of bundles in the repository that .dockerignore does not exclude.
        base_image: The base image.
        fetch: "1" to add boto3 and huggingface_hub.
        target: Runtime of the graphs: `onnx` or `torchscript`.
        quiet: Whether to hide the output of the build.

    Raises:
        subprocess.CalledProcessError: The build failed.
    """
    arguments = {
        "BASE_IMAGE": base_image,
        "BUNDLES": bundles.relative_to(ROOT).as_posix(),
        "FETCH": fetch,
        "TORCH": "1" if target == "torchscript" else "0",
    }
    given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    file = str(ROOT / "Dockerfile.lambda")
    engine.run("build", "-f", file, "--target", target, "-t", tag, *given, str(ROOT), quiet=quiet)


def added_to_base(engine: Engine, image: str) -> tuple[int, int]:
    """Return the total size in bytes and the number of files that an image adds to its base, without bundles."""
    measured = engine.run("run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c", MEASURE)
    size, files = map(int, measured.stdout.split())
    return size, files


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
