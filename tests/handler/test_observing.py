"""Observers see what each model answered, and never change a response."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from handler.hexabot import Service
from handler.logs import configure
from handler.messages import Answer, Request
from handler.observing import Observation, Observer, observed_rows
from handler.predictor import load_predictors
from handler.routes import Routes
from handler.settings import Settings

SETTINGS = Settings(bundles=(), open=True)


@pytest.fixture(scope="module")
def service(bundles: Path) -> Service:
    return Service(load_predictors([bundles]), SETTINGS)


@pytest.fixture
def log() -> StringIO:
    stream = StringIO()
    configure("INFO", stream)
    return stream


def ask(service: Service, path: str, fields: dict[str, Any], observers: Sequence[Observer]) -> Answer:
    body = json.dumps(fields).encode()
    request = Request("id-1", "POST", path, [], {"content-type": "application/json"}, body)
    return Routes(service, SETTINGS, observers).answer(request)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/predict", {"text": "fly to Paris"}),
        ("/understand", {"text": "fly to Paris"}),
        ("/parse", {"q": "fly to Paris"}),
        ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                  "params": {"name": "understand", "arguments": {"text": "fly to Paris"}}}),
        ("/batch_predict", {"dataset": {"columns": ["text"], "data": [["fly to Paris"]]}}),
    ],
)  # fmt: skip
def test_every_route_shows_its_rows_and_the_verdicts_of_all_models(
    service: Service, path: str, fields: dict[str, Any]
) -> None:
    seen: list[Observation] = []
    answer = ask(service, path, fields, [seen.append])
    (observation,) = seen
    assert (observation.request_id, observation.path, observation.status) == (
        "id-1",
        path,
        answer.status == 200 and 200,
    )
    assert observation.milliseconds > 0
    (row,) = observed_rows(observation.outcome)
    assert "fly to Paris" in row.fields.values()
    verdicts = {(each.model, each.output): each for reading in row.readings for each in reading.verdicts()}
    found = verdicts["intent", "intent"]
    assert found.label == "book_flight"
    assert 0 < found.margin <= found.confidence <= 1
    assert not found.unsure


def test_each_row_of_a_batch_has_its_own_answers(service: Service) -> None:
    seen: list[Observation] = []
    ask(service, "/batch_predict", {"dataset": {"columns": ["text"], "data": [["fly"], ["hello"]]}}, [seen.append])
    rows = observed_rows(seen[0].outcome)
    labels = [
        [each.label for reading in row.readings for each in reading.verdicts() if each.output == "intent"]
        for row in rows
    ]
    assert [row.fields["text"] for row in rows] == ["fly", "hello"]
    assert labels[0][0] == "book_flight"
    assert labels[1][0] == "greeting"


def test_a_tagger_still_has_its_spans_after_hexabots_answer_was_made(service: Service) -> None:
    seen: list[Observation] = []
    ask(service, "/predict", {"text": "fly to  Paris tomorrow"}, [seen.append])
    (row,) = observed_rows(seen[0].outcome)
    spans = [
        (span.name, "fly to  Paris tomorrow"[span.start : span.end])
        for reading in row.readings
        for output in reading.predictor.taggers
        for span in reading.answer.tagged_spans(output)
    ]
    assert ("city", "Paris") in spans
    assert ("date", "tomorrow") in spans


@pytest.mark.parametrize(("path", "fields", "status"), [("/predict", {}, 400), ("/nothing", {}, 404), ("/", {}, 405)])
def test_a_refused_request_is_seen_without_rows(
    service: Service, path: str, fields: dict[str, Any], status: int
) -> None:
    seen: list[Observation] = []
    ask(service, path, fields, [seen.append])
    assert [(each.status, observed_rows(each.outcome)) for each in seen] == [(status, [])]


def test_an_observer_that_fails_changes_no_response_and_stops_no_other(service: Service, log: StringIO) -> None:
    def broken(observation: Observation) -> None:
        raise ValueError(observation.outcome.rows[0]["text"])

    seen: list[Observation] = []
    answer = ask(service, "/predict", {"text": "hello my secret"}, [broken, seen.append])
    assert answer.body == ask(service, "/predict", {"text": "hello my secret"}, []).body
    assert len(seen) == 1
    assert "observer failed" in log.getvalue()
    assert "secret" not in log.getvalue()
