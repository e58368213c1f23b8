"""The Lambda image, built and started as on AWS: read-only except /tmp, not as root, in 512 MB."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest

from handler.auth import new_token
from handler.page import page
from scripts.ask_emulator import invoke
from scripts.base_image import ensure_base_image
from scripts.containers import Engine
from scripts.image import added_to_base, build_image, main
from tests.bundles import INTENT, write_bundle, write_subword_bundle
from tests.hexabot_client import axios_query, decode, http_api_event, multipart, understand
from tests.integration.containers import LIMITS, engine_or_skip, running
from tests.processes import aws_environ, running_aws

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ROOT / "examples" / "bundles"
IMAGE = "ludwig-serverless:test"
TOKEN, DIGEST = new_token()
TEXT = "book me a flight to New York next friday morning"
LARGEST_BYTES = 62_000_000

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def engine() -> Engine:
    return engine_or_skip()


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    build_image(engine, IMAGE, BUNDLES, ensure_base_image(engine))
    return IMAGE


@pytest.fixture(scope="module")
def url(engine: Engine, image: str) -> Iterator[str]:
    with running(engine, image, "-e", f"NLU_TOKEN_DIGESTS={DIGEST}") as address:
        yield address


def ask(url: str, text: str = TEXT, query: str = "", **headers: str) -> dict[str, Any]:
    """Send Hexabot's request, and return the function's response."""
    content_type, body = multipart({"text": text})
    sent = {"content-type": content_type, **headers}
    return invoke(url, http_api_event("POST", "/predict", body, query=query, headers=sent))


def python(engine: Engine, image: str, code: str) -> Any:
    """Run Python code in the image, and return the JSON that it prints."""
    return json.loads(engine.run("run", "--rm", *LIMITS, "--entrypoint", "python3", image, "-c", code).stdout)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (axios_query(TOKEN), {}),
        ("", {"authorization": f"Bearer {TOKEN}"}),
        ("", {"x-api-key": TOKEN}),
    ],
    ids=["query", "bearer", "api-key"],
)
def test_hexabots_request_is_answered_with_its_token_in_any_place(
    url: str, query: str, headers: dict[str, str]
) -> None:
    response = ask(url, query=query, **headers)
    assert response["statusCode"] == 200
    understanding = understand(TEXT, decode(response["body"].encode()))
    assert {name: trait.value for name, trait in understanding.traits.items()} == {
        "language": "en",
        "intent": "book_flight",
    }
    assert [(slot.entity, slot.value) for slot in understanding.slots] == [
        ("destination", "New York"),
        ("date", "next friday morning"),
    ]


def test_a_wrong_token_is_rejected(url: str) -> None:
    assert ask(url, query="token=wrong")["statusCode"] == 401


def test_a_text_that_is_too_long_is_rejected(url: str) -> None:
    assert ask(url, "a" * 10_001, query=axios_query(TOKEN))["statusCode"] == 413


def altered_bundles(folder: Path, damage: str) -> Path:
    """Copy the shipped bundles, and damage the intent bundle in one way."""
    copy = folder / "bundles"
    shutil.copytree(BUNDLES, copy)
    graph, manifest = copy / "intent" / "model.onnx", copy / "intent" / "manifest.json"
    if damage == "truncated":
        graph.write_bytes(graph.read_bytes()[:-1000])
    elif damage == "relabeled":
        content = manifest.read_text(encoding="utf-8")
        assert "book_flight" in content
        manifest.write_text(content.replace("book_flight", "book_train"), encoding="utf-8")
    else:
        shutil.rmtree(copy)
        copy.mkdir()
    return copy


@pytest.mark.parametrize(
    ("damage", "found", "advice"),
    [
        ("empty", "BundleError: No bundle in /bundles", "ludwig-serverless export"),
        ("truncated", "/bundles/intent/model.onnx was altered", "Copy the whole bundle again."),
        ("relabeled", "/bundles/intent/manifest.json was altered", "Copy the whole bundle again"),
    ],
)
def test_incomplete_bundles_fail_the_start(
    engine: Engine, image: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str, found: str, advice: str
) -> None:
    mounted = ("-v", f"{altered_bundles(tmp_path, damage)}:/bundles:ro", "-e", "NLU_BUNDLES=/bundles")
    said = start_that_fails(engine, image, capfd, *mounted, "-e", f"NLU_TOKEN_DIGESTS={DIGEST}")
    assert found in said
    assert advice in said


def test_a_deployment_without_tokens_fails_the_start(
    engine: Engine, image: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = start_that_fails(engine, image, capfd)
    assert "SettingsError: No token is configured" in said
    assert "Set NLU_TOKEN_DIGESTS" in said


def start_that_fails(engine: Engine, image: str, capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """Start the image, check that it does not answer, and return its log."""
    with pytest.raises(HTTPError, match="502"), running(engine, image, *options) as url:
        ask(url, query=axios_query(TOKEN))
    return capfd.readouterr().out


def test_the_handler_adds_little_to_the_base(engine: Engine, image: str) -> None:
    added, _ = added_to_base(engine, image)
    assert added <= LARGEST_BYTES


def test_the_image_contains_only_what_it_needs(engine: Engine, image: str) -> None:
    code = """
