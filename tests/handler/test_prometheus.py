"""`GET /metrics` of a server, as Prometheus reads it."""

import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from handler.auth import new_token
from handler.hexabot import load_service
from handler.messages import Request
from handler.observers import observe
from handler.routes import Routes
from handler.settings import Settings
from tests.bundles import CRASH, INTENT, LANGUAGE, give_expected, write_bundle
from tests.handler.deployment import served

TOKEN, DIGEST = new_token()
LABELS = {"book_flight": 60, "book_hotel": 30, "greeting": 30}
Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_bundle(folder / "language", LANGUAGE)
    give_expected(write_bundle(folder / "intent", INTENT, breaking=True), LABELS, [0.5, 0.9], [10, 10, 100])
    return folder


@pytest.fixture
def routes(places: Path) -> Routes:
    settings = Settings(bundles=(str(places),), open=True, metrics="drift")
    service = load_service(settings)
    observing = observe(service, settings, {})
    return Routes(service, settings, observing.observers, exposition=observing.exposition)


def ask(routes: Routes, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    routes.answer(Request("id", "POST", "/predict", [], {"content-type": "application/json"}, body))


def samples(text: str) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield each sample: its name and the values of its labels, in the order of the labels' names; and its value."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (sample.name, *(value for _, value in sorted(sample.labels.items()))), sample.value


def read(routes: Routes) -> Samples:
    answer = routes.answer(Request("id", "GET", "/metrics", [], {}))
    assert answer.status == 200
    return dict(samples(answer.body.decode()))


def test_everything_is_counted(routes: Routes) -> None:
    for text in ("fly to Paris", "hello", f"fly {CRASH}"):
        ask(routes, text)
    found = read(routes)
    assert found["nlu_requests_total", "/predict", "200"] == 3
    assert found["nlu_request_seconds_count", "/predict"] == 3
    assert found["nlu_model_seconds_count", "intent"] == 3
    assert 0 < found["nlu_model_seconds_sum", "intent"] < 10
    assert found["nlu_failures_total", "intent"] == 1
    assert found["nlu_failures_total", "language"] == found["nlu_fallbacks_total", "language"] == 0
    assert found["nlu_labels_total", "book_flight", "intent", "intent"] == 1
    assert found["nlu_labels_total", "greeting", "intent", "intent"] == 1
    assert found["nlu_confidence_count", "intent", "intent"] == 2
    assert found["nlu_confidence_bucket", "0.9", "intent", "intent"] == 0
    assert found["nlu_confidence_bucket", "1.0", "intent", "intent"] == 2


def test_an_unknown_path_is_not_a_label(routes: Routes) -> None:
    routes.answer(Request("id", "GET", "/my-secret", [], {}))
    assert read(routes)["nlu_requests_total", "unknown", "404"] == 1


def test_the_drift_of_the_latest_messages_is_a_gauge(routes: Routes) -> None:
    draw = random.Random(1)
    ask(routes, "fly")
    assert not [name for name in read(routes) if name[0] == "nlu_psi"]
    for _ in range(400):
        ask(routes, draw.choices(["fly", "hotel", "hello"], [60, 30, 30])[0])
    assert read(routes)["nlu_psi", "labels", "intent", "intent"] < 0.1
    for _ in range(400):
        ask(routes, "hotel")
    assert read(routes)["nlu_psi", "labels", "intent", "intent"] > 0.25


def test_a_server_exposes_metrics_to_those_with_a_token(places: Path) -> None:
    with served([places], NLU_TOKEN_DIGESTS=DIGEST) as port:
        address = f"http://127.0.0.1:{port}/metrics"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address)
        refused.value.close()
        assert refused.value.code == 401
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=")
            found = dict(samples(answer.read().decode()))
        assert found["nlu_requests_total", "/metrics", "401"] == 1
        assert found["process_resident_memory_bytes",] > 0
        request.add_header("accept", "application/openmetrics-text; version=1.0.0")
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["content-type"].startswith("application/openmetrics-text")
            assert answer.read().endswith(b"# EOF\n")


@pytest.mark.parametrize("metrics", ["off", ""])
def test_a_server_without_metrics_has_no_such_route(places: Path, metrics: str) -> None:
    environ = {"NLU_METRICS": metrics} if metrics else {}
    with served([places], "--open", **environ) as port:
        address = f"http://127.0.0.1:{port}/metrics"
        if not metrics:
            urllib.request.urlopen(address).close()
            return
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address)
        refused.value.close()
        assert refused.value.code == 404
