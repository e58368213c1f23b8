"""The command line: help, errors, exit codes and imports of every command."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from handler import __version__
from handler.command_line import Command
from ludwig_serverless.cli import TABLES, find_commands, main

ROOT = Path(__file__).parents[2]
COMMANDS = find_commands()
ISSUED = (
    "import train train-many fit distill review evaluate predict report export language serve ask batch check promote "
    "doctor cost token publish fetch launch completion"
)
HEAVY = (
    *("torch", "ludwig", "pandas", "numpy", "onnx", "onnxruntime", "transformers", "tokenizers", "sklearn"),
    *("matplotlib", "fastapi", "starlette", "uvicorn", "mangum", "boto3", "huggingface_hub", "jinja2", "yaml", "ray"),
)


def run(
    arguments: Sequence[str], *, cwd: Path = ROOT, blocked: Sequence[str] = (), folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command line from the checkout, in a process without some packages."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(blocked)!r})); sys.argv[0] = 'ludwig-serverless'; "
        "from ludwig_serverless.cli import main; raise SystemExit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd, env=environ, capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    out, err = capsys.readouterr()
    assert (caught.value.code, err) == (0, "")
    return out


def test_every_command_is_listed_with_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(capsys)
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and not line.startswith("  -")]
    assert set(listed) == set(ISSUED.split()) == set(COMMANDS)
    assert listed == list(COMMANDS)
    assert [group for group in ("Train:", "Export:", "Serve:", "Publish:") if f"\n{group}\n" in shown] == [
        "Train:", "Export:", "Serve:", "Publish:",
    ]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help has a description, an example and the next command."""
    shown = help_of(capsys, name)
    assert shown.startswith(f"usage: ludwig-serverless {name} ")
    assert f"\n  ludwig-serverless {name} " in shown
    assert "\nNext: " in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert len(COMMANDS[name].help) <= 64


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_imports_nothing_heavy(name: str) -> None:
    code = (
        f"import sys\nfrom ludwig_serverless.cli import main\ntry:\n    main({[*filter(None, [name]), '--help']!r})\n"
        f"except SystemExit:\n    print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stderr == "[]\n"


def test_the_tables_of_a_checkout_are_those_of_an_installation() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    registered = project["entry-points"]["ludwig_serverless.commands"]
    assert set(registered.values()) == {f"{table}:COMMANDS" for table in TABLES}
    extras = set(project["optional-dependencies"])
    assert {command.extra for command in COMMANDS.values() if command.extra} <= extras


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"ludwig-serverless {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: ludwig-serverless"),
        (["fti"], "unknown command 'fti'. Did you mean fit?"),
        (["xyzzy"], "unknown command 'xyzzy'. The commands are: import, train, train-many, fit,"),
        (["fit"], "the following arguments are required: --dataset, --output"),
        (["launch"], "the following arguments are required"),
        (["--verbose"], "the following arguments are required: COMMAND"),
    ],
    ids=["nothing", "misspelled", "unknown", "incomplete", "launch", "option"],
)
def test_invalid_usage_is_reported_on_stderr(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert said in err


def test_a_failure_is_one_sentence_on_stderr(tmp_path: Path) -> None:
    found = run(["ask", str(tmp_path), "hello"])
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith(f"error: No bundle in {tmp_path}")
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "package", "arguments"),
    [
        ("import", "yaml", ["data.yml", "--output", "out.csv"]),
        ("fit", "yaml", ["--config", "intent-lstm", "--dataset", "data.csv", "--output", "run"]),
        ("export", "pandas", ["model", "bundle", "--dataset", "data.csv"]),
        ("predict", "pandas", ["model", "--dataset", "data.csv", "--output", "out.csv"]),
    ],
)
def test_a_missing_extra_names_the_command_that_installs_it(
    name: str, package: str, arguments: list[str], tmp_path: Path
) -> None:
    for path in ("data.csv", "data.yml", "model/model_weights.safetensors", "model/training_set_metadata.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("text,intent\na,b\n")
    (tmp_path / "model" / "model_hyperparameters.json").write_text("{}")
    found = run([name, *arguments], cwd=tmp_path, blocked=[package])
    extra = COMMANDS[name].extra
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        f"error: `ludwig-serverless {name}` needs {package}, which is not installed: run `python3 "
        f"{ROOT / 'scripts' / 'environment.py'} full` and use the Python that it prints, or `pip install "
        f"'{ROOT}[{extra}]'`.\n"
    )