import importlib.util, json, os, pathlib, pwd, shutil
files = [path for path in pathlib.Path("/var/task").rglob("*") if path.is_file()]
compiled = {path for path in files if path.suffix == ".pyc"}
print(json.dumps({
    "user": os.getuid(),
    "compilers": [name for name in ("cc", "gcc", "g++", "clang", "rustc", "uv") if shutil.which(name)],
    "packages": [name for name in ("numpy", "torch", "boto3", "huggingface_hub")
                 if os.path.exists(f"/var/task/{name}")],
    "caches": [name for name in (f"{pwd.getpwuid(0).pw_dir}/.cache", "/build", "/packages") if os.path.exists(name)],
    "uncompiled": [path for path in map(str, files)
                   if path.endswith(".py") and pathlib.Path(importlib.util.cache_from_source(path)) not in compiled],
    "unreadable": [str(path) for path in files if not os.access(path, os.R_OK)],
}))
"""
    empty: list[str] = []
    assert python(engine, image, code) == {
        "user": 65534,
        **dict.fromkeys(("compilers", "packages", "caches", "uncompiled", "unreadable"), empty),
    }


def test_the_image_contains_the_pages(engine: Engine, image: str) -> None:
    code = "import json; from handler.page import page; print(json.dumps(page('playground').body.decode()))"
    assert python(engine, image, code) == page("playground").body.decode()


def test_the_image_sets_an_unprivileged_user(engine: Engine, image: str) -> None:
    configured = engine.run("image", "inspect", "--format", "{{.Config.User}}", image).stdout.strip()
    assert configured == "993:990"


def test_an_image_that_fetches(engine: Engine, image: str, tmp_path: Path) -> None:
    """The image has both clients, and answers with bundles of every kind of tokenizer from S3."""
    build_image(engine, f"{IMAGE}-fetch", BUNDLES, fetch="1")
    folders = [write_bundle(tmp_path / "intent", INTENT), write_subword_bundle(tmp_path / "slots")]
    code = """
import json, huggingface_hub
from handler.entrypoint import service
answer = service.predict({"text": "fly to paris"}).answer
print(json.dumps([answer["intent"]["predictions"]["intent_predictions"], answer["slots"]["status"]]))
"""
    with running_aws() as address:
        variables = {**aws_environ(address), "NLU_BUNDLES": "s3://models/v1", "NLU_OPEN": "1"}
        client = boto3.client(
            "s3", endpoint_url=address, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
        )
        client.create_bucket(Bucket="models")
        for path in (path for folder in folders for path in folder.iterdir()):
            client.upload_file(str(path), "models", f"v1/{path.parent.name}/{path.name}")
        given = [option for name, value in variables.items() for option in ("-e", f"{name}={value}")]
        asked = ("--entrypoint", "python3", f"{IMAGE}-fetch", "-c", code)
        answered = engine.run("run", "--rm", *LIMITS, "--network", "host", *given, *asked)
    assert json.loads(answered.stdout.splitlines()[-1]) == ["book_flight", "success"]


def test_make_image_reports_what_is_missing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base-image", "localhost/none:1"]) == 1
    assert "BASE_IMAGE=" in capfd.readouterr().err
    ensure_base_image(engine)
    assert main(["--bundles", str(tmp_path)]) == 1
    assert "No bundle in" in capfd.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([]) == 1
    assert "Install Docker, or Podman" in capfd.readouterr().err
