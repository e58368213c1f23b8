"""The supply chain of the Lambda image: a base image by digest, and a complete SBOM."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.base_image import ensure_base_image
from scripts.containers import Engine
from scripts.image import build_image, main, pinned
from tests.integration.containers import engine_or_skip
from tests.processes import tool

BUNDLES = Path(__file__).resolve().parents[2] / "examples" / "bundles"
IMAGE = "ludwig-serverless:supply-chain"
INSTALLED = """
import importlib.metadata, json
found = importlib.metadata.distributions(path=["/var/task"])
print(json.dumps(sorted([package.name, package.version] for package in found)))
"""
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_or_skip()


@pytest.fixture(scope="module")
def base(engine: Engine) -> str:
    """Return the base image's name with its digest."""
    name = pinned(engine, ensure_base_image(engine))
    assert name.startswith("public.ecr.aws/lambda/python@sha256:")
    return name


@pytest.fixture(scope="module")
def image(engine: Engine, base: str) -> str:
    """Build the image on the base image with a given digest."""
    build_image(engine, IMAGE, BUNDLES, base)
    return IMAGE


def read(engine: Engine, image: str, path: str) -> str:
    return engine.run("run", "--rm", "--entrypoint", "cat", image, path).stdout


@pytest.fixture(scope="module")
def bill(engine: Engine, image: str) -> Any:
    return json.loads(read(engine, image, "/var/task/sbom.cdx.json"))


def test_the_image_names_the_base_that_it_was_built_on(engine: Engine, image: str, base: str, bill: Any) -> None:
    label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
    assert engine.run("image", "inspect", "--format", label, image).stdout.strip() == base
    name, _, digest = base.partition("@sha256:")
    (container,) = (component for component in bill["components"] if component["type"] == "container")
    assert (container["name"], container["hashes"]) == (name, [{"alg": "SHA-256", "content": digest}])


def test_the_sbom_lists_every_package_with_its_license(engine: Engine, image: str, bill: Any) -> None:
    installed = json.loads(engine.run("run", "--rm", "--entrypoint", "python3", image, "-c", INSTALLED).stdout)
    listed = [component for component in bill["components"] if component["type"] == "library"]
    assert sorted([component["name"], component["version"]] for component in listed) == installed
    assert {"msgspec", "onnxruntime", "tokenizers"} <= {component["name"] for component in listed}
    assert [component["name"] for component in listed if "licenses" not in component] == []


def test_the_wheels_own_sboms_are_kept_and_referenced(engine: Engine, image: str, bill: Any) -> None:
    references = [item for component in bill["components"] for item in component.get("externalReferences", [])]
    names = [item["url"].partition("-")[0] for item in references]
    assert "tokenizers" in names
    for reference in references:
        assert json.loads(read(engine, image, f"/var/task/{reference['url']}"))["bomFormat"] == "CycloneDX"


def test_the_sbom_is_valid_cyclonedx(bill: Any) -> None:
    python = Path(tool("checkov", "checkov")).with_name("python")
    command = [str(python), "-c", VALIDATE]
    done = subprocess.run(command, input=json.dumps(bill), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr + done.stdout


def test_make_image_says_how_to_pin_the_base(engine: Engine, base: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--tag", IMAGE]) == 0
    assert f"BASE_IMAGE={base}, or BaseImage={base} in samconfig.toml" in capfd.readouterr().out
    assert main(["--tag", IMAGE, "--base-image", base]) == 0
    assert "To pin this base image" not in capfd.readouterr().out
