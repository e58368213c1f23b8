"""The explanation of a compact answer says what the answer does, and why."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.explaining import explain
from handler.hexabot import Service
from handler.outputs import CategoryOutput
from handler.predictor import load_predictors
from handler.settings import Settings
from handler.thresholds import Thresholds
from handler.understanding import Understander
from tests.handler.deployment import deploy

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"
SURE = {"above threshold", "no threshold", "evidence"}
TEXTS = ["book a flight to Paris", "XK-4471", "", " ", "مرحبا، أريد حجز رحلة", "tea", "bonjour madame", "ok " * 40]


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(load_predictors([BUNDLES]), Settings(bundles=(), open=True))


def explained(service: Service, **fields: Any) -> dict[str, Any]:
    outcome = Understander(service, "en").understand(fields)
    return {each["key"]: each for each in explain(outcome)} | {"answer": outcome.answer}


@given(
    text=st.one_of(st.sampled_from(TEXTS), st.text(max_size=30)),
    default=st.floats(0, 1),
    softness=st.sampled_from([1.0, 2.5]),
    rejected=st.sampled_from([[], ["greet", "out_of_scope"]]),
    intents=st.sampled_from([None, ["greet", "thank"], ["nothing"]]),
)
def test_the_explanation_agrees_with_the_answer(
    service: Service, text: str, default: float, softness: float, rejected: list[str], intents: list[str] | None
) -> None:
    output: Any = service.predictors["intent"].manifest.outputs[0]
    assert isinstance(output, CategoryOutput)
    predictor = service.predictors["intent"]
    limits = Thresholds(default=default, by_label={"greet": 0.5}, softness=softness, rejected=rejected)
    changed = type(output)(name=output.name, labels=output.labels, thresholds=limits)
    predictor.manifest.outputs[0], before = changed, output
    try:
        found = explained(service, text=text, intents=intents)
    finally:
        predictor.manifest.outputs[0] = before
    for key in ("intent", "language"):
        assert found[key]["sure"] == (found[key]["reason"] in SURE)
        assert [each["confidence"] for each in found[key]["labels"]] == sorted(
            (each["confidence"] for each in found[key]["labels"]), reverse=True
        )
    intent, answer = found["intent"], found["answer"]["intent"]
    assert intent["sure"] == (answer["name"] is not None)
    assert [each["name"] for each in intent["labels"]] == [each["name"] for each in answer["ranking"]]
    assert {each["threshold"] for each in intent["labels"]} <= {default, 0.5}
    if intent["reason"] in {"above threshold", "below threshold"}:
        limit = 0.5 if intent["labels"][0]["name"] == "greet" else default
        assert intent["sure"] == (intent["compared"] >= limit)


def test_each_reason_is_named(service: Service) -> None:
    reasons = {text: explained(service, text=text) for text in TEXTS}
    assert reasons[""]["intent"]["reason"] == reasons[" "]["language"]["reason"] == "blank"
    assert reasons["XK-4471"]["language"]["reason"] == "no evidence"
    assert reasons["مرحبا، أريد حجز رحلة"]["language"]["reason"] == "evidence"
    assert reasons["book a flight to Paris"]["intent"]["reason"] == "no threshold"


@pytest.mark.parametrize(
    ("value", "is_asked"), [(True, True), ("true", True), (False, False), ("", False), ("0", False), (None, False)]
)
def test_only_a_request_that_asks_for_it_gets_an_explanation(value: Any, is_asked: bool) -> None:
    send = deploy(BUNDLES)
    body = json.dumps({"text": "hello", "explain": value}).encode()
    answer = send("POST", "/understand", body, headers={"content-type": "application/json"})
    assert ("explanation" in answer.json()) is is_asked
    if is_asked:
        (language,) = (each for each in answer.json()["explanation"] if each["key"] == "language")
        assert (language["model"], language["labels"][0]["threshold"]) == ("language", 0.909355)


@pytest.mark.parametrize("value", ["yes", 0, 1, [], {}])
def test_a_value_that_is_neither_true_nor_false_is_refused(value: Any) -> None:
    body = json.dumps({"text": "hello", "explain": value}).encode()
    answer = deploy(BUNDLES)("POST", "/understand", body, headers={"content-type": "application/json"})
    assert (answer.status, answer.json()["error"]) == (
        400,
        f"'explain' must be true or false, found {type(value).__name__}.",
    )
