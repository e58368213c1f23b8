"""`python -m export`: errors before Ludwig is loaded. test_build.py tests the export itself."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.__main__ import main
from tests.trained import ROOT

FILES = {
    "model": ["model_weights.safetensors", "model_hyperparameters.json", "training_set_metadata.json"],
    "old": ["model_weights", "model_hyperparameters.json", "training_set_metadata.json"],
    "taken": ["chapter.txt"],
    "older": ["manifest.json"],
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with FILES. Loading Ludwig fails the test."""

    def loads_ludwig(**options: object) -> None:
        raise AssertionError("Ludwig was loaded")

    for name, files in FILES.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text('{"schema_version": 1}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("export.model.import_ludwig", loads_ludwig)
    return tmp_path


def run(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process in which importing Ludwig fails."""
    blocked = folder / "blocked"
    blocked.mkdir()
    (blocked / "ludwig.py").write_text("raise SystemExit('ludwig was imported')")
    return subprocess.run(
        [sys.executable, "-m", "export", *arguments],
        env={**os.environ, "PYTHONPATH": f"{blocked}{os.pathsep}{ROOT}"},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_help_needs_no_ludwig(tmp_path: Path) -> None:
    found = run(["--help"], tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    for text in (
        "usage: python -m export",
        "--dataset",
        "--name",
        "--force",
        "--allow-failed-proof",
        "LudwigModel.predict",
    ):
        assert text in found.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none", "bundle"], "none is not a Ludwig model"),
        (["old", "bundle"], "the weights in old are pickled"),
        (["model", "taken"], "taken exists and is not a bundle"),
        (["model", "--output", "taken"], "taken exists and is not a bundle"),
        (["model", "older"], "older exists: give a new folder, or use --force to replace this bundle."),
        (["model", "taken", "--force"], "taken exists and is not a bundle"),
        (["model", "bundle", "--dataset", "none.csv"], "none.csv cannot be read: No such file or directory."),
        (["model", "bundle", "none", "other"], "none is not a Ludwig model"),
        (["model", "bundle", "model", "taken"], "taken exists and is not a bundle"),
    ],
    ids=[
        "no model",
        "pickled",
        "taken",
        "taken output",
        "bundle",
        "taken by force",
        "no rows",
        "second model",
        "second bundle",
    ],
)
def test_errors_are_one_line_before_ludwig_loads(
    arguments: list[str], message: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.lower().startswith(f"error: {message.lower()}")
    assert err.count("\n") == 1
    assert sorted(path.name for path in workplace.iterdir()) == sorted(FILES)
    assert (workplace / "taken" / "chapter.txt").read_text() == '{"schema_version": 1}'


def test_a_usage_error_needs_no_ludwig(tmp_path: Path) -> None:
    found = run(["none", "bundle"], tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: none is not a Ludwig model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required"),
        (["a"], "give pairs of folders"),
        (["a", "b", "c"], "give pairs of folders"),
        (["a", "b", "--output", "c"], "--output is for a single MODEL_DIR without a BUNDLE_DIR"),
        (
            ["a", "b", "c", "d", "--name", "x"],
            "--name is for a single model; several models are named after their output",
        ),
        (["a", "b", "c", "../b", "d", "b"], "two models have the same BUNDLE_DIR"),
        (["a", "b", "--max-rows", "many"], "invalid int value"),
    ],
    ids=["nothing", "one", "three", "two outputs", "name", "one bundle", "number"],
)
def test_incomplete_commands_show_their_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "usage: python -m export" in error
    assert message in error
