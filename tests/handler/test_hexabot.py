"""The contract with Hexabot, through the Lambda function: it can read every answer to what it sends."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bundles import CRASH, INTENT, LANGUAGE, LENGTH, SURE, TAGGER, Head, write_bundle
from tests.handler.deployment import Send, deploy, predict
from tests.hexabot_client import Slot, Trait, Understanding, understand

NAN = Head(name="intent", kind="category", words={"nan": "broken", "fly": "book_flight"}, logits={"nan": float("nan")})
NAN_TAGGER = Head(name="slots", kind="sequence", words={"nan": "B-city"}, logits={"nan": float("nan")})


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots."""
    return deploy(bundles)


def write_breaking(folder: Path, *names: str) -> Path:
    """Write the three models. The named ones fail on a text with the word CRASH."""
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(folder / head.name, head, breaking=head.name in names)
    return folder


def read(send: Send, text: str) -> Understanding:
    """Send a text and read the answer as Hexabot does."""
    answer = predict(send, {"text": text})
    assert answer.status == 200
    return understand(text, answer.json())


def test_hexabot_reads_everything(send: Send) -> None:
    understood = read(send, "fly to New York tomorrow")
    assert {name: trait.value for name, trait in understood.traits.items()} == {
        "language": "en",
        "intent": "book_flight",
    }
    assert [(slot.entity, slot.value, slot.start, slot.end) for slot in understood.slots] == [
        ("city", "New York", 2, 4),
        ("date", "tomorrow", 4, 5),
    ]
    assert all(trait.confidence > 0.9 for trait in understood.traits.values())


@given(text=st.text() | st.text(alphabet="Paris New York fly\t\n", max_size=60))
def test_hexabot_can_read_any_answer(send: Send, text: str) -> None:
    assert set(read(send, text).traits) == {"language", "intent"}


@given(
    words=st.lists(st.sampled_from(["fly", "to", "Paris", "New York", "tomorrow"]), max_size=5),
    space=st.sampled_from([" ", "  ", "   "]),
)
def test_hexabot_finds_slots_with_any_spacing(send: Send, words: list[str], space: str) -> None:
    text = space + space.join(words) + space
    entities = {"Paris": "city", "New York": "city", "tomorrow": "date"}
    found = [(slot.entity, slot.value) for slot in read(send, text).slots]
    assert found == [(entities[word], word) for word in words if word in entities]


def test_the_answer_has_all_of_ludwigs_columns(send: Send) -> None:
    answer = predict(send, {"text": "fly"}).json()
    labels = ["<UNK>", "book_flight", "book_hotel", "greeting"]
    assert set(answer) == {"language", "intent", "slots"}
    assert all(set(result) == {"predictions", "status"} for result in answer.values())
    assert set(answer["intent"]["predictions"]) == {
        *(f"intent_{column}" for column in ("predictions", "probabilities", "probability")),
        *(f"intent_probabilities_{label}" for label in labels),
    }
    assert set(answer["slots"]["predictions"]) == {
        "slots_predictions",
        "slots_probabilities",
        "slots_probability",
    }


def test_the_confidence_of_a_slot_is_that_of_its_least_certain_word(tmp_path: Path) -> None:
    words = {"New": "B-city", "York": "I-city", "Paris": "B-city"}
    unsure = Head(name="slots", kind="sequence", words=words, logits={"New": SURE, "York": 2.5, "Paris": 0.5})
    send = deploy(write_bundle(tmp_path / "slots", unsure))
    assert read(send, "Paris").slots == []
    (slot,) = read(send, "New York").slots
    probabilities = predict(send, {"text": "New York"}).json()["slots"]["predictions"]["slots_probabilities"]
    assert probabilities[1] == probabilities[2] == slot.confidence < 0.8
    assert slot == Slot("city", "New York", slot.confidence, 0, 2)


@pytest.mark.parametrize("text", ["", " ", "a " * 400, "😀", "\0", "مرحبا إلى عمان", "a\r\nb"], ids=ascii)
def test_awkward_texts_are_answered(send: Send, text: str) -> None:
    answer = predict(send, {"text": text}).json()
    columns = answer["slots"]["predictions"]
    assert len(columns["slots_predictions"]) == len(columns["slots_probabilities"]) == len(text.split(" ")) + 2
    assert understand(text, answer).traits["language"].value in ("<UNK>", "ar")


