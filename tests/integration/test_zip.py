"""The zip package: built reproducibly for both processors, deployed by SAM, and answering on AWS's base image."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml

from handler.auth import new_token
from handler.page import PAGES
from scripts.ask_emulator import hexabot_event, invoke
from scripts.base_image import ensure_base_image
from scripts.zip_package import MOST_UNZIPPED, MOST_ZIPPED, OUTPUT, Built, ZipPackageError, build, checked, main
from scripts.zip_template import SETTINGS
from tests.deploy.template import load
from tests.hexabot_client import decode, understand
from tests.integration.containers import engine_or_skip, running
from tests.processes import aws_environ, running_aws, tool

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ROOT / "examples" / "bundles"
TOKEN, DIGEST = new_token()
SECONDS = 120
MACHINES = {"x86_64": 62, "arm64": 183}
"""`e_machine` in the ELF header of shared libraries: EM_X86_64 and EM_AARCH64."""

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def package() -> Path:
    """Return the package of `make zip`."""
    assert main([]) == 0
    return OUTPUT / "function.zip"


@pytest.fixture(scope="module")
def url(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the package as Lambda does: unzipped into /var/task of the base image, read-only."""
    found = engine_or_skip()
    folder = tmp_path_factory.mktemp("task")
    folder.chmod(0o755)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    given = ("-e", f"NLU_TOKEN_DIGESTS={DIGEST}", "-e", "NLU_BUNDLES=/var/task/bundles")
    mounted = ("-v", f"{folder}:/var/task:ro", *given)
    with running(found, ensure_base_image(found), *mounted, command=["handler.entrypoint.lambda_handler"]) as address:
        yield address


def test_the_package_answers_its_golden_rows(url: str) -> None:
    answer = invoke(url, {"check": "golden"})
    assert (answer["changed"], answer["unproven"]) == ([], [])
    assert sorted(answer["models"]) == ["intent", "language", "slots"]
    assert answer["checked"] >= 3


def test_hexabots_request_is_answered(url: str) -> None:
    text = "book me a flight to New York next friday morning"
    response = invoke(url, hexabot_event(text, TOKEN))
    assert response["statusCode"] == 200
    understanding = understand(text, decode(response["body"].encode()))
    assert understanding.traits["intent"].value == "book_flight"
    assert ("destination", "New York") in [(slot.entity, slot.value) for slot in understanding.slots]


def test_two_builds_have_one_digest(package: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.zip_package", "--output", str(tmp_path / "another folder")]
    environ = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert f"sha256 {digest}\n" in done.stdout


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_package_has_only_its_processors_libraries(architecture: str, package: Path, tmp_path: Path) -> None:
    built = package if architecture == "x86_64" else build(BUNDLES, architecture, tmp_path).path
    assert built.stat().st_size <= MOST_ZIPPED
    with zipfile.ZipFile(built) as archive:
        entries = archive.infolist()
        libraries = [entry for entry in entries if ".so" in entry.filename]
        assert {int.from_bytes(archive.read(entry)[18:20], "little") for entry in libraries} == {MACHINES[architecture]}
        compiled = archive.read("handler/__pycache__/entrypoint.cpython-312.pyc")
    assert sum(entry.file_size for entry in entries) <= MOST_UNZIPPED
    assert any("onnxruntime" in entry.filename for entry in libraries)
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {"handler/entrypoint.py", "bundles/intent/manifest.json", "sbom.cdx.json"} <= set(names)
    assert {f"handler/pages/{path.name}" for path in PAGES.iterdir()} <= set(names)
    assert {(entry.date_time, entry.external_attr >> 16) for entry in entries} == {((1980, 1, 1, 0, 0, 0), 0o100644)}
    assert b"/var/task/handler/entrypoint.py" in compiled


@pytest.mark.parametrize(
    ("zipped", "unzipped", "found"),
    [
        (MOST_ZIPPED + 1, MOST_UNZIPPED, "50.0 MB zipped, and Lambda accepts at most 50 MB"),
        (MOST_ZIPPED, 2 * MOST_UNZIPPED, "500.0 MB unzipped, and Lambda accepts at most 250 MB"),
    ],
)
def test_a_package_that_lambda_would_refuse_is_refused(tmp_path: Path, zipped: int, unzipped: int, found: str) -> None:
    path = tmp_path / "function.zip"
    path.write_bytes(b"")
    with pytest.raises(ZipPackageError, match=found) as refused:
        checked(Built(path, "", zipped, unzipped))
    assert "deploy the image" in str(refused.value)
    assert not path.exists()
    checked(Built(path, "", MOST_ZIPPED, MOST_UNZIPPED))


def test_a_folder_without_bundles_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundles", str(tmp_path), "--output", str(tmp_path)]) == 1
    assert "error: No bundle in" in capfd.readouterr().err


def test_sam_builds_and_uploads_the_package_unchanged(package: Path, tmp_path: Path) -> None:
    """SAM's build and upload, against an imitation of S3; `sam deploy` begins with the same upload."""
    uploaded = tmp_path / "uploaded.yaml"
    with running_aws() as address:
        environ = {**aws_environ(address), "SAM_CLI_TELEMETRY": "0", "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
        client = boto3.client(
            "s3", endpoint_url=address, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
        )
        client.create_bucket(Bucket="packages")
        upload = ("package", "--template-file", ".aws-sam/zip/template.yaml", "--s3-bucket", "packages")
        for words in (["build", "--config-env", "zip"], [*upload, "--output-template-file", str(uploaded)]):
            done = subprocess.run(
                [tool("cloud", "sam"), *words], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=SECONDS
            )
            assert done.returncode == 0, done.stderr
        function = yaml.safe_load(uploaded.read_text(encoding="utf-8"))["Resources"]["Function"]["Properties"]
        key = function["CodeUri"].removeprefix("s3://packages/")
        content = client.get_object(Bucket="packages", Key=key)["Body"].read()
    assert content == package.read_bytes()
    assert (function["PackageType"], function["Runtime"]) == ("Zip", "python3.12")


def test_the_template_for_the_package_is_valid(package: Path) -> None:
    done = subprocess.run(
        [tool("cloud", "sam"), "validate", "--lint", "--template", str(package.with_name("template.yaml"))],
        cwd=ROOT, env={**aws_environ(""), "SAM_CLI_TELEMETRY": "0", "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_differs_only_in_the_package(package: Path) -> None:
    image, zipped = load(), yaml.safe_load(package.with_name("template.yaml").read_text(encoding="utf-8"))
    assert image["Parameters"].keys() - zipped["Parameters"].keys() == {
        "BaseImage",
        "BakedBundles",
        "Fetch",
        "ImageTag",
    }
    assert zipped["Parameters"]["Architecture"]["AllowedValues"] == ["x86_64"]
    assert image["Resources"].keys() == zipped["Resources"].keys()
    assert image["Outputs"].keys() == zipped["Outputs"].keys()
    different = {
        name
        for name, value in zipped["Resources"]["Function"]["Properties"].items()
        if name not in image["Resources"]["Function"]["Properties"]
    }
    assert different == {"CodeUri", "Handler", "Runtime"}


def test_the_package_runs_with_the_images_settings() -> None:
    dockerfile = (ROOT / "Dockerfile.lambda").read_text(encoding="utf-8")
    for name, value in SETTINGS.items():
        assert f"{name}={value}" in dockerfile
