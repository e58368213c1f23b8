"""`ludwig-serverless predict` and `evaluate` with a real model, and a bundle that applies its thresholds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from export.build import export_model
from export.errors import ModelError
from export.model import load_model
from export.thresholds import with_thresholds
from handler.hexabot import Service
from handler.outputs import CategoryOutput
from handler.predictor import Predictor
from handler.settings import Settings
from handler.thresholds import Thresholds
from tests.handler.deployment import deploy, predict
from tests.trained import Exported, Run, demo_rows
from training.__main__ import main
from training.config import with_calibration
from training.evaluation.thresholds import ThresholdOptions
from training.fit import fit

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]

GREETINGS = ["hello there", "good morning", "hi you", "good bye", "see you later", "so long"]
CONFIG = {
    "input_features": [{"name": "text", "type": "text", "encoder": {"type": "embed"}}],
    "output_features": [{"name": "intent", "type": "category"}],
    "trainer": {"epochs": 6, "batch_size": 8, "learning_rate": 0.02},
}


def greetings() -> pd.DataFrame:
    """Return rows of two intents with a split; some rows have the other intent's label."""
    rows = pd.DataFrame({"text": GREETINGS * 20, "intent": (["greet"] * 3 + ["leave"] * 3) * 20})
    rows.loc[::7, "intent"] = "leave"
    return rows.assign(split=([0] * 12 + [1] * 6 + [2] * 6) * 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a calibrated model with thresholds."""
    folder = tmp_path_factory.mktemp("calibrated") / "greetings"
    fit(with_calibration(CONFIG), greetings(), folder, thresholds=ThresholdOptions(0.8))
    return folder


@pytest.mark.parametrize("extension", [".csv", ".jsonl"])
def test_predictions_are_added_as_columns(extension: str, run: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / f"answers{extension}"
    pd.DataFrame({"id": ["1", "2"], "utterance": ["hello there", "see\nyou"]}).to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(run), "--dataset", str(tmp_path / "new.csv"), "--output", str(output)]) == 0
    found = pd.read_csv(output, dtype=str) if extension == ".csv" else pd.read_json(output, lines=True, dtype=False)
    assert (
        list(found)
        == ["id", "text", "intent_predictions", "intent_probability", "intent_uncalibrated"][: len(list(found))]
    )
    assert list(found["text"]) == ["hello there", "see\nyou"]
    assert set(found["intent_predictions"]) <= {"greet", "leave"}
    assert all(0 < float(probability) <= 1 for probability in found["intent_probability"])


def test_predict_does_not_overwrite_a_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "answers.csv"
    taken.write_text("text\nhello\n")
    assert main(["predict", str(run), "--dataset", str(taken), "--output", str(taken)]) == 1
    assert (
        "answers.csv already exists: choose another --output, or overwrite it with --force." in capsys.readouterr().err
    )


def test_slots_have_a_tag_for_each_word(trained: Callable[[str], Run], tmp_path: Path) -> None:
    """The model tags subwords."""
    rows = demo_rows(5, seed=3)
    rows[["text"]].to_csv(tmp_path / "new.csv", index=False)
    folder, output = trained("slots-bert").fitted.folder, tmp_path / "answers.jsonl"
    assert main(["predict", str(folder), "--dataset", str(tmp_path / "new.csv"), "--output", str(output)]) == 0
    answers = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    for text, answer in zip(rows["text"], answers, strict=True):
        assert len(answer["slots_predictions"].split()) == len(text.split())
        assert 0 <= answer["slots_probability"] <= 1


@pytest.mark.parametrize("kind", ["slots-bert", "slots-lstm"])
def test_evaluation_scores_the_tags_that_hexabot_gets(
    kind: str, trained: Callable[[str], Run], exported: Callable[[str], Exported], tmp_path: Path
) -> None:
    """Both sides decode the same tags with the same confidence, for words and for first subwords."""
    rows = demo_rows(40, seed=5)
    rows[["text", "slots"]].to_csv(tmp_path / "new.csv", index=False)
    output = tmp_path / "evaluation"
    arguments = [str(trained(kind).fitted.folder), "--dataset", str(tmp_path / "new.csv"), "--output", str(output)]
    assert main(["evaluate", *arguments]) == 0
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    service = Service({"slots": Predictor(exported(kind).folder)}, Settings(bundles=(), open=True))
    decoded = 0
    for record in map(json.loads, lines):
        columns = service.predict({"text": record["text"]}).answer["slots"]["predictions"]
        assert columns["slots_predictions"][1:-1] == record["slots_predictions"].split(" ")
        decoded += record["slots_predictions"] != record["slots_argmax"]
    assert decoded or kind == "slots-lstm"  # its short training leaves no broken slot to repair


def test_evaluating_the_test_split_from_a_file_gives_the_same_metrics(run: Path, tmp_path: Path) -> None:
    rows = greetings()
    rows[rows["split"] == 2].to_csv(tmp_path / "test.csv", index=False)
    output = tmp_path / "evaluation"
    assert main(["evaluate", str(run), "--dataset", str(tmp_path / "test.csv"), "--output", str(output)]) == 0
    first, again = (json.loads((folder / "metrics.json").read_text()) for folder in (run / "evaluation", output))
    assert again["outputs"]["intent"]["labels"] == first["outputs"]["intent"]["labels"]
    for name in ("error", "temperature", "error_before"):
        old, new = (found["outputs"]["intent"]["calibration"][name] for found in (first, again))
        assert new == pytest.approx(old, abs=1e-5)
    assert again["thresholds"]["intent"]["measured"]["test"] == first["thresholds"]["intent"]["measured"]["test"]
    assert (again["source"], again["learning"]) == ("test.csv", None)
    assert "temperature" in (output / "report.html").read_text()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"text": ["hi"], "mood": ["good"]}, "to evaluate the model they need one of ['intent']"),
        ({"words": ["hi"], "intent": ["greet"]}, "the model also needs ['text']"),
        ({"text": ["hi"], "intent": [""]}, "No row has a value in intent"),
    ],
    ids=["label", "text", "empty"],
)
def test_rows_without_labels_or_text_are_an_error(
    rows: dict[str, list[str]], message: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame(rows).to_csv(tmp_path / "new.csv", index=False)
    output = tmp_path / "evaluation"
    assert main(["evaluate", str(run), "--dataset", str(tmp_path / "new.csv"), "--output", str(output)]) == 1
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_a_folder_with_other_files_is_not_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    assert main(["evaluate", str(run), "--dataset", "none.csv", "--output", str(tmp_path)]) == 1
    assert "exists and is not an evaluation" in capsys.readouterr().err


def test_a_bundle_is_calibrated_and_applies_its_thresholds(run: Path, tmp_path: Path) -> None:
    """The parity check compares every probability with the calibrated model's."""
    thresholds = json.loads((run / "thresholds.json").read_text())["intent"]
    manifest = export_model(load_model(run), tmp_path / "intent", dataset=greetings())
    assert manifest.parity.passed
    (output,) = manifest.outputs
    assert isinstance(output, CategoryOutput)
    assert output.thresholds == Thresholds(default=thresholds["default"], by_label=thresholds["by_label"])
    send = deploy(tmp_path / "intent")
    (columns,) = Predictor(tmp_path / "intent").predict([{"text": "so"}])
    answer = predict(send, {"text": "so"}).json()["intent"]
    assert (answer["status"] == "failed") is (columns["intent_probability"] < thresholds["default"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is broken"),
        ({"intent": {"default": 2}}, "is broken"),
        ({"mood": {"default": 0.5}}, r"names \['mood'\], which the model does not have"),
        ({"intent": {"default": 0.5, "by_label": {"fly": 0.5}}}, r"names \['fly'\], which the model does not"),
    ],
    ids=["JSON", "probability", "output", "label"],
)
def test_invalid_thresholds_are_an_error(content: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "thresholds.json").write_text(content if isinstance(content, str) else json.dumps(content))
    outputs = [CategoryOutput(name="intent", labels=["greet", "leave"])]
    with pytest.raises(ModelError, match=message):
        with_thresholds(outputs, tmp_path / "model")
