"""The training's image and compose.yaml, on the CPU: what `.env` says is trained, stopped, gone on with and exported.

The image is built by its own file, but with the handler's few packages; those of the training, 6 GB, are this machine's
own, mounted. Everything else is what a user runs.
"""

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts.base_image import ensure_base_image
from scripts.containers import Engine
from tests.integration.containers import engine_or_skip
from tests.processes import tool
from tests.trained import demo_rows

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "ludwig-training:test"
PROJECT = "ludwig-training-test"
SERVICES = ("train", "evaluate", "export", "visualize")
USER = f"{os.getuid() or 4242}:{os.getgid() or 4242}"
"""The current user; another one instead of root, because the image must work without root."""
SETTINGS = f"""\
MODEL_NAME=small
DATASET=rows.csv
TEST_DATASET=test.csv
EPOCHS=10
RUN_AS={USER}
IMAGE={IMAGE}
"""
SECONDS = 600

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Compose:
    """Compose, run by the engine's own tool, in a folder with a dataset and an `.env`."""

    engine: Engine
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        program = ["docker", "compose"] if self.engine.name == "docker" else [tool("cloud", "podman-compose")]
        files = ["-f", str(ROOT / "compose.yaml"), "-f", str(self.folder / "packages.yaml")]
        return [*program, *files, "--env-file", str(self.folder / ".env"), "-p", PROJECT, *arguments]

    def run(self, *arguments: str, **variables: str) -> str:
        """Run a command, and return its output."""
        done = subprocess.run(
            self.command(*arguments),
            env={**self.engine.environ, "FOLDER": str(self.folder), **variables},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def step(self, service: str) -> str:
        """Run one of the services that follow the training."""
        return self.run("--profile", "steps", "run", "--rm", "-T", service)

    def follow(self, service: str, until: str) -> str:
        """Follow a service's log until a line contains a text. Fails if the log ends before that."""
        with subprocess.Popen(
            self.command("logs", "-f", service),
            env=self.engine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            lines = []
            try:
                for line in process.stdout:
                    lines.append(line)
                    if until in line:
                        return "".join(lines)
            finally:
                process.terminate()
        raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_or_skip()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    arguments = {"BASE_IMAGE": ensure_base_image(engine), "REQUIREMENTS": "handler"}
    given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    engine.run("build", "-f", str(ROOT / "training" / "Dockerfile"), "-t", IMAGE, *given, str(ROOT))
    return IMAGE


@pytest.fixture(scope="module")
def compose(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("job")
    folder.chmod(0o777)
    packages = {
        "environment": {"PYTHONPATH": "/app:/packages", "OMP_NUM_THREADS": "1"},
        "volumes": [f"{sysconfig.get_path('purelib')}:/packages:ro"],
    }
    (folder / "packages.yaml").write_text(yaml.safe_dump({"services": dict.fromkeys(SERVICES, packages)}))
    (folder / ".env").write_text(SETTINGS)
    demo_rows(200).to_csv(folder / "rows.csv", index=False)
    demo_rows(50, seed=1).to_csv(folder / "test.csv", index=False)
    made = Compose(engine, folder)
    yield made
    made.run("--profile", "steps", "down", "-v")


def test_a_model_from_rows_to_a_bundle(engine: Engine, compose: Compose) -> None:
    run, bundle = compose.folder / "runs" / "small", compose.folder / "bundles" / "small"
    compose.run("up", "-d", "train")
    compose.follow("train", until="epoch 1/10")
    compose.run("stop", "train")
    assert not run.exists()

    compose.run("up", "-d", "train")
    assert "Resuming from epoch" in compose.follow("train", until="Saved to runs/small")
    assert f"{run.stat().st_uid}:{run.stat().st_gid}" == USER

    assert "accuracy" in compose.step("evaluate")
    pages = [run / "evaluation" / "report.html", compose.folder / "evaluations" / "small" / "report.html"]
    assert all(page.is_file() for page in pages)
    pages[0].unlink()
    compose.step("visualize")
    assert pages[0].is_file()
    compose.step("export")
    assert json.loads((bundle / "manifest.json").read_text())["parity"]["rows"]
    mounted = ("--rm", "--network", "none", "--user", USER, "-v", f"{compose.folder}:/job:ro")
    answer = engine.run("run", *mounted, IMAGE, "handler", "ask", "bundles", "book me a flight to Paris")
    assert "  intent " in answer.stdout


@pytest.mark.parametrize(("device", "expected"), [("cpu", False), ("gpu", True)])
def test_one_line_requests_a_gpu(compose: Compose, device: str, expected: bool) -> None:
    compose.run("config", DEVICE=device)
    shown = (
        ("config",)
        if compose.engine.name == "docker"
        else ("--dry-run", "--verbose", "up", "--force-recreate", "train")
    )
    said = compose.run(*shown, DEVICE=device)
    assert ("nvidia" in said) == expected
    assert ("CUDA_VISIBLE_DEVICES" in said) != expected


def test_the_entry_point_shows_help(engine: Engine, image: str) -> None:
    assert "usage: python -m ludwig_serverless" in engine.run("run", "--rm", image).stdout
    named = engine.run("run", "--rm", "--entrypoint", "ludwig-serverless", image, "--version")
    assert named.stdout.startswith("ludwig-serverless ")
    assert "usage: python -m export" in engine.run("run", "--rm", image, "export", "--help").stdout


def test_the_image_contains_no_package_cache(engine: Engine, image: str) -> None:
    """Run as root, because other users cannot read root's home."""
    listed = "test ! -e /build/uv && ls -A ~root"
    asked = ("run", "--rm", "--user", "0", "--entrypoint", "sh", image, "-c", listed)
    assert ".cache" not in engine.run(*asked).stdout.split()


def test_the_image_contains_only_code(engine: Engine, image: str) -> None:
    code = """
import importlib.util, json, os, pathlib
files = [str(path) for path in pathlib.Path("/app").rglob("*") if path.is_file()]
print(json.dumps({
    "user": os.getuid(),
    "folders": sorted(os.listdir("/app")),
    "uncompiled": [name for name in files
                   if name.endswith(".py") and not os.path.exists(importlib.util.cache_from_source(name))],
    "unreadable": [name for name in files if not os.access(name, os.R_OK)],
    "not code": [name for name in files if "Dockerfile" in name or "compose" in name],
}))
"""
    found = json.loads(engine.run("run", "--rm", "--entrypoint", "python3", image, "-c", code).stdout)
    empty: list[str] = []
    assert found == {
        "user": 1000,
        "folders": ["export", "handler", "ludwig_serverless", "training"],
        **dict.fromkeys(("uncompiled", "unreadable", "not code"), empty),
    }
