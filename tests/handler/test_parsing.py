"""The requests of Hexabot v2's TensorFlow and core helpers, through the Lambda function."""

import json
from pathlib import Path
from typing import Any

import pytest

from handler.auth import new_token
from handler.vocabulary import EntityWords, Value
from tests.bundles import INTENT, LANGUAGE, TAGGER, give_entities, write_bundle
from tests.handler.deployment import Answer, Send, deploy
from tests.hexabot_client import axios_query, parsed_entities

CITY = EntityWords(name="city", values=[Value(value="New York City", synonyms=["New York"])], keywords=["NYC"])


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Send:
    """Deploy language, intent and slots, with a synonym for the slots."""
    folder = tmp_path_factory.mktemp("parsing")
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(folder / head.name, head)
    give_entities(folder / "slots", CITY)
    return deploy(folder)


def post(send: Send, path: str, body: Any, query: str = "token=") -> Answer:
    """Send JSON as the helpers do, with the token in the query."""
    return send("POST", path, json.dumps(body).encode(), query=query, headers={"content-type": "application/json"})


def test_a_helper_reads_entities_intent_and_language(send: Send) -> None:
    answer = post(send, "/parse", {"q": "fly to  New York, 😀 tomorrow", "project": "current"}).json()
    assert parsed_entities(answer) == [
        ("city", "New"),
        ("date", "tomorrow"),
        ("intent", "book_flight"),
        ("language", "en"),
    ]
    answer = post(send, "/parse", {"q": "😀 fly to New York tomorrow", "project": "current"}).json()
    city = answer["entities"][0]
    assert {key: city[key] for key in ("entity", "value", "start", "end")} == {
        "entity": "city",
        "value": "New York City",
        "start": 10,
        "end": 18,
    }
    assert answer["intent_ranking"][0]["name"] == "book_flight"


def test_unsure_answers_are_left_out(bundles: Path) -> None:
    answer = post(deploy(bundles / "slots"), "/parse", {"q": "Paris"}).json()
    assert "intent" not in answer
    assert answer["language"] == {"name": "en", "confidence": 1.0}
    assert parsed_entities(answer) == [("city", "Paris"), ("language", "en")]


@pytest.mark.parametrize(
    ("body", "message"),
    [({"text": "hello"}, "The field 'q' is missing"), ({"q": None}, "must be a string"), ({"q": ["a"]}, "must be")],
)
def test_a_request_without_a_text_is_refused(send: Send, body: Any, message: str) -> None:
    answer = post(send, "/parse", body)
    assert (answer.status, message in answer.json()["error"]) == (400, True)


def test_an_evaluation_counts_and_lists_the_errors(send: Send) -> None:
    def sample(text: str, intent: str, *entities: tuple[str, str, int, int], language: str = "en") -> dict[str, Any]:
        located = [dict(zip(("entity", "value", "start", "end"), each, strict=True)) for each in entities]
        return {"text": text, "intent": intent, "entities": [*located, {"entity": "language", "value": language}]}

    samples = [
        sample("fly to Paris", "book_flight", ("city", "Paris", 7, 12)),
        sample("hello Paris", "greeting"),
        sample("hotel to", "book_flight", ("city", "hotel", 0, 5)),
    ]
    dataset = {"common_examples": samples, "regex_features": [], "lookup_tables": [], "entity_synonyms": []}
    found = post(send, "/evaluate", dataset).json()
    assert found["samples"] == 3
    assert found["labels"]["intent"] == {"samples": 3, "right": 2, "accuracy": 2 / 3}
    assert found["labels"]["language"] == {"samples": 3, "right": 3, "accuracy": 1.0}
    assert found["entities"] == {"expected": 2, "found": 2, "right": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert [each["sample"]["text"] for each in found["wrong"]] == ["hello Paris", "hotel to"]
    assert found["wrong"][1]["answer"]["intent"]["name"] == "book_hotel"


def test_an_empty_dataset_and_one_without_labels(send: Send) -> None:
    assert post(send, "/evaluate", {"common_examples": []}).json()["entities"]["f1"] == 1.0
    assert post(send, "/evaluate", {"common_examples": [{"text": "a"}]}).status == 400


@pytest.mark.parametrize("body", [{}, {"common_examples": 1}, {"common_examples": [{"text": 1, "intent": "a"}]}])
def test_an_invalid_dataset_is_refused(send: Send, body: Any) -> None:
    answer = post(send, "/evaluate", body)
    assert (answer.status, "The body is not a dataset such as" in answer.json()["error"]) == (400, True)


def test_the_size_of_a_dataset_is_limited(bundles: Path) -> None:
    send = deploy(bundles, NLU_MAX_BATCH_ROWS="2")
    answer = post(send, "/evaluate", {"common_examples": [{"text": "a", "intent": "b"}] * 3})
    assert (answer.status, "3 samples, and the limit is 2" in answer.json()["error"]) == (413, True)


def test_training_is_refused_with_the_command_to_run(send: Send) -> None:
    answer = post(send, "/train", {"common_examples": []})
    assert answer.status == 400
    assert "`ludwig-serverless train nlpsample.json --output bundles`" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/parse", "/evaluate", "/train"])
def test_a_token_is_required(bundles: Path, path: str) -> None:
    token, digest = new_token()
    send = deploy(bundles, NLU_OPEN="0", NLU_TOKEN_DIGESTS=digest)
    body = {"q": "hello", "common_examples": []}
    assert post(send, path, body).status == 401
    assert post(send, path, body, axios_query(token)).status == (400 if path == "/train" else 200)
