"""`ludwig-serverless train`: one command from a file to checked bundles, and how it resumes."""

import json
from pathlib import Path

import pytest

from handler.bundle import read_bundle
from handler.hexabot import load_service
from handler.settings import Settings
from handler.understanding import Understander
from ludwig_serverless.cli import main

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]
PLACES = ["the kitchen", "the hall", "my bedroom", "the office", "the garage", "upstairs"]
ROWS = [
    *(f"turn on the light in {place},light_on" for place in PLACES),
    *(f"switch the lamps on in {place},light_on" for place in PLACES),
    *(f"how warm is it in {place},ask_temperature" for place in PLACES),
    *(f"what is the temperature in {place},ask_temperature" for place in PLACES),
]


def test_one_command_makes_bundles_and_a_second_run_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "examples.csv"
    table.write_text("text,intent\n" + "\n".join(ROWS) + "\n")
    command = ["train", str(table), "--language", "en", "--output", str(tmp_path / "bundles"), "--prefer", "fast"]
    command += ["--budget-minutes", "0.5"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "intent: matches Ludwig" in out
    assert "Checked: the handler gives Ludwig's answers" in err
    manifest = read_bundle(tmp_path / "bundles" / "intent")
    assert manifest.parity.passed
    assert manifest.entities is None
    record = json.loads((tmp_path / "bundles-runs" / "intent" / "training.json").read_text())
    assert record["rows"] == len(ROWS)  # no row was held out for validation or test
    assert record["metrics"]["intent"]["accuracy"] >= 0.9
    assert record["choice"]["winner"] in record["choice"]["reason"]
    page = (tmp_path / "bundles-runs" / "intent" / "evaluation" / "report.html").read_text()
    assert "Model selection" in page
    assert "intent/evaluation/report.html" in (tmp_path / "bundles-runs" / "index.html").read_text()
    assert main(command) == 0
    assert capsys.readouterr().err.count("Already done: ") == 3  # the dataset, the run and the bundle
    assert read_bundle(tmp_path / "bundles" / "intent").seal == manifest.seal
    table.write_text("text,intent\n" + "\n".join(ROWS[:-1]) + "\n")
    assert main(command) == 1
    assert "contains a training with other data or options" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert (tmp_path / "bundles-runs-previous" / "intent" / "training.json").is_file()
    metrics = json.loads((tmp_path / "bundles-runs" / "intent" / "evaluation" / "metrics.json").read_text())
    assert metrics["compared"]["outputs"]["intent"]["before"] == record["metrics"]["intent"]["accuracy"]


def test_the_vocabulary_of_an_export_reaches_the_answers(tmp_path: Path) -> None:
    rows = [dict(zip(("text", "intent"), row.rsplit(",", 1), strict=True)) for row in ROWS]
    content = {
        "common_examples": [{**row, "entities": []} for row in rows],
        "lookup_tables": [{"name": "room", "elements": ["kitchen", "hall"]}],
        "entity_synonyms": [{"value": "kitchen", "synonyms": ["scullery"]}],
        "regex_features": [{"name": "code", "pattern": "[A-Z]{2}-\\d{3}"}],
    }
    export = tmp_path / "export.json"
    export.write_text(json.dumps(content))
    command = ["train", str(export), "--language", "en", "--output", str(tmp_path / "bundles"), "--prefer", "fast"]
    assert main([*command, "--budget-minutes", "0.5"]) == 0
    service = load_service(Settings(bundles=(str(tmp_path / "bundles"),), open=True))
    answer = Understander(service, "en").understand({"text": "turn on the light in the Scullery, ab-123."}).answer
    assert [(each.entity, each.value, each.canonical_value, each.source) for each in answer["entities"]] == [
        ("room", "Scullery", "kitchen", "keyword"),
        ("code", "ab-123", "ab-123", "pattern"),
    ]
