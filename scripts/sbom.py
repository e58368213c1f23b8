"""Write a software bill of materials (SBOM) as CycloneDX JSON, next to the packages that it lists.

This script runs without other packages: during the image build on the base image's Python, and for the zip package on
this machine's. If a wheel contains its own SBOM, for the Rust or C code compiled into it, the package's entry refers to
it. The base image is a single entry, with its digest if the build pins it; a zip package has none.
"""

import argparse
import json
import re
import sys
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, cast

NAME = "sbom.cdx.json"


def main() -> int:
    """Write the SBOM of the folder given on the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a folder of installed packages")
    parser.add_argument("--base-image", default="", help="name of the base image, if there is one")
    options = parser.parse_args()
    bill = bill_of_materials(options.folder, options.base_image)
    if not any(component["type"] == "library" for component in bill["components"]):
        print(f"error: {options.folder} contains no packages", file=sys.stderr)
        return 1
    (options.folder / NAME).write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    print(f"{NAME}: {len(bill['components'])} components")
    return 0


def bill_of_materials(folder: Path, base_image: str) -> dict[str, Any]:
    """Return the SBOM of a folder of installed packages.

    Args:
        folder: A folder of `pip install --target`.
        base_image: Name of the base image, with a tag or a digest; empty for a package without one.

    Returns:
        A CycloneDX 1.6 document. It has no timestamp, so that equal builds have equal SBOMs.
    """
    installed = sorted(folder.glob("*.dist-info"), key=lambda path: path.name.lower())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ludwig-serverless", "bom-ref": "ludwig-serverless"}},
        "components": [*([_base(base_image)] if base_image else ()), *map(_component, installed)],
    }


def _base(image: str) -> dict[str, Any]:
    name, _, digest = image.partition("@sha256:")
    component: dict[str, Any] = {"type": "container", "name": name, "bom-ref": image}
    return {**component, "hashes": [{"alg": "SHA-256", "content": digest}]} if digest else component


def _component(installed: Path) -> dict[str, Any]:
    """Return the component of the package in a `.dist-info` folder."""
    package = Distribution.at(installed)
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', package.name).lower()}@{package.version}"
    component: dict[str, Any] = {
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "bom-ref": purl,
    }
    licenses = _licenses(cast("Message", package.metadata))
    if licenses:
        component["licenses"] = licenses
    own = sorted(installed.glob("sboms/*.json"))
    if own:
        urls = [path.relative_to(installed.parent).as_posix() for path in own]
        component["externalReferences"] = [{"type": "bom", "url": url} for url in urls]
    return component


def _licenses(metadata: Message) -> list[dict[str, Any]]:
    """Return a package's license in CycloneDX's form: its SPDX expression or, for older packages, its classifiers."""
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classifiers = metadata.get_all("Classifier") or ()
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved :: ")]
    return [{"license": {"name": name}} for name in names]


if __name__ == "__main__":
    raise SystemExit(main())