def test_a_long_text_is_tagged_up_to_the_models_length(send: Send) -> None:
    text = "Paris " * 30
    assert [slot.start for slot in read(send, text.strip()).slots] == list(range(LENGTH - 1))


@pytest.mark.parametrize(
    ("environ", "language"), [({}, "en"), ({"NLU_DEFAULT_LANGUAGE": "fr"}, "fr")], ids=["default", "set"]
)
def test_without_a_language_model_the_default_language_is_answered(
    bundles: Path, environ: dict[str, str], language: str
) -> None:
    send = deploy(bundles / "intent", **environ)
    assert read(send, "fly").traits["language"] == Trait(language, 1.0)
    assert predict(send, {"text": "fly"}).json()["language"]["fallback"] is True


@pytest.mark.parametrize(
    "failing", [["language"], ["intent"], ["slots"], ["language", "intent", "slots"]], ids=" ".join
)
def test_a_failed_model_does_not_affect_the_others(tmp_path: Path, failing: Sequence[str]) -> None:
    send = deploy(write_breaking(tmp_path, *failing), NLU_DEFAULT_LANGUAGE="fr")
    text = f"bonjour  hotel Paris {CRASH}"
    answer = predict(send, {"text": text}).json()
    understood = understand(text, answer)
    assert answer["language"]["predictions"]["language_predictions"] == "fr"
    assert ("language" in understood.traits) == ("language" not in failing)
    assert ("intent" in understood.traits) == ("intent" not in failing)
    assert [slot.value for slot in understood.slots] == ([] if "slots" in failing else ["Paris"])
    for name in failing:
        assert answer[name]["error"] == "The model failed: see the service's log for the details."
        assert answer[name].get("fallback", answer[name]["status"]) == ("failed" if name == "intent" else True)
    assert read(send, "fly to Paris").traits["language"].value == "en"


def test_a_joint_model_answers_under_the_names_that_hexabot_reads(tmp_path: Path) -> None:
    send = deploy(write_bundle(tmp_path / "nlu", LANGUAGE, INTENT, TAGGER, name="nlu", breaking=True))
    understood = read(send, "hello  Paris")
    assert {name: trait.value for name, trait in understood.traits.items()} == {"language": "en", "intent": "greeting"}
    assert [slot.value for slot in understood.slots] == ["Paris"]
    answer = predict(send, {"text": "hello"}).json()
    assert set(answer) == {"nlu", "language", "intent", "slots"}
    assert answer["nlu"]["predictions"] == {
        **answer["language"]["predictions"],
        **answer["intent"]["predictions"],
        **answer["slots"]["predictions"],
    }


def test_a_failed_joint_model_gets_fallbacks(tmp_path: Path) -> None:
    send = deploy(write_bundle(tmp_path / "nlu", LANGUAGE, INTENT, TAGGER, name="nlu", breaking=True))
    assert read(send, f"fly  to {CRASH}") == Understanding({}, [])
    assert predict(send, {"text": CRASH}).json()["nlu"]["status"] == "failed"


def test_the_fallback_for_slots_has_a_tag_for_each_word_of_the_tagged_column(tmp_path: Path) -> None:
    send = deploy(write_bundle(tmp_path / "slots", TAGGER, column="words", breaking=True))
    for fields in ({"words": f"a {CRASH} b", "text": "a"}, {"text": f"a {CRASH} b"}):
        answer = predict(send, fields).json()["slots"]
        assert (answer["fallback"], answer["predictions"]["slots_predictions"]) == (
            True,
            ["<SOS>", "O", "O", "O", "<EOS>"],
        )


