"""Build the Lambda's image with bundles in it, and say what the handler adds to the base image."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from handler.bundle import MANIFEST, is_bundle, read_bundle
from handler.errors import BundleError
from scripts.containers import Engine, NoEngineError, find_engine

ROOT = Path(__file__).resolve().parent.parent
BASE_IMAGE = "public.ecr.aws/lambda/python:3.12"
IMAGE = "ludwig-serverless"
STAGED = ROOT / "build" / "image" / "bundles"
"""Where bundles wait for a build: it sees nothing outside the repository."""
MEASURE = """
import pathlib
root = pathlib.Path("/var/task")
files = [path for path in root.rglob("*") if path.is_file() and root / "bundles" not in path.parents]
print(sum(path.stat().st_size for path in files), len(files))
"""


class NoBaseImageError(Exception):
    """Raise when the base image is neither here nor can be pulled."""


def main(arguments: Sequence[str]) -> int:
    """Build as the command line says. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-image", default=BASE_IMAGE, help=f"the image to build on (default: {BASE_IMAGE})")
    parser.add_argument("--bundles", type=Path, default=ROOT / "examples" / "bundles", help="a folder of bundles")
    parser.add_argument("--fetch", choices=["0", "1"], default="0", help="1: add boto3 and huggingface_hub")
    parser.add_argument("--target", choices=["onnx", "torchscript"], default="onnx", help="what runs the graphs")
    parser.add_argument("--tag", default=IMAGE, help=f"the image's name (default: {IMAGE})")
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
        print(f"error: {' '.join(error.cmd[:2])} ended with status {error.returncode}", file=sys.stderr)
        return 1
    print(f"{options.tag}: adds {added / 1e6:.1f} MB in {files} files to {options.base_image}, bundles left out")
    digest = pinned(engine, options.base_image)
    if digest not in ("", options.base_image):
        print(f"To build on the same base again: BASE_IMAGE={digest}, or BaseImage={digest} in samconfig.toml")
    return 0


def need_base_image(engine: Engine, name: str) -> None:
    """Have the base image, pulling it if need be. Raises NoBaseImageError, saying how to get it."""
    if engine.has_image(name):
        return
    print(f"Pulling {name} ...", file=sys.stderr, flush=True)
    if engine.run("pull", name, check=False, quiet=False).returncode:
        raise NoBaseImageError(
            f"There is no base image {name} here, and {engine.name} cannot pull it: see above. Look at the network, "
            "or name another image (BASE_IMAGE=...). A look-alike, good for trying things out and not for AWS, is made "
            "by `.venvs/full/bin/python -m scripts.base_image` as root on Debian."
        )


def pinned(engine: Engine, name: str) -> str:
    """Return the name of an image with its digest in place of its tag.

    Args:
        engine: The engine that has the image.
        name: The image's name, with a tag or a digest.

    Returns:
        `name@sha256:...`, or "" for an image that was never pulled from a registry and so has no digest there.
    """
    format_ = "{{range .RepoDigests}}{{println .}}{{end}}"
    listed = engine.run("image", "inspect", "--format", format_, name).stdout.split()
    repository = re.sub(r"(:[^:/@]+)?(@.*)?$", "", name)
    return next((digest for digest in listed if digest.startswith(f"{repository}@")), "")


def stage_bundles(place: Path) -> None:
    """Check the bundles of a folder and copy them to where a build sees them. Raises BundleError."""
    folders = [place] if is_bundle(place) else sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))
    if not folders:
        raise BundleError(f"No bundle in {place}. Make one with `ludwig-serverless export MODEL_DIR BUNDLE_DIR`.")
    for folder in folders:
        read_bundle(folder)
    shutil.rmtree(STAGED, ignore_errors=True)
    for folder in folders:
        shutil.copytree(folder, STAGED / folder.resolve().name)


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
    """Build an image. bundles: a folder that .dockerignore lets in. Raises CalledProcessError."""
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
    """Return the bytes and the number of the files that an image adds to its base, bundles left out."""
    measured = engine.run("run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c", MEASURE)
    size, files = map(int, measured.stdout.split())
    return size, files


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
