"""The shipped bundles give the answers of Ludwig that were recorded at export."""

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from handler.outputs import CategoryOutput
from handler.predictor import Predictor, load_predictors
from handler.unsure import unsure_outputs
from tests.handler.deployment import deploy, predict
from tests.hexabot_client import understand

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BUNDLES, ANSWERS = EXAMPLES / "bundles", EXAMPLES / "answers"
MODELS = ("intent", "language", "slots")
TOLERANCE = 1e-4
MAX_BYTES = 2_000_000


def recorded(model: str) -> list[dict[str, Any]]:
    """Return the recorded rows with Ludwig's answers."""
    lines = (ANSWERS / f"{model}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line) for line in lines]


@pytest.mark.parametrize("model", MODELS)
def test_a_shipped_bundle_gives_ludwigs_recorded_answers(model: str) -> None:
    predictor = Predictor(BUNDLES / model)
    rows = recorded(model)
    assert len(rows) > 150
    for row in rows:
        found = predictor.predict([row["values"]])[0]
        for column, expected in row["answer"].items():
            if column.endswith("_predictions"):
                assert found[column] == expected, row["row"]
            else:
                assert np.abs(np.subtract(found[column], expected)).max() <= TOLERANCE, row["row"]


def test_shipped_bundles_are_small_certified_and_licensed() -> None:
    predictors = load_predictors([BUNDLES])
    assert set(predictors) == set(MODELS)
    for predictor in predictors.values():
        assert predictor.manifest.parity.passed
        assert predictor.manifest.provenance.license == "Apache-2.0"
    assert sum(path.stat().st_size for path in BUNDLES.rglob("*") if path.is_file()) <= MAX_BYTES


def test_shipped_models_understand_the_readmes_messages() -> None:
    text = "book me a flight to New York next friday morning"
    answers = {name: predictor.predict([{"text": text}])[0] for name, predictor in load_predictors([BUNDLES]).items()}
    assert answers["intent"]["intent_predictions"] == "book_flight"
    assert answers["language"]["language_predictions"] == "en"
    assert "B-destination" in answers["slots"]["slots_predictions"]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            None,
            ["XK-4471", "BK-20418", "menu", "?", "", "OK", "👍", "12345", "12:30", "5pm", "a@b.com", "Tokyo", "taxi"],
        ),
        (None, ["Paris", "Casablanca", "привет", "你好", "hola"]),
        ("en", ["hello", "Hello!", "thanks", "yes", "no", "good morning", "hello, my booking is XK-4471"]),
        ("fr", ["bonjour", "BONJOUR", "merci", "oui", "non", "au revoir", "je voudrais une chambre d'hôtel"]),
        ("ar", ["مرحبا", "شكرا", "نعم", "لا", "مَرْحَبًا"]),
    ],
    ids=["nothing shown", "shared or foreign", "en", "fr", "ar"],
)
def test_hexabot_stores_a_language_only_if_a_message_shows_one(language: str | None, texts: list[str]) -> None:
    send = deploy(BUNDLES, NLU_DEFAULT_LANGUAGE="de")
    for text in texts:
        found = understand(text, predict(send, {"text": text}).json()).traits.get("language")
        assert (found and found.value) == language, text


def test_the_language_rule_costs_few_correct_answers() -> None:
    predictor = Predictor(BUNDLES / "language")
    (output,) = predictor.manifest.outputs
    assert isinstance(output, CategoryOutput)
    with (EXAMPLES / "demo" / "dataset.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "2"]
    answers = predictor.predict([{"text": row["text"]} for row in rows])
    right = [answer["language_predictions"] == row["language"] for row, answer in zip(rows, answers, strict=True)]
    kept = [not unsure_outputs(predictor, row, {"language": answer}) for row, answer in zip(rows, answers, strict=True)]
    wrong = [found for found, sure in zip(right, kept, strict=True) if sure and not found]
    lost = [found for found, sure in zip(right, kept, strict=True) if found and not sure]
    assert (len(rows), right.count(False), len(wrong), len(lost)) == (289, 11, 5, 3)