def test_a_failed_joint_model_does_not_replace_other_answers(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a", LANGUAGE)
    write_bundle(tmp_path / "b", TAGGER)
    write_bundle(tmp_path / "c", LANGUAGE, TAGGER, INTENT, name="nlu", breaking=True)
    understood = read(deploy(tmp_path), f"vers Paris {CRASH}")
    assert understood.traits["language"].value == "fr"
    assert [slot.value for slot in understood.slots] == ["Paris"]


def test_a_language_output_counts_whatever_the_model_is_called(tmp_path: Path) -> None:
    send = deploy(write_bundle(tmp_path / "cnn", LANGUAGE, name="language-cnn", breaking=True))
    assert read(send, "bonjour").traits["language"].value == "fr"
    assert "language" not in read(send, f"bonjour {CRASH}").traits


def test_a_failed_model_called_language_falls_back_to_the_default(tmp_path: Path) -> None:
    code = Head(name="code", kind="category", words={"bonjour": "fr"})
    send = deploy(write_bundle(tmp_path / "cnn", code, name="language", breaking=True))
    answer = predict(send, {"text": f"bonjour {CRASH}"}).json()["language"]
    assert (answer["status"], answer["predictions"]["language_predictions"]) == ("success", "en")
    assert answer["predictions"]["language_probabilities_en"] == 0


@pytest.mark.parametrize("head", [NAN, NAN_TAGGER], ids=["category", "tagger"])
def test_no_answer_contains_nan(tmp_path: Path, head: Head) -> None:
    send = deploy(write_bundle(tmp_path / head.name, head))
    answer = predict(send, {"text": "nan"})
    assert b"NaN" not in answer.body
    assert b"Infinity" not in answer.body
    assert b"null" not in answer.body
    assert understand("nan", answer.json()).traits["language"].value == "en"
    assert "error" in answer.json()[head.name]


@pytest.mark.parametrize("field", ["text", "utterance"])
def test_a_model_with_one_input_of_another_name_reads_the_field_text(tmp_path: Path, field: str) -> None:
    write_bundle(tmp_path / "slots", TAGGER, column="utterance", breaking=True)
    send = deploy(tmp_path)
    answer = predict(send, {field: "fly  to Paris"})
    assert [slot.value for slot in understand("fly  to Paris", answer.json()).slots] == ["Paris"]
    understood = read(send, f"Paris {CRASH}")
    assert understood.slots == []


def test_an_inputs_own_field_wins_over_the_field_text(tmp_path: Path) -> None:
    send = deploy(write_bundle(tmp_path / "intent", INTENT, column="utterance"))
    answer = predict(send, {"text": "fly", "utterance": "hotel"}).json()
    assert answer["intent"]["predictions"]["intent_predictions"] == "book_hotel"


def test_a_missing_value_is_filled_in_or_refused_by_each_model(tmp_path: Path) -> None:
    write_bundle(tmp_path / "intent", INTENT, fill_value="fly")
    write_bundle(tmp_path / "slots", TAGGER)
    body = json.dumps({"text": None}).encode()
    answer = deploy(tmp_path)("POST", "/predict", body, headers={"content-type": "application/json"})
    assert answer.status == 200
    assert understand("", answer.json()).traits["intent"].value == "book_flight"
    assert answer.json()["slots"]["error"] == "'text' is missing, and the model has no fill value for it."


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("intent", {"intent"}),
        ("intent,slots", {"intent", "slots"}),
        (" slots , intent ,slots", {"intent", "slots"}),
        ("language", {"language"}),
    ],
)
def test_the_field_model_chooses_the_models(send: Send, model: str, names: set[str]) -> None:
    answer = predict(send, {"text": "fly", "model": model})
    assert (answer.status, set(answer.json())) == (200, names)


@pytest.mark.parametrize("path", ["/predict", "/batch_predict"])
def test_an_unknown_model_is_refused_as_in_multi_serve(send: Send, path: str) -> None:
    dataset = '{"columns": ["text"], "data": []}'
    answer = predict(send, {"text": "fly", "model": "intent,no, such", "dataset": dataset}, path)
    assert answer.status == 400
    available = "Available models: ['intent', 'language', 'slots']."
    assert answer.json()["error"] == f"Invalid model names: ['no', 'such']. {available}"


@pytest.mark.parametrize("model", [[], ["x"], 5, [1], {}], ids=repr)
def test_invalid_model_names_are_refused(send: Send, model: Any) -> None:
    body = json.dumps({"text": "fly", "model": model}).encode()
    assert send("POST", "/predict", body, headers={"content-type": "application/json"}).status == 400
