"""The message about a missing package names a command that works in this installation."""

from pathlib import Path

import pytest

from handler.extras import ENVIRONMENTS, ROOT, how_to_install


@pytest.mark.parametrize(
    ("extra", "environment", "folder"),
    [("", "serve", ""), ("training", "full", "[training]"), ("fetch", "fetch", "[fetch]"), ("ray", "ray", "[ray]")],
)
def test_in_a_checkout_the_advice_names_the_script_and_the_folder(extra: str, environment: str, folder: str) -> None:
    script = ROOT / "scripts" / "environment.py"
    assert script.is_file()
    assert how_to_install(extra) == (
        f"run `python3 {script} {environment}` and use the Python that it prints, or `pip install '{ROOT}{folder}'`"
    )


def test_in_a_copy_the_advice_names_the_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lambda image is such a copy: it contains only the folder `handler` of the repository."""
    monkeypatch.setattr("handler.extras.ROOT", tmp_path)
    assert how_to_install("fetch") == "install the packages of requirements/fetch.txt"


def test_in_an_installation_the_advice_names_the_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handler.extras.ROOT", tmp_path)
    information = tmp_path / "ludwig_serverless-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: ludwig-serverless\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert how_to_install("fetch") == "run `pip install 'ludwig-serverless[fetch]'`"
    assert how_to_install() == "run `pip install 'ludwig-serverless'`"


def test_every_environment_has_a_requirements_file() -> None:
    for name in {*ENVIRONMENTS.values(), "full"}:
        assert (ROOT / "requirements" / f"{name}.txt").is_file()
