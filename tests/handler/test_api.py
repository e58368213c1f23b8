"""The HTTP surface, through the Lambda function and API Gateway's events."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from handler.api import create_app
from handler.hexabot import Fields, Outcome, Service
from handler.logs import configure
from handler.routes import Routes
from handler.settings import Settings
from tests.handler.deployment import Answer, LambdaContext, Send, deploy, invoke, lambda_handler, predict
from tests.hexabot_client import http_api_event, multipart, rest_api_event, understand

JSON = {"content-type": "application/json"}
TEXT = "bonjour, fly to Paris 😀"


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots without tokens."""
    return deploy(bundles)


def is_understood(answer: Answer) -> bool:
    """Return whether Hexabot reads TEXT's answer, slots included."""
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return [slot.value for slot in understand(TEXT, answer.json()).slots] == ["Paris"]


@pytest.mark.parametrize("is_base64", [True, False], ids=["base64", "raw"])
@pytest.mark.parametrize("stage", ["$default", "prod", "predict"])
def test_an_http_api_request_is_answered(bundles: Path, stage: str, is_base64: bool) -> None:
    content_type, body = multipart({"text": TEXT})
    headers = {"content-type": content_type}
    event = http_api_event("POST", "/predict", body, headers=headers, stage=stage, is_base64=is_base64)
    assert is_understood(invoke(lambda_handler(bundles), event))


@pytest.mark.parametrize("is_base64", [True, False], ids=["base64", "raw"])
def test_a_rest_api_request_is_answered(bundles: Path, is_base64: bool) -> None:
    content_type, body = multipart({"text": TEXT})
    headers = {"content-type": content_type}
    event = rest_api_event("POST", "/predict", body, query={"token": "a b"}, headers=headers, is_base64=is_base64)
    assert is_understood(invoke(lambda_handler(bundles), event))


@pytest.mark.parametrize("path", ["/", ""])
def test_health_at_the_root_of_a_stage(bundles: Path, path: str) -> None:
    handler = lambda_handler(bundles)
    expected = {"message": "Ludwig server is up", "models": ["intent", "language", "slots"]}
    assert invoke(handler, http_api_event("GET", path, stage="prod")).json() == expected
    assert invoke(handler, rest_api_event("GET", "/")).json() == expected


def test_a_path_that_only_starts_like_the_stage_is_not_shortened(bundles: Path) -> None:
    event = http_api_event("POST", "uction/predict", stage="")
    event["requestContext"]["stage"] = "prod"
    event["requestContext"]["http"]["path"] = "/production/predict"
    assert invoke(lambda_handler(bundles), event).status == 404


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps({"text": TEXT}).encode()),
        ("application/json", json.dumps({"text": TEXT, "model": ["language", "slots"]}).encode()),
        ("application/x-www-form-urlencoded", b"text=bonjour,+fly+to+Paris+%F0%9F%98%80"),
        multipart({"text": TEXT, "model": "slots,language"}),
    ],
    ids=["json", "json with models", "urlencoded", "multipart with models"],
)
def test_every_kind_of_body_is_read(send: Send, content_type: str, body: bytes) -> None:
    assert is_understood(send("POST", "/predict", body, headers={"content-type": content_type}))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/predict/more", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/predict", 405),
        ("DELETE", "/batch_predict", 405),
        ("POST", "/", 405),
        ("OPTIONS", "/predict", 405),
    ],
)
def test_other_paths_and_methods_are_answered_in_json(send: Send, method: str, path: str, status: int) -> None:
    answer = send(method, path)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    reason = "Not Found" if status == 404 else "Method Not Allowed"
    assert answer.json()["error"].startswith(
        f"{reason}: the routes are GET /, /models and POST /predict, /batch_predict, /und"
    )
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("fields", [{}, {"words": "fly"}, {"model": "intent"}], ids=["nothing", "another", "model"])
def test_a_request_without_text(send: Send, fields: Mapping[str, str]) -> None:
    answer = send("POST", "/predict", json.dumps(fields).encode(), headers=JSON)
    assert answer.status == 400
    assert "reads ['text'], but the request lacks ['text']. Send 'text' as a form field" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/predict"])
