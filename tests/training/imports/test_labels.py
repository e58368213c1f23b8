"""Labels are imported as Ludwig reads them, and changes are reported."""

from pathlib import Path

import pytest

from tests.training.imports.command import imported, written

SPACED = 'text,intent,language,color\na, greet,en ,red\nb,greet," ", red\nc, ,fr,\nd, ,,\n'


def test_white_space_around_labels_is_removed_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "in.csv", SPACED)
    rows, report = imported(tmp_path, path, "--no-split", "--trait", "color")
    assert [(row["intent"], row["language"], row["color"]) for row in rows] == [
        ("greet", "en", "red"),
        ("greet", "", "red"),
        ("", "fr", ""),
    ]
    (finding,) = [entry for entry in report["findings"] if entry["what"].startswith("white space around a label")]
    assert [row["found"] for row in finding["rows"]] == [
        "intent ' greet'",
        "language 'en '",
        "language ' '",
        "color ' red'",
        "intent ' '",
        "intent ' '",
    ]
    assert "Found 6: white space around a label, which was removed; a blank label counts as missing." in (
        capsys.readouterr().err
    )
    assert [entry["what"] for entry in report["dropped"]] == ["no label: neither intent, language, slots nor a trait"]


def test_similar_labels_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path, written(tmp_path, "in.csv", "text,intent\na,Greet\nb,greet\nc,bye\n"), "--no-split")
    said = capsys.readouterr().err
    assert "'intent' has labels that differ only in case, separators or encoding: 'Greet' (1), 'greet' (1)." in said
