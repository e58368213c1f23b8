"""Answers below a bundle's thresholds: Hexabot must not use them, but other clients can read them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.bundle import MANIFEST, parse_manifest, read_bundle
from handler.errors import BundleError
from handler.predictor import Predictor
from handler.thresholds import Thresholds, softened
from tests.bundles import INTENTS, SURE, Head, edit_manifest, write_bundle, write_standard_bundles
from tests.handler.deployment import Send, deploy, predict
from tests.hexabot_client import understand

UNSURE = Head(name="intent", kind="category", words=INTENTS, logits={"fly": SURE, "hotel": 2.0, "hello": SURE})
"""Of "hotel" it is sure to 0.71; of the other words to 0.99."""


def with_thresholds(bundle: Path, default: float, **by_label: float) -> Path:
    """Add thresholds to the only output of a bundle, as export does."""
    outputs = json.loads((bundle / MANIFEST).read_bytes())["outputs"]
    outputs[0]["thresholds"] = {"default": default, "by_label": by_label}
    edit_manifest(bundle, outputs=outputs)
    return bundle


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=9), st.sampled_from([1.0, 2.0, 4.0]))
def test_softening_divides_the_logits(logits: list[float], softness: float) -> None:
    def softmax(divisor: float) -> list[float]:
        powers = [math.exp((each - max(logits)) / divisor) for each in logits]
        return [each / sum(powers) for each in powers]

    assert softened(softmax(1.0), softness) == pytest.approx(max(softmax(softness)))


def test_softening_distinguishes_one_rival_from_many() -> None:
    """With the same probability, a message for which all other labels are possible is less certain."""
    one_rival, many_rivals = [0.6, 0.4, *[0.0] * 8], [0.6, *[0.4 / 9] * 9]
    thresholds = Thresholds(default=0.4, softness=2.0)
    assert not thresholds.refuses("a", one_rival)
    assert thresholds.refuses("a", many_rivals)
    assert not Thresholds(default=0.4).refuses("a", many_rivals)
    assert softened([1.0, 0.0], 2.0) == 1.0
    assert Thresholds(default=0.0, rejected=["oos"]).refuses("oos", [1.0, 0.0])


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Deploy the three models, with a threshold for the intent."""
    bundles = write_standard_bundles(tmp_path)
    for path in (bundles / "intent").iterdir():
        path.unlink()
    (bundles / "intent").rmdir()
    with_thresholds(write_bundle(bundles / "intent", UNSURE), 0.8)
    return deploy(bundles)


def ask(send: Send, text: str) -> dict[str, Any]:
    answer = predict(send, {"text": text})
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_hexabot_sees_no_intent_below_the_threshold(send: Send) -> None:
    assert understand("fly", ask(send, "fly")).traits["intent"].value == "book_flight"
    understood = understand("hotel in Paris", ask(send, "hotel in Paris"))
    assert set(understood.traits) == {"language"}
    assert [slot.value for slot in understood.slots] == ["Paris"]


def test_an_unsure_answer_is_moved_to_below_threshold(send: Send) -> None:
    intent = ask(send, "hotel")["intent"]
    assert (intent["status"], intent["error"]) == (
        "failed",
        "The model is not confident enough: its answer is below the threshold.",
    )
    assert intent["below_threshold"]["intent_predictions"] == "book_hotel"
    assert intent["below_threshold"]["intent_probability"] == pytest.approx(0.71, abs=0.01)
    assert "predictions" not in intent


@pytest.mark.parametrize(
    ("default", "by_label", "answered"),
    [
        (0.8, {"book_hotel": 0.5}, True),
        (0.5, {"book_hotel": 0.8}, False),
        (0.0, {}, True),
        (1.0, {"greeting": 0}, False),
    ],
    ids=["lower", "higher", "none", "other"],
)
def test_a_label_can_have_its_own_threshold(
    default: float, by_label: dict[str, float], answered: bool, tmp_path: Path
) -> None:
    send = deploy(with_thresholds(write_bundle(tmp_path / "intent", UNSURE), default, **by_label))
    assert (ask(send, "hotel")["intent"]["status"] == "success") is answered


def test_the_other_outputs_of_a_model_are_answered(tmp_path: Path) -> None:
    tagger = Head(name="slots", kind="sequence", words={"Paris": "B-city"})
    send = deploy(with_thresholds(write_bundle(tmp_path / "joint", UNSURE, tagger, name="joint"), 0.8))
    answer = ask(send, "hotel Paris")
    assert set(answer["joint"]["predictions"]) == {"slots_predictions", "slots_probabilities", "slots_probability"}
    assert answer["joint"]["status"] == answer["slots"]["status"] == "success"
    assert answer["joint"]["below_threshold"] == answer["intent"]["below_threshold"]
    assert answer["intent"]["status"] == "failed"
    assert set(ask(send, "fly Paris")["joint"]) == {"predictions", "status"}


