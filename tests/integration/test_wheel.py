"""The wheel without the repository: built, installed into clean environments, and used."""

import json
import os
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handler import __version__
from ludwig_serverless.cli import find_commands
from scripts.ask_emulator import free_port
from scripts.environment import find_uv
from tests.handler.deployment import wait_for_port

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"])
BUNDLES = ROOT / "examples" / "bundles"
DATASET = ROOT / "examples" / "demo" / "dataset.csv"
TEXT = "book me a flight to Cairo"
SECONDS = 600

pytestmark = pytest.mark.integration


def run(*command: object, cwd: Path, status: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run a command without access to this repository and this environment."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environ = {name: value for name, value in os.environ.items() if name not in hidden}
    found = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=environ, capture_output=True, encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    assert found.returncode == status, f"{command}\n{found.stdout[-3000:]}\n{found.stderr[-3000:]}"
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(find_uv(), "build", "--quiet", "--wheel", "--python", sys.executable, "-o", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, wheel: Path) -> Path:
    """Create an environment with the wheel and its pinned requirements, and return the folder of its programs."""
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    install = (find_uv(), "pip", "install", "--quiet", "--python", programs / "python")
    run(*install, "--require-hashes", "-r", ROOT / "requirements" / "serve.txt", cwd=folder)
    run(*install, "--no-deps", wheel, cwd=folder)
    return programs


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("clean"), wheel)


def test_the_wheel_contains_all_data_files(wheel: Path) -> None:
    """Configurations, policies, prices, templates, and the `py.typed` markers."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    left_out = {name for name in listed if Path(name).name in ("Dockerfile", "compose.cpu.yaml", "compose.gpu.yaml")}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {name for name in listed if (ROOT / name).is_file()} - left_out
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_wheels_requirements_are_installed(programs: Path) -> None:
    run(find_uv(), "pip", "check", "--python", programs / "python", cwd=programs)
    listed = json.loads(
        run(find_uv(), "pip", "list", "--format=json", "--python", programs / "python", cwd=programs).stdout
    )
    assert not {"torch", "ludwig", "pandas", "boto3"} & {package["name"] for package in listed}


def test_the_commands_work(programs: Path, tmp_path: Path) -> None:
    command = programs / "ludwig-serverless"
    assert run(command, "--version", cwd=tmp_path).stdout == f"ludwig-serverless {__version__}\n"
    assert "book_flight" in run(command, "ask", BUNDLES, TEXT, cwd=tmp_path).stdout
    assert "rows have the same answers as at export" in run(command, "check", BUNDLES, cwd=tmp_path).stdout
    assert "second answer" in run(command, "doctor", BUNDLES, cwd=tmp_path).stdout
    assert run(command, "token", cwd=tmp_path).stdout.startswith("token ")
    assert "| Lambda |" in run(command, "cost", "--messages-per-month", "1000", cwd=tmp_path).stdout
    assert "complete -" in run(command, "completion", "bash", cwd=tmp_path).stdout
    for name in find_commands():
        assert "Next: " in run(command, name, "--help", cwd=tmp_path).stdout
    for module in ("handler", "export", "training", "ludwig_serverless"):
        assert "usage: " in run(programs / "python", "-m", module, "--help", cwd=tmp_path).stdout


def test_the_advised_command_installs_a_missing_extra(wheel: Path, tmp_path: Path) -> None:
    """pip finds the extra in the installed metadata, although no package index has this distribution."""
    programs = environment(tmp_path, wheel)
    ask = (programs / "ludwig-serverless", "ask", "s3://my-bucket/nlu", "hello")
    advice = "needs boto3, which is not installed: run `pip install 'ludwig-serverless[fetch]'`"
    assert advice in run(*ask, cwd=tmp_path, status=1).stderr
    constraints = ROOT / "requirements" / "constraints.txt"
    run(programs / "pip", "install", "--quiet", "-c", constraints, "ludwig-serverless[fetch]", cwd=tmp_path)
    run(programs / "python", "-c", "import boto3, huggingface_hub", cwd=tmp_path)
    data = tmp_path / "data.csv"
    data.write_text("text,intent\nhello,greet\n")
    found = run(programs / "ludwig-serverless", "import", data, "--output", "out.parquet", cwd=tmp_path, status=1)
    assert found.stderr.endswith("run `pip install 'ludwig-serverless[training]'`.\n")


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_can_be_installed(extra: str, wheel: Path, programs: Path, tmp_path: Path) -> None:
    """Only resolved with the pinned versions, because torch alone has gigabytes."""
    run(
        find_uv(), "pip", "install", "--dry-run", "--python", programs / "python",
        "-c", ROOT / "requirements" / "constraints.txt", f"ludwig-serverless[{extra}] @ {wheel.as_uri()}", cwd=tmp_path,
    )  # fmt: skip


def test_uvx_serves_bundles(wheel: Path, tmp_path: Path) -> None:
    port = free_port()
    uvx = (find_uv(), "tool", "run", "--python", sys.executable, "--from", wheel)
    with started(*uvx, "ludwig-serverless", "serve", BUNDLES, "--open", "--port", port, cwd=tmp_path, port=port):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict",
            data=json.dumps({"text": TEXT}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    assert answer["intent"]["predictions"]["intent_predictions"] == "book_flight"


@contextmanager
def started(*command: object, cwd: Path, port: int) -> Iterator[None]:
    with subprocess.Popen(
        [str(part) for part in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for_port(port, lambda: process.poll() is None)
            yield
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.ludwig
def test_the_wheel_trains_and_exports(wheel: Path, tmp_path: Path) -> None:
    """With the packages of this environment, but without the repository's files."""
    programs = environment(tmp_path, wheel)
    (own,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (here,) = (path for path in sys.path if path.endswith("site-packages"))
    (own / "packages.pth").write_text(f"{here}\n")
    command = programs / "ludwig-serverless"
    run(command, "import", DATASET, "--output", "data.csv", cwd=tmp_path)
    options = ("--config", "intent-embed", "--epochs", "2")
    run(command, "fit", *options, "--dataset", "data.csv", "--output", "runs/intent", cwd=tmp_path)
    run(command, "report", "runs/intent", cwd=tmp_path)
    run(command, "export", "runs/intent", "bundles/intent", "--dataset", "data.csv", cwd=tmp_path)
    assert "intent" in run(command, "ask", "bundles", TEXT, cwd=tmp_path).stdout
    published = run(
        command, "publish", "--bundle", "bundles/intent", "--to", "hf://me/travel", "--dry-run", cwd=tmp_path
    )
    assert "Without --dry-run, this publishes hf://me/travel" in published.stderr
    assert "ec2:RunInstances" in run(command, "launch", "policy", "user", "--bucket", "b" * 5, cwd=tmp_path).stdout
