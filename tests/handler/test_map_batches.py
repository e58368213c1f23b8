"""Batches of Step Functions' Distributed Map: the answers of `batch`, within Step Functions' limits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.auth import digest
from handler.logs import configure
from tests.bundles import CRASH, INTENT, write_bundle
from tests.handler.deployment import environment, lambda_handler, run_python
from tests.hexabot_client import http_api_event, rest_api_event

Handler = Callable[[Any, Any], Any]
COMPACT = {"answer": "compact", "text_column": "text", "keep": "id", "columns": "", "format": "CSV"}


def batch_event(items: Any, **changes: Any) -> dict[str, Any]:
    return {"BatchInput": {"ludwig_serverless_batch": 1, **COMPACT, **changes}, "Items": items}


@pytest.fixture(scope="module")
def handler(bundles: Path) -> Handler:
    return lambda_handler(bundles, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest("a token"))


def test_every_item_is_answered_in_order_with_its_kept_columns(handler: Handler) -> None:
    items = [{"id": str(number), "text": text} for number, text in enumerate(["fly to Paris", "bonjour", ""])]
    rows = handler(batch_event(items), None)["rows"]
    assert [row["id"] for row in rows] == ["0", "1", "2"]
    assert rows[0] == {
        "id": "0",
        "predicted_intent": "book_flight",
        "predicted_intent_confidence": pytest.approx(0.99, abs=0.02),
        "predicted_language": "en",
        "predicted_language_confidence": pytest.approx(0.99, abs=0.02),
        "predicted_entities": [
            {
                "entity": "city",
                "value": "Paris",
                "canonical_value": "Paris",
                "start": 7,
                "end": 12,
                "confidence": pytest.approx(0.98, abs=0.03),
                "source": "model",
            }
        ],
        "predicted_traits": "{}",
        "below_threshold": "{}",
    }


def test_columns_and_the_text_column_are_chosen(handler: Handler) -> None:
    chosen = {"text_column": "message", "keep": "*", "columns": "predicted_intent, predicted_language"}
    rows = handler(batch_event([{"n": 7, "message": "hotel"}], **chosen), None)["rows"]
    assert rows == [
        {
            "n": 7,
            "message": "hotel",
            "predicted_intent": "book_hotel",
            "predicted_language": rows[0]["predicted_language"],
        }
    ]
    ludwig = handler(batch_event([{"text": "hotel"}], answer="ludwig", keep=""), None)["rows"]
    assert {"intent_predictions", "intent_probabilities", "slots_predictions"} <= set(ludwig[0])


def test_values_of_json_lines_become_text_as_in_batch(handler: Handler) -> None:
    items = [{"id": 1, "text": "fly"}, {"id": {"a": [True]}, "text": "fly"}, {"text": "fly"}]
    kept = {"columns": "predicted_intent"}
    assert [row["id"] for row in handler(batch_event(items, format="JSONL", **kept), None)["rows"]] == [
        "1", '{"a":[true]}', None,
    ]  # fmt: skip
    assert [row["id"] for row in handler(batch_event(items, format="PARQUET", **kept), None)["rows"]] == [
        1, {"a": [True]}, None,
    ]  # fmt: skip


def test_a_bad_row_has_a_reason_and_the_others_are_answered(tmp_path: Path) -> None:
    handler = lambda_handler(write_bundle(tmp_path / "intent", INTENT, breaking=True))
    items = [{"id": number, "text": text} for number, text in enumerate(["fly", CRASH, None, "x" * 20_000, "hello"])]
    items.append({"id": "\ud800", "text": "fly"})
    rows = handler(batch_event(items, columns="predicted_intent"), None)["rows"]
    assert [row.get("predicted_intent") for row in rows] == ["book_flight", None, None, None, "greeting", None]
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4, None]
    assert ["error" in row for row in rows] == [False, True, True, True, False, True]
    assert "20000 characters" in rows[3]["error"]
    assert "'id'" in rows[5]["error"]


def test_one_line_is_logged_without_texts(handler: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    handler(batch_event([{"id": "a", "text": "fly"}, {"id": "b", "text": None}]), None)
    handler(batch_event([{"id": "a"}]), None)
    first, second = map(json.loads, capsys.readouterr().out.splitlines()[-2:])
    assert (first["message"], first["rows"], first["failed_rows"]) == ("batch", 2, 1)
    assert (second["level"], second["message"]) == ("WARNING", "batch refused")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (batch_event([{"id": "a", "message": "fly"}]), "no column 'text': it has id, message. Name"),
        (batch_event([{"text": "fly"}]), "no column 'id'"),
        (batch_event([{"id": 1, "text": "fly"}], columns="intent"), "no column 'intent': choose from predicted_intent"),
        (batch_event([{"predicted_intent": 1, "text": "fly"}], keep="*"), "leave it out of the input's columns"),
        (batch_event([{"error": 1, "text": "fly"}], keep="*"), "The answer has a column 'error'"),
        (batch_event([{"id": 1, "text": "fly"}], answer="long"), "The batch cannot be read: Invalid enum value 'long'"),
        (batch_event([{"id": 1, "text": "fly"}], speed="high"), "unknown field `speed`"),
        (batch_event(["fly"]), "Expected `object`, got `str`"),
        (batch_event([], ludwig_serverless_batch=2), "The batch has version 2, and this function reads version 1"),
    ],
)  # fmt: skip
def test_a_batch_that_cannot_be_answered_as_a_whole_says_why(handler: Handler, event: Any, reason: str) -> None:
    answer = handler(event, None)
    assert list(answer) == ["error"]
    assert reason in answer["error"]


def test_answers_over_step_functions_limit_are_refused_with_a_number_that_fits(handler: Handler) -> None:
    items = [{"id": number, "text": "فندق في عمان"} for number in range(1000)]
    error = handler(batch_event(items), None)["error"]
    assert "Step Functions accepts 262144: lower RowsPerBatch to " in error
    fitting = int(error.partition("RowsPerBatch to ")[2].partition(",")[0])
    assert 100 < fitting < 1000
    assert len(json.dumps(handler(batch_event(items[:fitting]), None))) <= 262_144
    huge = handler(batch_event([{"id": "x" * 300_000, "text": "fly"}]), None)["error"]
    assert "262144: choose fewer columns with Keep and Columns" in huge


@pytest.mark.parametrize("sender", [http_api_event, rest_api_event])
def test_an_http_request_is_never_a_batch(handler: Handler, sender: Callable[..., dict[str, Any]]) -> None:
    batch = batch_event([{"id": 1, "text": "fly"}])
    request = sender("POST", "/understand", json.dumps(batch).encode(), headers={"content-type": "application/json"})
    assert handler(request, None)["statusCode"] == 401
    assert handler({**request, **batch}, None)["statusCode"] == 401
    assert handler({**batch, "requestContext": {}}, None)["statusCode"] == 400
    assert handler({**batch, "BatchInput": {"other": 1}}, None)["statusCode"] == 400


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "error"]), inner),
)


@given(
    items=st.lists(st.dictionaries(st.sampled_from(["id", "text"]), values), max_size=3) | values,
    changes=st.dictionaries(st.sampled_from([*COMPACT, "ludwig_serverless_batch"]), values, max_size=1),
)
def test_no_batch_raises(handler: Handler, items: Any, changes: dict[str, Any]) -> None:
    answer = handler(batch_event(items, **changes), None)
    json.dumps(answer, ensure_ascii=False).encode()
    assert list(answer) in (["rows"], ["error"])
    if "rows" in answer:
        assert len(answer["rows"]) == len(items)


def test_only_a_batch_loads_the_code_for_batches(bundles: Path) -> None:
    code = """
import json, sys
from handler.entrypoint import lambda_handler
for event in map(json.loads, sys.argv[1:]):
    lambda_handler(event, None)
    print(json.dumps([name for name in ("handler.bulk", "handler.map_batches") if name in sys.modules]))
"""
    events = [http_api_event("GET", "/"), batch_event([{"id": 1, "text": "fly"}])]
    finished = run_python("-c", code, *map(json.dumps, events), **environment(bundles, NLU_LOG_LEVEL="WARNING"))
    assert finished.returncode == 0, finished.stderr
    assert list(map(json.loads, finished.stdout.splitlines())) == [[], ["handler.bulk", "handler.map_batches"]]
