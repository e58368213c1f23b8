"""Rows out of scope: which are trained on, and what becomes of the model's answers to them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from export.build import export_model
from export.model import load_model
from handler.predictor import Predictor
from handler.unsure import unsure_outputs
from tests.training.tiny import tiny, tiny_config
from training.dataset import TEST, TRAIN, VALIDATION
from training.errors import DatasetError
from training.evaluation.thresholds import ThresholdOptions
from training.fit import fit
from training.out_of_scope import FEWEST_BACKGROUND, out_of_scope, with_background

LABEL = "oos"


def rows(outside: int, **columns: list[int]) -> pd.DataFrame:
    texts = [f"text {number}" for number in range(outside + 2)]
    return pd.DataFrame({"text": texts, "intent": ["a", "b", *[LABEL] * outside], **columns})


def counts(outside: pd.DataFrame) -> list[int]:
    return [int((outside["split"] == part).sum()) for part in (TRAIN, VALIDATION, TEST)]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (None, [50, 25, 25]),
        ([TRAIN] * 60 + [VALIDATION] * 30 + [TEST] * 10, [60, 30, 10]),
        ([TRAIN] * 100, [50, 50, 0]),
        ([TRAIN] * 90 + [TEST] * 10, None),
        ([TRAIN] * (FEWEST_BACKGROUND - 1) + [VALIDATION] * 40 + [TEST] * 41, [0, 59, 41]),
    ],
    ids=["no split", "own split", "no validation", "no validation but test", "too few"],
)
def test_the_parts_of_rows_out_of_scope(split: list[int] | None, expected: list[int] | None) -> None:
    dataset = rows(100, **({"split": [TRAIN, TRAIN, *split]} if split else {}))
    inside, outside = out_of_scope(tiny_config(), dataset, LABEL, 1)
    assert inside["intent"].tolist() == ["a", "b"]
    found = counts(outside)
    assert sum(found) == 100
    if expected:
        assert found == expected
    else:
        assert found[2] == 10
        assert min(found[:2]) >= FEWEST_BACKGROUND
    again = out_of_scope(tiny_config(), pd.concat([inside.assign(split=TRAIN), outside]), LABEL, 1)[1]
    assert counts(again) == found  # a choice of a configuration separates them twice


def test_a_few_rows_are_all_for_the_thresholds() -> None:
    assert counts(out_of_scope(tiny_config(), rows(30), LABEL, 1)[1]) == [0, 15, 15]
    with pytest.raises(DatasetError, match="No row has the label 'nothing' in intent"):
        out_of_scope(tiny_config(), rows(30), "nothing", 1)


def test_a_usual_label_for_such_rows_suggests_the_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = rows(3).replace({LABEL: "Out-of Scope"})
    for _ in range(2):
        assert len(out_of_scope(tiny_config(), dataset, None, 1)[0]) == 5
    told = capsys.readouterr().err
    assert told.count("rows have the intent 'Out-of Scope'") == 1
    assert "add --out-of-scope 'Out-of Scope'" in told
    out_of_scope(tiny_config(), rows(0), None, 1)
    assert capsys.readouterr().err == ""


def test_rows_without_another_label_are_not_trained_on() -> None:
    dataset = pd.DataFrame({"text": ["x"], "intent": ["a"], "slots": ["O"], "split": [TRAIN]})
    outside = pd.DataFrame({"text": ["y", "z"], "intent": [LABEL] * 2, "slots": [None, "O"], "split": [TRAIN] * 2})
    assert with_background(dataset, outside)["text"].tolist() == ["x", "z"]
    assert with_background(dataset, outside.drop(columns="slots"))["text"].tolist() == ["x"]
    assert with_background(dataset, outside.assign(split=VALIDATION))["text"].tolist() == ["x"]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_learned_what_is_out_of_scope_never_answers_it(tmp_path: Path) -> None:
    strange = pd.DataFrame({"text": ["some pizza please"] * 40, "intent": [LABEL] * 40})
    strange = strange.assign(split=[TRAIN] * 24 + [VALIDATION] * 8 + [TEST] * 8)
    config = tiny_config(trainer={"epochs": 12, "batch_size": 8, "learning_rate": 0.01})
    run, bundle = tmp_path / "run", tmp_path / "intent"
    fit(config, pd.concat([tiny(), strange], ignore_index=True), run, thresholds=ThresholdOptions(out_of_scope=LABEL))
    metadata = json.loads((run / "model" / "training_set_metadata.json").read_text())
    assert set(metadata["intent"]["idx2str"]) == {"greet", "leave", LABEL}
    thresholds = json.loads((run / "thresholds.json").read_text())["intent"]
    assert (thresholds["rejected"], thresholds["softness"]) == ([LABEL], 2.0)
    measured = thresholds["measured"]["test"]
    assert (measured["coverage"], measured["accuracy"], measured["refused"]) == (1.0, 1.0, 8)
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    assert metrics["outputs"]["intent"]["coverage"][0]["refused"] == 1.0, "without a threshold, the label is rejected"
    manifest = export_model(load_model(run), bundle, dataset=tiny().head(8))
    assert manifest.outputs[0].thresholds.rejected == [LABEL]  # type: ignore[union-attr]
    predictor = Predictor(bundle)
    for text, label, unsure in (("some pizza please", LABEL, {"intent"}), ("hello there", "greet", set())):
        outputs = predictor.answers([{"text": text}])[0].outputs
        assert outputs["intent"]["intent_predictions"] == label  # Ludwig's answer stays as it is
        assert unsure_outputs(predictor, {"text": text}, outputs) == unsure
