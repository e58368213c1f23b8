"""`ludwig-serverless import --validation FILE --test FILE`: separate files for parts of the split."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.training.imports.command import Rows, error_of, imported, written


def export(folder: Path, name: str, count: int) -> Path:
    """Write Hexabot's export of one type of samples."""
    rows = [
        {"text": f"{name} sentence number {chr(97 + i)}", "intent": f"intent{i % 2}", "entities": []}
        for i in range(count)
    ]
    return written(folder, f"{name}.json", json.dumps(rows))


def parts(rows: Rows) -> dict[str, set[int]]:
    """Return the parts that contain rows of each file."""
    return {
        name: {int(row["split"]) for row in rows if row["text"].startswith(name)} for name in ("train", "valid", "exam")
    }


def test_each_file_becomes_its_part(tmp_path: Path) -> None:
    files = export(tmp_path, "train", 12), export(tmp_path, "valid", 3), export(tmp_path, "exam", 4)
    rows, report = imported(tmp_path, files[0], "--validation", files[1], "--test", files[2])
    assert parts(rows) == {"train": {0}, "valid": {1}, "exam": {2}}
    assert report["splits"]["rows"] == {"train": 12, "validation": 3, "test": 4}
    assert [file["kind"].rpartition(", ")[2] for file in report["files"][1:]] == ["for validation", "for test"]


def test_a_part_without_a_file_is_taken_from_the_other_rows(tmp_path: Path) -> None:
    files = export(tmp_path, "train", 20), export(tmp_path, "valid", 3), export(tmp_path, "exam", 4)
    rows, report = imported(tmp_path, files[0], "--test", files[2], "--overwrite")
    assert parts(rows) == {"train": {0, 1}, "valid": set(), "exam": {2}}
    assert report["splits"]["rows"] == {"train": 18, "validation": 2, "test": 4}
    rows, _ = imported(tmp_path, files[0], "--validation", files[1], "--split", "0.5,0.25,0.25", "--overwrite")
    assert parts(rows) == {"train": {0, 2}, "valid": {1}, "exam": set()}
    assert Counter(int(row["split"]) for row in rows) == {0: 14, 1: 3, 2: 6}


def test_texts_in_two_parts_are_reported(tmp_path: Path) -> None:
    train, same = export(tmp_path, "train", 20), export(tmp_path, "again", 3)
    same.write_text(train.read_text())
    _, report = imported(tmp_path, train, "--test", same, "--validation", export(tmp_path, "valid", 3))
    assert report["splits"]["templates_in_two_parts"] == 20


def test_invalid_splits_are_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, exam = export(tmp_path, "train", 1), export(tmp_path, "exam", 4)
    assert "too few or too similar" in error_of(capsys, tmp_path, train, "--test", exam)
    assert "is given twice" in error_of(capsys, tmp_path, train, "--test", train)
    assert "remove one of them" in error_of(capsys, tmp_path, train, "--test", exam, "--no-split")
    assert "is both input and output" in error_of(capsys, tmp_path, train, "--test", tmp_path / "data.csv")
