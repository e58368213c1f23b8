"""The documented builds, run by AWS SAM one after another, and the pre-traffic check of their models."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.pre_traffic import GOLDEN_CHECK, check
from scripts import local_sam
from scripts.base_image import ensure_base_image
from tests.bundles import INTENT, write_bundle
from tests.deploy.cloud import running_cloud
from tests.integration.containers import engine, engine_or_skip
from tests.processes import tool

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600
NEW, LIVE = (f"arn:aws:lambda:eu-west-1:123456789012:function:nlu:{qualifier}" for qualifier in ("7", "live"))
ASK = f"""
import json
from handler.entrypoint import lambda_handler
print(json.dumps(lambda_handler({GOLDEN_CHECK!r}, None)))
"""
Build = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this repository with a customer's bundle."""
    copy = tmp_path_factory.mktemp("customer")
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.splitlines()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    write_bundle(copy / "bundles" / "intent", INTENT)
    return copy


@pytest.fixture(scope="module")
def build(repository: Path) -> Iterator[Build]:
    """Return a function that runs a SAM command in that copy."""
    found = engine_or_skip()
    ensure_base_image(found)
    program = tool("cloud", "sam")
    with local_sam.docker_host(found) as environ:
        yield lambda *words: subprocess.run(
            [program, *words], cwd=repository, env=environ, capture_output=True, text=True, timeout=SECONDS
        )


def commands(start: str) -> list[list[str]]:
    """Return the commands in docs/deploy.md with this prefix, in order."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    return [line.split()[1:] for line in re.findall(rf"({start}[^\n`&#]*)", text)]


def golden(tag: str) -> dict[str, Any]:
    """Return the response of an image's function to the golden check."""
    options = ("--rm", "-e", "NLU_OPEN=1", "--entrypoint", "python3", f"function:{tag}", "-c", ASK)
    answer: dict[str, Any] = json.loads(engine().run("run", *options).stdout.splitlines()[-1])
    return answer


def release(monkeypatch: pytest.MonkeyPatch, new: Mapping[str, Any], live: Mapping[str, Any], expected: str) -> int:
    """Run the pre-traffic check with the responses of two versions."""

    def invoked(name: str, event: Any) -> tuple[Any, str]:
        if event == GOLDEN_CHECK:
            return {NEW: new, LIVE: live}[name], ""
        return {"statusCode": 200}, ""

    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with running_cloud(invoked) as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
        return check(NEW, LIVE, expected)


def test_all_documented_builds_include_the_same_models_and_not_the_demos(
    build: Build, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first build and the later ones, as docs/deploy.md gives them; the first once with the words of older docs.
    documented = [command for command in commands("sam build") if "--config-env" not in command]
    assert len(documented) >= 2
    models = []
    for command in (["build", "--parameter-overrides", "BakedBundles=bundles"], *documented[:2]):
        done = build(*command)
        assert done.returncode == 0, done.stderr
        models.append(golden("latest")["models"])
    customers = json.loads((repository / "bundles" / "intent" / "manifest.json").read_text())["seal"]
    assert models == [{"intent": customers}] * 3

    demo = build("build", "--config-env", "demo")
    assert demo.returncode == 0, demo.stderr
    live, demos = golden("latest"), golden("demo")
    assert sorted(demos["models"]) == ["intent", "language", "slots"]
    assert demos["changed"] == []
    assert live["models"] == {"intent": customers}, "the demo's build leaves the other image alone"
    assert release(monkeypatch, live, live, "") == live["checked"]
    with pytest.raises(Exception, match=r"adds language, adds slots, has a different intent") as stopped:
        release(monkeypatch, demos, live, "")
    (advised,) = re.findall(r"ExpectedModels=([^`]+)`", str(stopped.value))
    assert release(monkeypatch, demos, live, advised) == demos["checked"]


def test_a_build_without_bundles_fails(build: Build, repository: Path) -> None:
    shutil.rmtree(repository / "bundles")
    done = build("build")
    assert done.returncode == 1
    assert "bundles" in done.stderr
