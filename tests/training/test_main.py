"""`python -m training`: messages before Ludwig loads. For training, see test_fit.py."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from tests.trained import ROOT
from training.__main__ import main

ROWS = pd.DataFrame({"text": ["hi, you; there", "null", "été"], "label": ["a", "NA", "b"]})


@pytest.fixture
def without_ludwig(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which importing Ludwig or torch fails."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("ludwig", "torch"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def run(arguments: Sequence[object], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return a failing command's error, which is one line."""
    assert main([*map(str, arguments)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def write_rows(path: Path) -> Path:
    match path.suffix:
        case ".csv":
            ROWS.to_csv(path, index=False, sep=";" if path.stem == "semicolons" else ",")
        case ".tsv":
            ROWS.to_csv(path, index=False, sep="\t")
        case ".json":
            ROWS.to_json(path, orient="records")
        case ".jsonl":
            ROWS.to_json(path, orient="records", lines=True)
        case ".parquet":
            ROWS.to_parquet(path)
    return path


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]], ids=" ".join)
def test_help_needs_no_ludwig(arguments: list[str], without_ludwig: dict[str, str], tmp_path: Path) -> None:
    found = run(arguments, without_ludwig, tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert "usage: python -m training" in found.stdout


def test_help_mentions_only_existing_commands(without_ludwig: dict[str, str], tmp_path: Path) -> None:
    shown = run(["fit", "--help"], without_ludwig, tmp_path).stdout
    for text in (
        "--config intent-lstm",
        "intent-bert, intent-embed, intent-light, intent-",  # argparse wraps at hyphens
        "--pretrained minilm",
        "--epochs",
    ):
        assert text in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dataset", "data.csv"],
            "The dataset lacks the columns ['text'], which the configuration reads; it has ['words', 'intent'].",
        ),
        (["--dataset", "none.csv"], "none.csv cannot be read: No such file or directory."),
        (["--dataset", "data.xls"], "data.xls has the suffix '.xls'; expected one of .csv, .tsv, .json, .jsonl, .ndj"),
        (["--dataset", "data.csv", "--config", "intent-cnn"], "Use a YAML file, or one of intent-bert, intent-em"),
        (["--dataset", "data.csv", "--output", "taken"], "taken exists and is not a run"),
        (["--dataset", "data.csv", "--output", "taken", "--overwrite"], "taken exists and is not a run"),
        (["--dataset", "data.csv", "--output", "data.csv"], "data.csv exists and is not a run"),
        (
            ["--dataset", "data.csv", "--output", "run"],
            "run already exists: choose another folder with --output, or replace it with --force",
        ),
        (["--dataset", "data.csv", "--pretrained", "minilm"], "no encoder of the configuration uses a pretrained"),
    ],
    ids=["column", "missing", "ending", "config", "taken", "overwrite", "file", "run", "pretrained"],
)
def test_mistakes_are_reported_in_one_line_before_ludwig_loads(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def loads_ludwig(**options: object) -> None:
        raise AssertionError("Ludwig was loaded")

    monkeypatch.setattr("training.fit.import_ludwig", loads_ludwig)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("words,intent\nhi,a\nbye,b\n")
    for folder, name in (("taken", "my-thesis.txt"), ("run", "training.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("precious")
    error = error_of(capsys, "fit", "--config", "intent-lstm", "--output", "new", *arguments)
    assert message in error
    assert (tmp_path / "taken" / "my-thesis.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "run", "taken"]


def test_a_mistake_needs_no_ludwig(without_ludwig: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("words,intent\nhi,a\nbye,b\n")
    arguments = ["fit", "--config", "intent-lstm", "--dataset", "data.csv", "--output", "new"]
    found = run(arguments, without_ludwig, tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("error: The dataset lacks the columns ['text']")


@pytest.mark.parametrize("arguments", [[], ["fit"], ["fit", "--config", "a", "--output", "b"], ["teach"]], ids=repr)
def test_incomplete_commands_show_their_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m training" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["commas.csv", "semicolons.csv", "a.tsv", "a.json", "a.jsonl", "A.parquet"])
def test_each_format_is_read(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the file's columns, so the file was read."""
    path = write_rows(tmp_path / name)
    error = error_of(capsys, "fit", "--config", "intent-lstm", "--dataset", path, "--output", tmp_path / "run")
    assert error == (
        "error: The dataset lacks the columns ['intent'], which the configuration reads; it has ['text', 'label'].\n"
    )


@pytest.mark.parametrize(
    ("split", "message"),
    [("valid", "'split' may contain only 0 (train), 1 (validation) and 2 (test)"), ("0", "rows for train and valid")],
    ids=["words", "one split"],
)
def test_an_invalid_split_is_reported(
    split: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(f"utterance,intent,split\nhi,a,{split}\nbye,b,{split}\n")
    assert main(
        ["fit", "--config", "intent-lstm", "--dataset", str(tmp_path / "data.csv"), "--output", str(tmp_path / "run")]
    )
    said, error = capsys.readouterr().err.splitlines()
    assert said == "Reading the column 'utterance' as 'text'."
    assert message in error
    assert not (tmp_path / "run").exists()
