"""Batches: a table of texts goes in and a table for each model comes out, in pandas' "split" orientation."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundles import CRASH, INTENT, TAGGER, write_bundle
from tests.handler.deployment import Answer, Send, deploy, predict

TABLE = {"columns": ["text"], "data": [["fly to Paris"], ["  hotel"], [""]]}


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots, with a small limit."""
    return deploy(bundles, NLU_MAX_BATCH_ROWS="5")


def batch(send: Send, dataset: Any, **fields: str) -> Answer:
    """Send a table as a form field, as users of multi_serve.py do."""
    text = dataset if isinstance(dataset, str) else json.dumps(dataset)
    return predict(send, {"dataset": text, **fields}, "/batch_predict")


def records(predictions: dict[str, Any]) -> list[dict[str, Any]]:
    """Read a table as pandas does with `orient="split"`."""
    assert set(predictions) == {"index", "columns", "data"}
    return [dict(zip(predictions["columns"], row, strict=True)) for row in predictions["data"]]


def test_each_model_answers_with_a_table(send: Send) -> None:
    answer = batch(send, TABLE)
    assert answer.status == 200
    assert {name: result["status"] for name, result in answer.json().items()} == dict.fromkeys(
        ["language", "intent", "slots"], "success"
    )
    assert answer.json()["intent"]["predictions"]["index"] == [0, 1, 2]
    intents = [row["intent_predictions"] for row in records(answer.json()["intent"]["predictions"])]
    assert intents[:2] == ["book_flight", "book_hotel"]


def test_a_batch_answers_as_single_requests_do(send: Send) -> None:
    answers = batch(send, TABLE).json()
    for number, (text,) in enumerate(TABLE["data"]):
        single = predict(send, {"text": text}).json()
        for name, result in answers.items():
            assert records(result["predictions"])[number] == single[name]["predictions"]


@pytest.mark.parametrize("index", [[7, 8, 9], ["a", "b", "a"], [2**70, -1, 0]], ids=["numbers", "names", "huge"])
def test_the_index_is_returned(send: Send, index: list[Any]) -> None:
    answer = batch(send, {**TABLE, "index": index}, model="intent")
    assert list(answer.json()) == ["intent"]
    assert answer.json()["intent"]["predictions"]["index"] == index


def test_a_table_can_be_plain_json(send: Send) -> None:
    body = json.dumps({"dataset": TABLE, "model": ["slots"]}).encode()
    answer = send("POST", "/batch_predict", body, headers={"content-type": "application/json"})
    (_, hotel, empty) = records(answer.json()["slots"]["predictions"])
    assert hotel["slots_predictions"] == ["<SOS>", "O", "O", "O", "<EOS>"]
    assert empty["slots_predictions"] == ["<SOS>", "O", "<EOS>"]


def test_an_empty_table_has_an_empty_answer(send: Send) -> None:
    answer = batch(send, {"columns": ["text"], "data": []})
    assert answer.json()["intent"] == {
        "predictions": {"index": [], "columns": [], "data": []},
        "status": "success",
    }


def test_a_failed_model_does_not_affect_the_others_in_a_batch(tmp_path: Path) -> None:
    write_bundle(tmp_path / "intent", INTENT, breaking=True)
    write_bundle(tmp_path / "slots", TAGGER, column="utterance")
    answer = batch(deploy(tmp_path), {"columns": ["text"], "data": [["Paris"], [CRASH]]}).json()
    assert answer["intent"] == {"error": "The model failed: see the service's log for the details.", "status": "failed"}
    assert records(answer["slots"]["predictions"])[0]["slots_predictions"] == ["<SOS>", "B-city", "<EOS>"]


@pytest.mark.parametrize(
    ("dataset", "status", "message"),
    [
        ("", 400, "The field 'dataset' is not a table such as"),
        ("nonsense", 400, "The field 'dataset' is not a table such as"),
        ("[]", 400, "Expected `object`, got `array`"),
        ({"data": [["a"]]}, 400, "missing required field `columns`"),
        ({"columns": ["text"]}, 400, "missing required field `data`"),
        ({"columns": ["text"], "data": ["a"]}, 400, "Expected `array`, got `str`"),
        ({"columns": ["text"], "data": {"text": ["a"]}}, 400, "Expected `array`, got `object`"),
        ({"columns": ["text"], "data": [["a"], ["b", "c"]]}, 400, "Row 1 of the dataset has 2 values, but there are 1"),
        ({**TABLE, "index": [1]}, 400, "The dataset has 3 rows, but its index has 1 entries."),
        ({"columns": ["text"], "data": [["a"]] * 6}, 413, "The batch has 6 rows, and the limit is 5: send several"),
        ({"columns": ["words"], "data": [["a"]]}, 400, "reads ['text'], but the request lacks ['text']."),
        ({"columns": ["text"], "data": [[5]]}, 400, "'text' must be a string, found int."),
        ({"columns": ["text"], "data": [["x" * 10_001]]}, 413, "A text has 10001 characters, and the limit is 10000"),
    ],
    ids=lambda value: None if isinstance(value, int) else str(value)[:30],
)
def test_malformed_tables_are_refused(send: Send, dataset: Any, status: int, message: str) -> None:
    answer = batch(send, dataset)
    assert answer.status == status
    assert message in answer.json()["error"]


@pytest.mark.parametrize("dataset", [5, [], {"columns": "text", "data": []}, "\ud800"], ids=repr)
def test_json_values_that_are_not_tables_are_refused(send: Send, dataset: Any) -> None:
    body = json.dumps({"dataset": dataset}).encode()
    assert send("POST", "/batch_predict", body, headers={"content-type": "application/json"}).status == 400


def test_a_batch_without_a_table_is_refused(send: Send) -> None:
    answer = predict(send, {"text": "fly"}, "/batch_predict")
    assert answer.status == 400
    assert answer.json()["error"].startswith("The field 'dataset' is missing: send a table such as")
