"""Realistic files with all commands: fit, evaluate, predict and export."""

import json
from pathlib import Path

import pytest

from tests.training.tiny import TINY_CONFIG
from training.__main__ import main

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

RECORDS = [
    {"Utterance": 7, "INTENT": 1, "Split": 0},
    {"Utterance": "hé there", "INTENT": 2, "Split": 0},
    {"Utterance": "none", "INTENT": None, "Split": 0},
    {"Utterance": 7, "INTENT": 1.0, "Split": 1},
    {"Utterance": "hé you", "INTENT": {"name": "2", "confidence": 0.9}, "Split": 1},
    {"Utterance": "hé", "INTENT": ["2"], "Split": 2},
]


def test_all_commands_read_numbers_null_and_utf_16_alike(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from export.__main__ import main as export

    rows = [record for record in RECORDS for _ in range(6)]
    path, config, run = tmp_path / "data.json", tmp_path / "config.yaml", tmp_path / "run"
    path.write_bytes("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("utf-16"))
    config.write_text(TINY_CONFIG)
    assert main(["fit", "--config", str(config), "--dataset", str(path), "--output", str(run)]) == 0
    said = capfd.readouterr().err
    assert "Skipped 6 of 36 rows without a value in intent." in said
    assert "Reading the column 'Utterance' as 'text'." in said
    metadata = json.loads((run / "model" / "training_set_metadata.json").read_text())
    assert {*metadata["intent"]["idx2str"]} - {"<UNK>"} == {"1", "2"}
    assert {"7", "hé", "there"} <= {*metadata["text"]["idx2str"]}

    assert main(["evaluate", str(run), "--dataset", str(path), "--output", str(tmp_path / "measured")]) == 0
    assert "Skipped 6 of 36 rows without a value in intent." in capfd.readouterr().err
    assert main(["predict", str(run), "--dataset", str(path), "--output", str(tmp_path / "answers.jsonl")]) == 0
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert len(answers) == 36
    assert {answer["intent_predictions"] for answer in answers} <= {"1", "2", "<UNK>"}
    assert export([str(run), str(tmp_path / "bundle"), "--dataset", str(path)]) == 0
    parity = json.loads((tmp_path / "bundle" / "manifest.json").read_text("utf-8"))["parity"]
    assert (parity["passed"], parity["rows"] - parity["odd_rows"]) == (True, 36)