def test_an_unexpected_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only expected errors become one sentence; a missing module of this package is unexpected."""
    monkeypatch.setattr("handler.auth.new_token", lambda: __import__("handler.no_such_module"))
    with pytest.raises(ModuleNotFoundError, match=r"handler\.no_such_module"):
        main(["token"])


def test_an_interruption_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handler.auth.new_token", interrupt)
    assert main(["token"]) == 130


def test_a_closed_pipe_is_not_an_error() -> None:
    """As in `ludwig-serverless cost ... | head -1`: the reader closes the pipe early."""
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run(
        [sys.executable, "-m", "ludwig_serverless", "cost", "--messages-per-month", "1"],
        cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.parametrize(
    ("module", "usage"),
    [
        (["handler"], "usage: python -m handler [--help] [--version] COMMAND ..."),
        (["handler", "ask"], "usage: python -m handler ask [-h]"),
        (["export"], "usage: python -m export [-h]"),
        (["training"], "usage: python -m training [--help] [--version] COMMAND ..."),
        (["training", "launch", "run"], "usage: python -m training launch run [-h]"),
        (["ludwig_serverless"], "usage: python -m ludwig_serverless [--help] [--version] COMMAND ..."),
    ],
    ids=" ".join,
)
def test_the_modules_are_commands_too(module: list[str], usage: str) -> None:
    found = subprocess.run(
        [sys.executable, "-m", *module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(usage)


def test_a_moved_command_names_its_new_place() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "handler", "cost", "--messages-per-month", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "error: `cost` has moved: run `python -m ludwig_serverless cost`.\n"


@pytest.mark.parametrize("name", ["import", "fit", "predict", "fetch", "publish"])
def test_options_that_replace_files_are_called_force(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The earlier names still work, but are hidden."""
    import argparse

    parser = argparse.ArgumentParser()
    COMMANDS[name].add_arguments(parser)
    spelled = {option for action in parser._actions if action.dest == "force" for option in action.option_strings}
    assert spelled == {"--force", "--replace" if name == "publish" else "--overwrite"}
    shown = help_of(capsys, name)
    assert "--force" in shown
    assert "--overwrite" not in shown
    assert "--replace" not in shown


def test_commands_of_other_packages_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other distributions register tables by entry points. Names stay unique, and broken tables are reported."""
    (tmp_path / "their_commands.py").write_text(
        "from handler.command_line import Command\n"
        "def add(parser):\n    parser.set_defaults(run=lambda options: print('theirs'))\n"
        "COMMANDS = {'hello': Command('greet', 'Theirs', 'their_commands:add'), 'fit': None}\n"
    )
    information = tmp_path / "their-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[ludwig_serverless.commands]\na = no_such_module:COMMANDS\nb = their_commands:COMMANDS\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["hello"]) == 0
    out, err = capsys.readouterr()
    assert out == "theirs\n"
    assert err == "Cannot load the commands of no_such_module:COMMANDS: No module named 'no_such_module'\n"
    assert isinstance(find_commands()["fit"], Command)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["ludwig-serverless", "pre"], ["predict"]),
        (["ludwig-serverless", "fit", "--slot"], ["--slot-decoding"]),
        (["ludwig-serverless", "fit", "--slot-decoding", "v"], ["viterbi"]),
        (["ludwig-serverless", "launch", "te"], ["teardown"]),
        (["ludwig-serverless", "fit", "--dataset", "rows"], ["rows.csv"]),
    ],
    ids=["command", "option", "choice", "launch", "file"],
)
def test_bash_completes(typed: list[str], completed: list[str], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("")
    script = run(["completion", "bash"])
    assert (script.returncode, script.stderr) == (0, "")
    words = " ".join(f"'{word}'" for word in typed)
    asked = (
        f"{script.stdout}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}\n"
        "_shtab_ludwig_serverless; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    found = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.stdout.split() == completed, found.stderr


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "#compdef ludwig-serverless"), ("tcsh", "complete ludwig-")])
def test_other_shells_complete(shell: str, sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert sign in capsys.readouterr().out
