"""The baseline for models that predict labels, and the warning if a model is worse."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.training.tiny import tiny, tiny_config
from training.baseline import HARDLY_BETTER, NAME, answers_of_svm, baseline_answers, compare, labels_of, warning
from training.fit import fit

CONFIG = {
    "input_features": [{"name": "text", "type": "text"}],
    "output_features": [{"name": "intent", "type": "category"}, {"name": "slots", "type": "sequence"}],
}
ROWS = pd.DataFrame(
    {
        "text": ["book a flight", "book me a plane", "turn on the light", "switch on the lamp", "flights please"],
        "intent": ["fly", "fly", "light", "light", "fly"],
        "slots": ["O O O", "O O O O", "O O O O", "O O O O", "O O"],
    }
)


def test_only_labels_of_a_text_have_a_baseline() -> None:
    assert labels_of(CONFIG) == ["intent"]
    assert labels_of({**CONFIG, "input_features": [{"name": "age", "type": "number"}]}) == []


def test_the_baseline_learns_words_and_character_ngrams() -> None:
    asked = pd.DataFrame({"text": ["a flight to paris", "lamps on"]})
    assert baseline_answers(CONFIG, "intent", ROWS, asked) == ["fly", "light"]


@pytest.mark.parametrize("texts", [["", ""], ["?", "!"], ["a", "b"]])
def test_texts_without_words_get_an_answer(texts: list[str]) -> None:
    assert set(answers_of_svm(texts, ["x", "y"], ["what", ""])) <= {"x", "y"}


def test_missing_texts_and_a_single_label_get_an_answer() -> None:
    rows = pd.DataFrame({"text": ["hello", None], "intent": ["greet", "greet"]})
    assert baseline_answers(CONFIG, "intent", rows, rows) == ["greet", "greet"]


EXPECTED = ["a", "b", "c", "d"] * 10


@pytest.mark.parametrize(
    ("model", "baseline", "verdict", "told"),
    [
        (EXPECTED, EXPECTED, "fine", None),
        (EXPECTED[:38] + ["a"] * 2, EXPECTED, "below", "A SIMPLER METHOD IS BETTER"),
        ([*EXPECTED[:39], "a"], EXPECTED, "fine", None),  # one row is chance
        (EXPECTED, ["a"] * 40, "fine", None),
        (["a"] * 40, EXPECTED, "chance", "HARDLY LEARNED ANYTHING"),
        (["a"] * 40, ["a"] * 40, "nothing", "NEITHER THIS MODEL"),  # the rows teach nothing that anything could learn
    ],
)
def test_a_model_is_compared_with_the_baseline(
    model: list[str], baseline: list[str], verdict: str, told: str | None
) -> None:
    found = compare(EXPECTED, model, baseline)
    assert found["verdict"] == verdict
    assert found["name"] == NAME
    assert found["chance"] == 0.25
    said = warning("intent", found)
    assert said is None if told is None else said is not None and told in said


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_finds_no_slots_prints_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tagger = {"name": "slots", "type": "sequence", "decoder": {"type": "tagger"}}
    text = {"name": "text", "type": "text", "encoder": {"type": "rnn", "reduce_output": None}}
    config = tiny_config(input_features=[text], output_features=[tagger])
    rows = tiny().assign(slots=[f"O B-{'abcdefgh'[row // 2 % 8]}" for row in range(60)])  # nothing to learn
    fitted = fit(config, rows, tmp_path / "run")
    assert fitted.metrics["slots"]["slot_f1"] < HARDLY_BETTER
    assert "HARDLY LEARNED ANYTHING (slots: F1 of whole slots" in capsys.readouterr().err
    assert "finds hardly any slots" in (tmp_path / "run" / "evaluation" / "report.html").read_text()


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_learned_nothing_prints_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_config(trainer={"epochs": 1, "batch_size": 64, "learning_rate": 1e-12})
    rows = tiny()
    rows.loc[rows["split"] == 2, "intent"] = ["greet", "leave"] * 5
    fitted = fit(config, rows, tmp_path / "run")
    report = (tmp_path / "run" / "evaluation" / "report.html").read_text()
    recorded = json.loads((tmp_path / "run" / "training.json").read_text())["metrics"]["intent"]
    assert recorded == fitted.metrics["intent"]
    assert recorded["baseline_accuracy"] == 1.0
    assert NAME in report
    assert recorded["accuracy"] == 0.5
    assert "HARDLY LEARNED ANYTHING" in capsys.readouterr().err
    assert "has learned almost nothing" in report