def test_every_answer_has_lambdas_request_id(send: Send, path: str) -> None:
    answer = send("GET", path)
    assert answer.headers["x-request-id"] == LambdaContext().aws_request_id
    assert answer.json().get("request_id", LambdaContext().aws_request_id) == LambdaContext().aws_request_id


def test_without_lambda_each_request_gets_its_own_id(bundles: Path) -> None:
    handler = lambda_handler(bundles)
    ids = {handler(http_api_event("GET", "/"), None)["headers"]["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("base", ["/nlu", "nlu/", "/bots/nlu"])
@pytest.mark.parametrize("path", ["/predict", "/predict/", "/predict//"])
def test_a_custom_domain_can_add_a_base_path(bundles: Path, base: str, path: str) -> None:
    handler = lambda_handler(bundles, NLU_BASE_PATH=base)
    content_type, body = multipart({"text": TEXT})
    for make in (http_api_event, rest_api_event):
        for prefix in ("/" + base.strip("/"), ""):
            headers = {"content-type": content_type}
            assert is_understood(invoke(handler, make("POST", prefix + path, body, headers=headers)))
        for root in ("/" + base.strip("/"), "/" + base.strip("/") + "/", "/"):
            assert invoke(handler, make("GET", root)).status == 200
        assert invoke(handler, make("POST", "/" + base.strip("/") + "x/predict")).status == 404


def test_a_base_path_can_follow_a_stage(bundles: Path) -> None:
    handler = lambda_handler(bundles, NLU_BASE_PATH="/nlu")
    assert invoke(handler, http_api_event("GET", "/nlu/", stage="prod")).status == 200


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_trailing_slashes_are_ignored(send: Send, slashes: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    content_type, body = multipart({"text": TEXT})
    assert is_understood(send("POST", f"/predict{slashes}", body, headers={"content-type": content_type}))
    assert json.loads(capsys.readouterr().out)["path"] == "/predict"


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/predict", 405), ("/nothing", 404)])
def test_head_answers_like_get_without_a_body(send: Send, path: str, status: int) -> None:
    get, head = send("GET", path), send("HEAD", path)
    assert (head.status, head.body) == (get.status, b"") == (status, b"")
    assert head.headers == get.headers


class BrokenService(Service):
    """A service with a bug whose error message quotes the utterance."""

    def predict(self, fields: Fields) -> Outcome:
        """Fail outside of any model."""
        raise ZeroDivisionError(f"cannot divide {fields['text']!r}")


def test_an_unexpected_error_is_a_json_500(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(bundles=(), open=True)
    handler = Mangum(create_app(Routes(BrokenService({}, settings), settings)), lifespan="off")

    def send(method: str, path: str, body: bytes = b"", **event: Any) -> Answer:
        return invoke(handler, http_api_event(method, path, body, **event))

    answer = predict(send, {"text": TEXT})
    assert (answer.status, answer.headers["content-type"]) == (500, "application/json")
    assert answer.json() == {
        "error": "Internal error: find this request_id in the service's log for the details.",
        "request_id": LambdaContext().aws_request_id,
    }
    captured = capsys.readouterr()
    assert "Paris" not in captured.out + captured.err


ORIGIN = {"origin": "https://chat.example"}
PREFLIGHT = {**ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}


def test_pages_of_an_allowed_origin_may_call(bundles: Path) -> None:
    send = deploy(bundles / "intent", NLU_CORS_ORIGINS="https://chat.example", NLU_OPEN="", NLU_TOKEN_DIGESTS="0" * 64)
    answer = send("OPTIONS", "/predict", headers=PREFLIGHT)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "x-api-key"
    refusal = send("POST", "/predict", headers=ORIGIN)
    assert (refusal.status, refusal.headers["access-control-allow-origin"]) == (401, "https://chat.example")


def test_pages_of_other_origins_may_not_call(bundles: Path, send: Send) -> None:
    chosen = deploy(bundles / "intent", NLU_CORS_ORIGINS="https://other.example")
    assert "access-control-allow-origin" not in chosen("OPTIONS", "/predict", headers=PREFLIGHT).headers
    assert "access-control-allow-origin" not in send("GET", "/", headers=ORIGIN).headers
