"""`ludwig-serverless import`: invalid files, written files, and the next commands."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.rows import read_rows
from tests.trained import ROOT
from tests.training.imports.command import DATA, error_of, imported, written
from training.__main__ import main
from training.config import read_config
from training.dataset import prepare
from training.slots import spread_tags

BROKEN = {
    "empty.csv": ("", r"empty\.csv has no header line"),
    "header.csv": ("text,intent\n", r"No row remains: .*header\.csv: It has no rows\."),
    "textless.csv": ("frage,intent\na,b\n", r"has the columns \['frage', 'intent'\].*--column text=NAME"),
    "twice.csv": ("text,intent,intent\na,b,c\n", "two columns for 'intent'"),
    "quote.csv": ('text,intent\n"a "b"" c, d",e\n', "No row remains: 1 dropped: broken quotes .*line 2"),
    "utf8.csv": (b"text,intent\na,\xc3\xa9\n\xe9t\xe9,b\n", r"not UTF-8 at line 3, byte 1 \(b'\\xe9t\\xe9,'\)"),
    "cut.json": ('[{"text": "a"},\n{"text": ', "is not JSON at line 2, column 10"),
    "object.json": ('{"statusCode": 401}', r"is an object with \['statusCode'\]; expected a list of objects"),
    "deep.json": ("[" * 100_000, "is nested too deeply|is not JSON"),
    "textless.json": ('[{"frage": "a"}]', r"has the columns \['frage'\]"),
    "cut.jsonl": ('{"text": "a", "intent": "b"}\n{"text"\n', 'broken at line 2: .*Found \'{"text"'),
    "rasa.json": ('{"common_examples": 3}', "has no list of common_examples"),
    "cut.yml": ("nlu:\n- intent: a\n  examples: [\n", "is not YAML at line 4"),
    "domain.yml": ("intents:\n- greet\n", r"No row remains: .*domain\.yml: It has no NLU data, only intents"),
    "other.yml": ("nlus:\n- intent: greet\n", r"has no list `nlu:`, found \['nlus'\]"),
    "word.yml": ("nlu: greet\n", "has no list under `nlu:` at line 1"),
    "two.yml": ("nlu:\n- intent: a\nnlu:\n- intent: b\n", "has the key 'nlu' twice, at line 1 and at line 3"),
    "twice.yml": (
        "nlu:\n- intent: a\n  examples: |\n    - x\n  examples: |\n    - y\n",
        "has the key 'examples' twice, at line 3 and at line 5",
    ),
    "words.yml": ("hello", "has no list `nlu:`, found no sections"),
    "broken.parquet": (b"PAR1", r"broken\.parquet is broken|cannot be read"),
    "data.xlsx": ("", "has the extension '.xlsx'. Spreadsheets are not supported: save it as CSV. Any other data"),
    "nothing.csv": ("text,intent\n,\n", r"No row remains: 1 dropped: no text \(.*nothing.csv line 2\)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_file_is_reported_with_its_row(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, message = BROKEN[name]
    path = written(tmp_path, name, content)
    error = error_of(capsys, tmp_path, path)
    assert str(path) in error
    assert re.search(message, error), error


def test_the_language_must_be_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "in.csv", "text,intent\na,b\n")
    for language in ("English", "en us", "e"):
        message = f"--language is {language!r}; expected a code such as en or pt-BR."
        assert error_of(capsys, tmp_path, path, "--language", language) == message


def test_a_missing_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("none.csv", "none.json", "none.parquet", "none.yml"):
        assert "cannot be read: No such file or directory." in error_of(capsys, tmp_path, tmp_path / name)


def test_existing_files_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = written(tmp_path, "in.csv", "text,intent\na,b\n"), written(tmp_path, "data.csv", "mine")
    assert "data.csv already exists: choose another name, or pass --force." in error_of(capsys, tmp_path, source)
    assert output.read_text() == "mine"
    report = ["--report", str(output / "report.json"), "--overwrite"]
    assert main(["import", str(source), "--output", str(tmp_path / "new.csv"), *report]) == 1
    assert f"Cannot write {output / 'report.json'}: " in capsys.readouterr().err
    (tmp_path / "new.csv").unlink()
    assert main(["import", str(source), "--output", str(source), "--overwrite"]) == 1
    assert "is both input and output" in capsys.readouterr().err
    assert main(["import", str(source), "--output", str(output), "--overwrite"]) == 0
    assert read_rows(output)["text"].to_list() == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "in.csv"]


def test_a_failed_write_keeps_the_old_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    source, output = written(tmp_path, "in.csv", "text,intent\na,b\n"), written(tmp_path, "data.csv", "old")
    monkeypatch.setattr("training.imports.writing._write_csv", fail)
    assert main(["import", str(source), "--output", str(output), "--overwrite"]) == 1
    assert "data.csv: No space left on device." in capsys.readouterr().err
    assert (output.read_text(), len([*tmp_path.iterdir()])) == ("old", 2)


@pytest.mark.parametrize("kind", ["intent", "language", "slots"])
def test_fit_reads_what_import_writes(kind: str, tmp_path: Path) -> None:
    files = [
        DATA / name for name in ("hexabot-ludwig.json", "hexabot-entities.json", "hexabot.csv", "nlu.yml", "rasa.json")
    ]
    imported(tmp_path, *files, "--language", "en")
    dataset = read_rows(tmp_path / "data.csv")
    config = read_config(Path({"intent": "intent-lstm", "language": "language-cnn", "slots": "slots-lstm"}[kind]))
    config, prepared = prepare(config, dataset)
    assert config["preprocessing"]["split"] == {"type": "fixed", "column": "split"}
    assert len(prepared) == (dataset[kind] != "").sum() > 10
    if kind == "slots":
        decoder = {"type": "tagger"}
        preprocessing = {"tokenizer": "space", "lowercase": True}
        tagged = spread_tags(
            {
                "input_features": [{"name": "text", "type": "sequence", "preprocessing": preprocessing}],
                "output_features": [{"name": "slots", "type": "sequence", "decoder": decoder}],
            },
            prepared,
        )
        assert tagged["slots"].iloc[0] == "O O O O B-city I-city"


@pytest.fixture
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which importing Ludwig, torch or pandas fails."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("ludwig", "torch", "pandas", "transformers"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def run(arguments: Sequence[object], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "import", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_import_does_not_load_heavy_packages(light: dict[str, str], tmp_path: Path) -> None:
    found = run([DATA / "nlu.yml", DATA / "hexabot.csv", "--output", tmp_path / "data.jsonl"], light)
    assert (found.returncode, found.stdout) == (0, "")
    assert "Kept 12 rows, dropped 3." in found.stderr
    assert "Next: ludwig-serverless fit --learn intent" in found.stderr


def test_the_same_files_give_the_same_bytes(light: dict[str, str], tmp_path: Path) -> None:
    """Ties between entities with one position do not depend on the order of a set."""
    names = [f"name{i}" for i in range(8)]
    tie = [{"entity": name, "value": "Rome", "start": 3, "end": 7} for name in names]
    loose = [{"entity": name, "value": "Oslo"} for name in names]
    data = [{"text": "to Rome", "intent": "a", "entities": tie}, {"text": "to Oslo", "intent": "a", "entities": loose}]
    files = [written(tmp_path, "ties.json", json.dumps(data)), *sorted(DATA.iterdir())]
    textless = written(tmp_path, "textless.json", json.dumps([dict.fromkeys(names, "x")]))
    results = []
    for seed in ("0", "1", "2"):
        output, report = tmp_path / f"{seed}.csv", tmp_path / f"{seed}.json"
        found = run([*files, "--output", output, "--report", report], {**light, "PYTHONHASHSEED": seed})
        assert found.returncode == 0, found.stderr
        refused = run([textless, "--output", output, "--overwrite"], {**light, "PYTHONHASHSEED": seed})
        assert f"has the columns {names}" in refused.stderr
        results.append((output.read_bytes(), report.read_bytes()))
    assert results[0] == results[1] == results[2]
    assert results[0][0].splitlines()[1:3] == [b"to Rome,a,O B-name0,,,0", b"to Oslo,a,O B-name0,,,0"]


def test_help_shows_examples(light: dict[str, str]) -> None:
    shown = " ".join(run(["--help"], light).stdout.split())
    for words in ("Hexabot's export", "[Paris](city)", "0 train, 1 validation, 2 test", "--report report.json"):
        assert words in shown
