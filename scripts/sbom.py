"""Write what an image holds: a bill of materials in CycloneDX's JSON, beside the packages that it lists.

Runs inside the build of the image, on the base image's Python, and needs nothing else. Packages whose wheels bring
their own bill, of the Rust or C that is compiled into them, are listed with a reference to it. What the base image
holds is the base image's to tell: it is named, with its digest where it was given by one.
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
    """Write the bill of the folder that the command line names. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="the installed packages")
    parser.add_argument("--base-image", required=True, help="what the image is built on")
    options = parser.parse_args()
    bill = bill_of_materials(options.folder, options.base_image)
    if len(bill["components"]) < 2:
        print(f"error: there are no packages in {options.folder}", file=sys.stderr)
        return 1
    (options.folder / NAME).write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    print(f"{NAME}: {len(bill['components'])} components")
    return 0


def bill_of_materials(folder: Path, base_image: str) -> dict[str, Any]:
    """Return the bill of a folder of installed packages.

    Args:
        folder: What `pip install --target` filled.
        base_image: Name of the image below, with a tag or a digest.

    Returns:
        A document of CycloneDX 1.6. It holds no time, so that equal builds have equal bills.
    """
    installed = sorted(folder.glob("*.dist-info"), key=lambda path: path.name.lower())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ludwig-serverless", "bom-ref": "ludwig-serverless"}},
        "components": [_base(base_image), *map(_component, installed)],
    }


def _base(image: str) -> dict[str, Any]:
    name, _, digest = image.partition("@sha256:")
    component: dict[str, Any] = {"type": "container", "name": name, "bom-ref": image}
    return {**component, "hashes": [{"alg": "SHA-256", "content": digest}]} if digest else component


def _component(installed: Path) -> dict[str, Any]:
    """Describe the package of a `.dist-info` folder."""
    package = Distribution.at(installed)
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', package.name).lower()}@{package.version}"
    component = {"type": "library", "name": package.name, "version": package.version, "purl": purl, "bom-ref": purl}
    licenses = _licenses(cast("Message", package.metadata))
    if licenses:
        component["licenses"] = licenses
    own = sorted(installed.glob("sboms/*.json"))
    if own:
        places = [path.relative_to(installed.parent).as_posix() for path in own]
        component["externalReferences"] = [{"type": "bom", "url": place} for place in places]
    return component


def _licenses(metadata: Message) -> list[dict[str, Any]]:
    """Return a package's license as CycloneDX has it: its SPDX expression or, of an older package, its classifiers."""
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classifiers = metadata.get_all("Classifier") or ()
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved :: ")]
    return [{"license": {"name": name}} for name in names]


if __name__ == "__main__":
    raise SystemExit(main())
