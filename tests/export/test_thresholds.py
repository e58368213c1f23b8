"""Which parts of a run's `thresholds.json` go into a bundle."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.errors import ModelError
from export.thresholds import CAUTIOUS_EVIDENCE, CAUTIOUS_THRESHOLDS, THRESHOLDS, LanguageRule, with_thresholds
from handler.evidence import Evidence
from handler.outputs import CategoryOutput, OutputFeature, VectorOutput
from handler.thresholds import Thresholds
from training.evaluation.thresholds import Answered, ThresholdOptions, fit_thresholds, measure

INTENT = CategoryOutput(name="intent", labels=["a", "b"])
LANGUAGE = CategoryOutput(name="language", labels=["en", "fr"])
VECTOR = VectorOutput(name="vector")
EVIDENCE = {"letters": 16, "words": {"fr": "bonjour"}, "scripts": {"LATIN": ["en", "fr"]}}
FITTED: dict[str, Any] = {
    "intent": {"default": 0.7, "by_label": {"a": 0.2}, "fitted": {"accuracy": 0.9}, "measured": {}},
    "language": {"default": 0.8, "by_label": {}, "fitted": {}, "evidence": EVIDENCE},
}


def given(folder: Path, content: dict[str, Any] | None, **options: Any) -> dict[str, OutputFeature]:
    """Return the outputs, by name, as they go into a bundle."""
    if content is not None:
        (folder / "thresholds.json").write_text(json.dumps(content))
    outputs = with_thresholds([INTENT, LANGUAGE, VECTOR], folder / "model", **options)
    return {output.name: output for output in outputs}


def test_fitted_thresholds_are_exported(tmp_path: Path) -> None:
    found = given(tmp_path, FITTED)
    assert found["vector"] is VECTOR
    assert found["intent"] == CategoryOutput(
        name="intent", labels=["a", "b"], thresholds=Thresholds(default=0.7, by_label={"a": 0.2})
    )
    assert found["language"] == CategoryOutput(
        name="language",
        labels=["en", "fr"],
        thresholds=Thresholds(default=0.8),
        evidence=Evidence(letters=16, words={"fr": "bonjour"}, scripts={"LATIN": ["en", "fr"]}),
    )


def test_the_file_that_fit_writes_is_exported(tmp_path: Path) -> None:
    """The file contains the thresholds and everything else that `fit` records about them."""
    records = [
        {"intent": "a", "intent_predictions": "a" if sure > 0.5 else "b", "intent_probability": sure}
        for sure in (0.9, 0.8, 0.4, 0.3)
    ]
    answered = Answered.read("intent", records, [])
    fitted = fit_thresholds(answered, ThresholdOptions(accuracy=1.0))
    written = {**fitted, "measured": {"validation": measure(answered, fitted)}}
    (tmp_path / THRESHOLDS).write_text(json.dumps({"intent": written}))
    (output,) = with_thresholds([INTENT], tmp_path / "model")
    assert isinstance(output, CategoryOutput)
    assert output.thresholds == Thresholds(default=fitted["default"], by_label=fitted["by_label"])
    assert 0.4 < fitted["default"] < 0.8


@pytest.mark.parametrize("content", [None, {"intent": FITTED["intent"]}], ids=["no file", "no language in it"])
def test_a_language_without_fitted_thresholds_gets_cautious_ones(
    tmp_path: Path, content: dict[str, Any] | None
) -> None:
    found = given(tmp_path, content)
    assert found["language"] == CategoryOutput(
        name="language", labels=["en", "fr"], thresholds=CAUTIOUS_THRESHOLDS, evidence=CAUTIOUS_EVIDENCE
    )
    assert (found["intent"] == INTENT) == (content is None)


@pytest.mark.parametrize(
    ("rule", "reads_text"), [("none", True), ("fitted", False)], ids=["not asked for", "a model without text"]
)
def test_without_a_rule_or_a_text_every_language_is_answered(
    tmp_path: Path, rule: LanguageRule, reads_text: bool
) -> None:
    found = given(tmp_path, FITTED, language_rule=rule, reads_text=reads_text)
    assert found["language"] is LANGUAGE
    assert found["intent"] != INTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by_label": {"de": 0.5}}, r"names \['de'\], which the model does not have"),
        ({"evidence": {**EVIDENCE, "words": {"de": "hallo"}}}, r"\['de'\]"),
        ({"evidence": {**EVIDENCE, "scripts": {"LATIN": ["en", "it"]}}}, r"\['it'\]"),
        ({"evidence": {"letters": "many"}}, "is broken: Expected `int`"),
        ({"default": 2}, "is broken"),
    ],
)
def test_a_file_that_does_not_match_the_model_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        given(tmp_path, {"language": {**FITTED["language"], **change}})
