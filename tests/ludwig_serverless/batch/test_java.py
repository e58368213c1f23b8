"""The Java that Spark needs: the one that would run is found, and a missing or old one is named."""

from pathlib import Path

import pytest

from ludwig_serverless.batch.errors import BatchError
from ludwig_serverless.batch.java import check_java


def java(folder: Path, says: str, status: int = 0) -> Path:
    """Write a program that answers `java -version` on stderr, as all Javas do."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {status}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("version", ["17", "17.0.15", "21-ea", "25.0.1"])
def test_a_new_java_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    program = java(tmp_path, f'openjdk version "{version}" 2025-04-15')
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    check_java()


@pytest.mark.parametrize(("says", "version"), [('java version "1.8.0_452"', 8), ('openjdk version "11.0.2"', 11)])
def test_an_old_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, version: int) -> None:
    program = java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BatchError, match=f"Spark needs Java 17 or later, and {program} is Java {version}: install"):
        check_java()


def test_a_java_that_does_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(tmp_path, "cannot allocate memory", status=1)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BatchError, match="does not run: cannot allocate memory"):
        check_java()


def test_a_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(BatchError, match=r"there is no java on the PATH: install it .*default-jre-headless"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BatchError, match=f"JAVA_HOME is {tmp_path}, which has no bin/java"):
        check_java()