UNSURE_LANGUAGE = Head(
    name="language",
    kind="category",
    words={"fly": "en", "voler": "fr", "XK-4471": "fr", "menu": "fr"},
    logits={"fly": 0.1, "voler": SURE},
)
EVIDENCE = {"letters": 16, "words": {"fr": "voler"}, "scripts": {"LATIN": ["en", "fr"]}}


def with_evidence(bundle: Path, default: float) -> Path:
    """Add thresholds and evidence of a language to the first output of a bundle, as export does."""
    with_thresholds(bundle, default)
    outputs = json.loads((bundle / MANIFEST).read_bytes())["outputs"]
    outputs[0]["evidence"] = EVIDENCE
    edit_manifest(bundle, outputs=outputs)
    return bundle


@pytest.mark.parametrize("name", ["language", "language-cnn", "nlu"])
@pytest.mark.parametrize("default", ["en", "fr", "de"])
def test_an_unsure_language_is_not_stored_with_the_subscriber(name: str, default: str, tmp_path: Path) -> None:
    """Hexabot needs a language in every answer, and stores one with a probability of at least 0.1."""
    heads = (UNSURE_LANGUAGE, UNSURE) if name == "nlu" else (UNSURE_LANGUAGE,)
    bundle = with_evidence(write_bundle(tmp_path / "b", *heads, name=name), 0.5)
    send = deploy(bundle, NLU_DEFAULT_LANGUAGE=default)
    for text in ("XK-4471", "menu", "?", "", "👍", "12345", "fly"):
        answer = ask(send, text)
        assert "language" not in understand(text, answer).traits
        assert answer["language"]["predictions"] == {
            "language_predictions": default,
            f"language_probabilities_{default}": 0.0,
            "language_probability": 0.0,
        }
        assert answer[name]["status"] == "success"
        assert answer["language"]["below_threshold"]["language_predictions"] in ("fr", "en", "<UNK>")
        assert answer[name]["predictions"]["language_predictions"] == default
    answer = ask(send, "XK-4471")
    assert answer["language"]["below_threshold"]["language_probabilities_fr"] > 0.9
    assert understand("voler", ask(send, "voler")).traits["language"].value == "fr"
    assert "below_threshold" not in ask(send, "voler")["language"]


def test_other_outputs_of_a_model_called_language_are_never_unsure(tmp_path: Path) -> None:
    head = Head(name="code", kind="category", words={"fly": "en"}, logits={"fly": 0.1})
    send = deploy(with_thresholds(write_bundle(tmp_path / "language", head, name="language"), 0.99))
    assert ask(send, "fly")["language"]["status"] == "success"


def test_a_batch_of_languages_keeps_ludwigs_columns_and_marks_unsure_rows(tmp_path: Path) -> None:
    send = deploy(with_evidence(write_bundle(tmp_path / "language", UNSURE_LANGUAGE), 0.5))
    table = {"columns": ["text"], "data": [["voler"], ["XK-4471"]]}
    found = predict(send, {"dataset": json.dumps(table)}, "/batch_predict").json()["language"]["predictions"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]
    assert [(row["language_predictions"], row["language_below_threshold"]) for row in rows] == [
        ("fr", False),
        ("fr", True),
    ]


def test_golden_rows_and_the_predictor_use_ludwigs_columns(tmp_path: Path) -> None:
    bundle = with_evidence(write_bundle(tmp_path / "language", UNSURE_LANGUAGE), 0.99)
    (columns,) = Predictor(bundle).predict([{"text": "XK-4471"}])
    assert (columns["language_predictions"], columns["language_probability"] > 0.9) == ("fr", True)


def test_a_batch_has_a_column_for_unsure_answers(send: Send) -> None:
    table = {"columns": ["text"], "data": [["fly"], ["hotel"]]}
    answer = predict(send, {"dataset": json.dumps(table)}, "/batch_predict").json()
    found = answer["intent"]["predictions"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]
    assert [(row["intent_predictions"], row["intent_below_threshold"]) for row in rows] == [
        ("book_flight", False),
        ("book_hotel", True),
    ]
    assert "language_below_threshold" not in answer["language"]["predictions"]["columns"]


def test_a_manifest_without_thresholds_has_no_field_for_them(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "intent", UNSURE)
    content = (bundle / MANIFEST).read_bytes()
    assert b"thresholds" not in content
    assert read_bundle(bundle).to_json() == content


@pytest.mark.parametrize("default", [-0.1, 1.1])
def test_a_threshold_must_be_a_probability(default: float, tmp_path: Path) -> None:
    bundle = with_thresholds(write_bundle(tmp_path / "intent", UNSURE), default)
    with pytest.raises(BundleError, match="is not a manifest"):
        parse_manifest((bundle / MANIFEST).read_bytes(), "manifest.json")
