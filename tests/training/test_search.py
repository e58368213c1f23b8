"""`python -m training fit --hyperopt`: what it asks for. The search itself is Ludwig's, on Ray."""

from pathlib import Path

import pytest

from training.__main__ import main

CONFIG = """
input_features: [{name: text, type: text, encoder: embed}]
output_features: [{name: intent, type: category}]
"""
SECTION = "hyperopt: {parameters: {trainer.learning_rate: {space: choice, categories: [0.01, 0.001]}}}"


def search(folder: Path, config: str, output: str = "search") -> int:
    (folder / "config.yaml").write_text(config)
    (folder / "data.csv").write_text("text,intent\nhi,greet\nbye,leave\n")
    files = ["--config", folder / "config.yaml", "--dataset", folder / "data.csv", "--output", folder / output]
    return main(["fit", "--hyperopt", *map(str, files)])


@pytest.mark.parametrize(
    "section", ["", "hyperopt: {}", "hyperopt: {goal: maximize}"], ids=["none", "empty", "no space"]
)
def test_a_search_needs_something_to_try(section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(tmp_path, f"{CONFIG}\n{section}") == 1
    assert "has no section 'hyperopt' with parameters to try, as in" in capsys.readouterr().err


def test_a_search_without_ray_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.search.PACKAGES", ("ray_that_is_not_installed",))
    assert search(tmp_path, f"{CONFIG}\n{SECTION}") == 1
    assert "A search needs Ray: `pip install 'ludwig-serverless[ray]'`." in capsys.readouterr().err


def test_a_search_replaces_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.search.PACKAGES", ())
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("precious")
    assert search(tmp_path, f"{CONFIG}\n{SECTION}", "taken") == 1
    assert "taken exists: give another folder" in capsys.readouterr().err
