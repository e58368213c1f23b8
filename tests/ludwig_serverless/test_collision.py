"""The command line detects other packages named `handler`, `export` or `training`."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("handler", "export", "training", "ludwig_serverless")
ADVICE = "Install ludwig-serverless in a separate environment, or run it with `uvx --from WHEEL ludwig-serverless`.\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install the packages into a folder, with a RECORD like a wheel's."""
    folder = tmp_path / "site"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    register(folder, "ludwig-serverless", [path for name in PACKAGES for path in (folder / name).rglob("*.py")])
    return folder


def register(folder: Path, name: str, files: list[Path]) -> None:
    """Write the metadata of an installed distribution."""
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{path.relative_to(folder)},sha256={digest(path)},{path.stat().st_size}" for path in files]
    (information / "RECORD").write_text("\n".join(lines) + "\n")


def digest(path: Path) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()


def run(*folders: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `token` with folders on the import path."""
    code = "from ludwig_serverless.cli import main; raise SystemExit(main(['token']))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    return subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def test_a_single_installation_runs(site: Path, tmp_path: Path) -> None:
    found = run(site, cwd=tmp_path)
    assert (found.returncode, found.stdout[:5]) == (0, "token")


@pytest.mark.parametrize("name", ["handler", "export", "training"])
def test_a_package_that_shadows_ours_is_reported(name: str, site: Path, tmp_path: Path) -> None:
    """For example, a folder `handler` next to a user's script, or on PYTHONPATH."""
    other = tmp_path / "other"
    (other / name).mkdir(parents=True)
    (other / name / "__init__.py").write_text("raise SystemExit('it was imported')")
    found = run(other, site, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        f"error: The package `{name}` comes from {other / name}, not from ludwig-serverless in {site}. {ADVICE}"
    )


def test_a_distribution_that_overwrote_a_package_is_reported(site: Path, tmp_path: Path) -> None:
    """pip and uv install both without a warning."""
    init = site / "handler" / "__init__.py"
    init.write_text("def handle(): ...\n")
    register(site, "my-lambda", [init])
    found = run(site, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == f"error: The package `handler` in {site} was overwritten by my-lambda. {ADVICE}"


def test_a_removed_package_is_reported(site: Path, tmp_path: Path) -> None:
    """Uninstalling the other distribution removes the files that both had."""
    (site / "export" / "__init__.py").unlink()
    found = run(site, cwd=tmp_path)
    assert found.returncode == 1
    said = (
        f"The package `export` of ludwig-serverless is missing from {site}: it was removed with another distribution."
    )
    assert found.stderr == f"error: {said} {ADVICE}"


def test_an_editable_installation_records_no_packages(site: Path, tmp_path: Path) -> None:
    shutil.rmtree(site / "ludwig_serverless-1.0.dist-info")
    register(site, "ludwig-serverless", [site / "ludwig_serverless" / "__init__.py"])
    assert run(site, cwd=tmp_path).returncode == 0
