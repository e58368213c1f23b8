"""Evidence of languages, learned from a few rows, and the thresholds that use it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from handler.evidence import Evidence
from tests.training.evaluation.samples import evaluate_labels
from training.errors import ConfigError
from training.evaluation.languages import (
    ACCURACY,
    LEAST_SURE,
    LETTERS,
    MOST_WORDS,
    answered_with,
    fit_language,
    learn_evidence,
    text_read,
    threshold_options,
)
from training.evaluation.thresholds import Answered, ThresholdOptions, measure

TEXT = {"name": "text", "type": "text"}
INTENT = {"name": "intent", "type": "category"}
LANGUAGE = {"name": "language", "type": "category"}


def config(*outputs: dict[str, Any], inputs: tuple[dict[str, Any], ...] = (TEXT,)) -> dict[str, Any]:
    return {"input_features": list(inputs), "output_features": list(outputs)}


def test_words_and_scripts_of_one_language_are_kept() -> None:
    rows = [
        *[("hello Paris", "en"), ("hello menu", "en"), ("bonjour Paris", "fr"), ("bonjour le menu XK-4471", "fr")],
        *[("مرحبا OK", "ar"), ("مرحبا", "ar"), ("Amira", "fr"), ("12345", "en")],
    ]
    evidence = learn_evidence(*zip(*rows, strict=True))
    assert evidence == Evidence(
        letters=LETTERS,
        words={"ar": "مرحبا", "en": "hello", "fr": "bonjour"},
        scripts={"ARABIC": ["ar"], "LATIN": ["ar", "en", "fr"]},
    )


def test_a_few_mislabeled_rows_change_nothing() -> None:
    rows = [
        *[("bonjour", "fr")] * 199,
        *[("bonjour", "en")],
        *[("hello", "en")] * 100,
        *[("привет", "ru")] * 200,
        ("да", "en"),
    ]
    evidence = learn_evidence(*zip(*rows, strict=True))
    assert evidence.words["fr"] == "bonjour"
    assert evidence.scripts == {"CYRILLIC": ["ru"], "LATIN": ["en", "fr"]}


def test_the_most_frequent_words_are_kept() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [one + two + three for one in letters for two in letters for three in letters][: MOST_WORDS + 10]
    texts = [*words, *words, words[-1]]
    kept = learn_evidence(texts, ["en"] * len(texts)).words["en"].split()
    assert (len(kept), kept[0], words[-2] in kept) == (MOST_WORDS, words[-1], False)


def test_a_language_always_gets_a_threshold() -> None:
    asked, default = ThresholdOptions(0.9), ThresholdOptions(ACCURACY)
    assert threshold_options(config(LANGUAGE), None) == {"language": default}
    assert threshold_options(config(LANGUAGE), asked) == {"language": asked}
    assert threshold_options(config(INTENT, LANGUAGE), asked) == {"intent": asked, "language": default}
    assert threshold_options(config(INTENT), None) == {}
    number = {"name": "age", "type": "number"}
    assert threshold_options(config(LANGUAGE, inputs=(number,)), None) == {}
    with pytest.raises(
        ConfigError, match="Only a category can have a threshold, but the outputs are of type number, sequence: omit"
    ):
        threshold_options(config(number, {"name": "slots", "type": "sequence"}), asked)


def test_the_first_text_provides_the_evidence() -> None:
    kind = {"name": "kind", "type": "category"}
    assert text_read(config(LANGUAGE, inputs=(kind, {**TEXT, "column": "question+affixes24"}))) == "question"
    assert text_read(config(LANGUAGE, inputs=(kind,))) is None


ROWS: list[tuple[str, str, str, float]] = [
    ("bonjour", "fr", "fr", 0.4),
    ("menu", "en", "fr", 0.99),
    ("XK-4471", "en", "fr", 0.97),
    ("je voudrais une chambre", "fr", "fr", 0.9),
    ("un autre message assez long", "en", "fr", 0.6),
]
EVIDENCE = Evidence(letters=16, words={"fr": "bonjour"}, scripts={"LATIN": ["en", "fr"]})


def records() -> list[dict[str, Any]]:
    return [
        {"text": text, "language": right, "language_predictions": label, "language_probability": sure}
        for text, right, label, sure in ROWS
    ]


def test_evaluation_applies_evidence_like_the_handler() -> None:
    fitted = fit_language(Answered.read("language", records(), []), ThresholdOptions(0.6), EVIDENCE)
    assert fitted["evidence"] == msgspec.to_builtins(EVIDENCE)
    thresholds = {**fitted, "default": 0.8}
    measured = measure(answered_with("language", thresholds, records(), records(), "text"), thresholds)
    assert (measured["answered"], measured["accuracy"], measured["out_of_scope"]) == (2, 1.0, 0)


def test_a_language_threshold_has_a_lower_bound() -> None:
    surely_right = [record | {"language": record["language_predictions"]} for record in records()]
    fitted = fit_language(Answered.read("language", surely_right, []), ThresholdOptions(ACCURACY), EVIDENCE)
    assert fitted["default"] == LEAST_SURE


def test_the_report_explains_the_evidence(tmp_path: Path) -> None:
    fitted = fit_language(Answered.read("language", records(), []), ThresholdOptions(0.6), EVIDENCE)
    rows = [("bonjour", "fr", "fr", 0.9), ("menu", "en", "fr", 0.99)]
    thresholds = {"intent": {**fitted, "measured": {}}}
    metrics = evaluate_labels(tmp_path, rows, thresholds=thresholds, outside=[("huh", "oos", "fr", 0.5)])
    assert metrics["thresholds"]["intent"]["measured"]["test"]["answered"] == 1
    report = " ".join((tmp_path / "report.html").read_text().split())
    assert "the message needs at least 16 letters and a confidence above the threshold" in report
