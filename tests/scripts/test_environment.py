"""The command `ludwig-serverless` in the environment of a checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handler import __version__
from scripts import environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an environment with this Python's packages, in a folder whose name has a space."""
    folder = tmp_path / "my checkout" / ".venvs"
    python = folder / "full" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    monkeypatch.setattr(environment, "ENVIRONMENTS", folder)
    return python


def run(interpreter: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = str(interpreter.with_name("ludwig-serverless"))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([command, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, check=False)


def test_the_command_runs_this_checkout_from_any_folder(interpreter: Path, tmp_path: Path) -> None:
    """Even from a folder with a package of the same name. This applies to its child processes too."""
    (tmp_path / "handler").mkdir()
    (tmp_path / "handler" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    environment.write_command("full", interpreter)
    found = run(interpreter, "--version", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (0, f"ludwig-serverless {__version__}\n")
    examined = run(interpreter, "doctor", str(ROOT / "examples" / "bundles"), cwd=tmp_path)
    assert (examined.returncode, examined.stderr) == (0, "")
    assert "second answer" in examined.stdout
    failed = run(interpreter, "ask", "nowhere", "hello", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")


def test_a_command_is_written_once_and_repaired(interpreter: Path) -> None:
    command = interpreter.with_name("ludwig-serverless")
    environment.write_command("full", interpreter)
    content, written = command.read_text(), command.stat().st_mtime_ns
    environment.write_command("full", interpreter)
    assert command.stat().st_mtime_ns == written
    command.write_text("of another checkout")
    environment.write_command("full", interpreter)
    assert command.read_text() == content


def test_environments_of_another_checkout_are_not_changed(
    interpreter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "linked"
    link.symlink_to(interpreter.parents[2])
    monkeypatch.setattr(environment, "ENVIRONMENTS", link)
    environment.write_command("full", link / "full" / "bin" / "python")
    assert not interpreter.with_name("ludwig-serverless").exists()


def test_environments_of_tools_have_no_command(interpreter: Path) -> None:
    environment.write_command("cloud", interpreter)
    assert not interpreter.with_name("ludwig-serverless").exists()
    assert all((ROOT / "requirements" / f"{name}.txt").is_file() for name in environment.WITH_COMMAND)
