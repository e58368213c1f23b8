"""Events of every kind and shape: every one is answered and none raises."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.auth import digest
from handler.logs import configure
from tests.bundles import INTENT, Head, write_bundle
from tests.handler.deployment import lambda_handler
from tests.hexabot_client import http_api_event, rest_api_event

TOKEN = "a token"
UTTERANCE = "zebra"
BODY = b'{"text": "hello"}'
JSON = {"content-type": "application/json"}
Handler = Callable[[Any, Any], Any]

SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "region": "eu-west-1",
    "resources": ["arn:aws:events:eu-west-1:123456789012:rule/warm"],
    "detail": {},
}
SQS = {"Records": [{"messageId": "1", "body": UTTERANCE, "eventSource": "aws:sqs", "awsRegion": "eu-west-1"}]}
SNS = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": UTTERANCE}}]}
AUTHORIZER = {**rest_api_event("POST", "/predict"), "type": "REQUEST", "methodArn": "arn:aws:execute-api:x"}
WEB_SOCKET = {"requestContext": {"routeKey": "$default", "connectionId": "x"}, "body": UTTERANCE}
PINGS: dict[str, Any] = {
    "empty": {},
    "null": None,
    "ping": {"ping": True},
    "lambda-warmer": {"warmer": True, "concurrency": 3},
    "serverless-plugin-warmup": {"source": "serverless-plugin-warmup"},
    "EventBridge rule": SCHEDULED,
    "EventBridge schedule": {**SCHEDULED, "source": "aws.scheduler"},
}
OTHERS: dict[str, tuple[Any, str]] = {
    "text": (UTTERANCE, "a string"),
    "list": ([UTTERANCE], "a list"),
    "empty list": ([], "a list"),
    "number": (7, "a number"),
    "Boolean": (True, "a Boolean"),
    "direct call": ({"text": UTTERANCE}, "an object"),
    "SQS": (SQS, "aws:sqs"),
    "SNS": (SNS, "aws:sns"),
    "S3 by EventBridge": ({"source": "aws.s3", "detail": {"key": UTTERANCE}}, "aws.s3"),
    "another sender": ({"source": f"aws.{UTTERANCE}!"}, "an object"),
    "no records": ({"Records": []}, "an object"),
    "authorizer": (AUTHORIZER, "an object"),
    "web socket": (WEB_SOCKET, "an object"),
    "body as an object": ({**rest_api_event("POST", "/predict"), "body": {"text": UTTERANCE}}, "an object"),
    "header as a number": ({**rest_api_event("GET", "/"), "headers": {"x": 1}}, "an object"),
    "no method": ({**http_api_event("GET", "/"), "requestContext": {"http": {}}}, "an object"),
    "broken base64": ({**http_api_event("POST", "/predict"), "body": "abc", "isBase64Encoded": True}, "an object"),
}


def load_balancer_event(method: str, path: str, body: bytes, *, lists: bool = False) -> dict[str, Any]:
    """Return an event of an Application Load Balancer, which does not decode the query."""
    headers = {"host": "nlu.example.org", "x-forwarded-for": "192.0.2.1", **JSON}
    query = {"token": "a%20token"}
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
        "httpMethod": method,
        "path": path,
        **({"multiValueHeaders": _lists(headers)} if lists else {"headers": headers}),
        **({"multiValueQueryStringParameters": _lists(query)} if lists else {"queryStringParameters": query}),
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def lattice_event(method: str, path: str, body: bytes, version: int) -> dict[str, Any]:
    """Return an event of VPC Lattice, in either version of the structure."""
    headers, query = {"host": "nlu.example.org", **JSON}, {"token": TOKEN}
    if version == 1:
        return {
            "raw_path": f"{path}?token=a%20token",
            "method": method,
            "headers": headers,
            "query_string_parameters": query,
            "body": body.decode(),
            "is_base64_encoded": False,
        }
    return {
        "version": "2.0",
        "path": path,
        "method": method,
        "headers": _lists(headers),
        "queryStringParameters": _lists(query),
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
        "requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice:x", "identity": {}, "region": "eu-west-1"},
    }


def _lists(values: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in values.items()}


def function_url_event(method: str, path: str, body: bytes) -> dict[str, Any]:
    event = http_api_event(method, path, body, query="token=a%20token", headers=JSON)
    return {**event, "rawPath": path, "requestContext": {**event["requestContext"], "authorizer": {"iam": {}}}}


SENDERS: dict[str, Callable[[str, str, bytes], dict[str, Any]]] = {
    "HTTP API": lambda *sent: http_api_event(*sent, query="token=a+token", headers=JSON),
    "REST API": lambda *sent: rest_api_event(*sent, query={"token": TOKEN}, headers=JSON),
    "function URL": function_url_event,
    "load balancer": load_balancer_event,
    "load balancer with lists": lambda *sent: load_balancer_event(*sent, lists=True),
    "Lattice 1": lambda *sent: lattice_event(*sent, version=1),
    "Lattice 2": lambda *sent: lattice_event(*sent, version=2),
}


@pytest.fixture(scope="module")
def handler(bundles: Path) -> Handler:
    return lambda_handler(bundles, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest(TOKEN))


@pytest.fixture(scope="module")
def handler_for_pages(bundles: Path) -> Handler:
    return lambda_handler(bundles, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest(TOKEN), NLU_CORS_ORIGINS="https://a.example")


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("sender", SENDERS)
def test_every_source_of_http_events_is_answered(handler: Handler, sender: str) -> None:
    answer = handler(SENDERS[sender]("POST", "/predict", BODY), None)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["intent"]["predictions"]["intent_predictions"] == "greeting"
    lists = sender == "load balancer with lists"
    headers = answer["multiValueHeaders"] if lists else answer["headers"]
    assert headers["content-type"] == (["application/json"] if lists else "application/json")
    assert handler(SENDERS[sender]("GET", "/", b""), None)["statusCode"] == 200


@pytest.mark.parametrize("sender", SENDERS)
def test_cross_origin_requests_work_from_every_source(handler_for_pages: Handler, sender: str) -> None:
    event = SENDERS[sender]("POST", "/predict", BODY)
    key = "headers" if "headers" in event else "multiValueHeaders"
    as_list = isinstance(event[key]["host" if "host" in event[key] else "Host"], list)
    origin = "https://a.example"
    for name in {key, "multiValueHeaders"} & event.keys():
        event[name] = {**event[name], "origin": [origin] if as_list or name == "multiValueHeaders" else origin}
    answer = handler_for_pages(event, None)
    headers = answer.get("headers") or answer["multiValueHeaders"]
    assert (answer["statusCode"], len(json.loads(answer["body"]))) == (200, 3)
    assert headers["access-control-allow-origin"] in (origin, [origin])


def test_a_load_balancers_health_check_is_answered(handler: Handler) -> None:
    event = load_balancer_event("GET", "/", b"")
    event["headers"] = {"user-agent": "ELB-HealthChecker/2.0"}
    event["queryStringParameters"] = {}
    assert handler(event, None)["statusCode"] == 200


@pytest.mark.parametrize("ping", PINGS)
def test_a_ping_is_answered(handler: Handler, ping: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    expected = {"message": "Ludwig server is up", "models": ["intent", "language", "slots"]}
    assert handler(PINGS[ping], None) == expected
    assert [(line["level"], line["message"]) for line in log_lines(capsys)] == [("INFO", "ping")]


@pytest.mark.parametrize("other", OTHERS)
def test_any_other_event_is_refused_and_only_its_kind_is_logged(
    handler: Handler, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("INFO")
    event, kind = OTHERS[other]
    answer = handler(event, None)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"].startswith(f"This event ({kind}) is not an HTTP request")
    (line,) = log_lines(capsys)
    assert (line["level"], line["message"], line["kind"]) == ("WARNING", "event refused", kind)
    assert UTTERANCE not in json.dumps(line) + json.dumps(answer)


names = st.sampled_from(
    [
        *("version", "type", "requestContext", "http", "elb", "stage", "method", "path", "raw_path", "httpMethod"),
        *("headers", "multiValueHeaders", "body", "isBase64Encoded", "is_base64_encoded", "rawQueryString"),
        *("queryStringParameters", "multiValueQueryStringParameters", "query_string_parameters", "origin"),
        *("Records", "eventSource", "source", "ping", "content-type", "content-length", "content-encoding"),
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["2.0", "GET", "POST", "HEAD", "OPTIONS", "/", "/predict", "/batch_predict", "/predict/"])
    | st.sampled_from(["application/json", '{"text": "hello"}', "gzip", "https://a.example", "$default"])
)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=6)
)
changes = st.dictionaries(names, json_values, max_size=3)


@settings(max_examples=400)
@given(event=json_values | st.tuples(st.sampled_from(list(SENDERS)), changes))
def test_no_event_raises(handler: Handler, handler_for_pages: Handler, event: Any) -> None:
    if isinstance(event, tuple):
        sender, changed = event
        event = {**SENDERS[sender]("POST", "/predict", BODY), **changed}
    for asked in (handler, handler_for_pages):
        answer = asked(event, None)
        json.dumps(answer)
        assert answer.get("statusCode", 200) < 500


def test_a_response_over_lambdas_limit_is_refused_with_advice(tmp_path: Path) -> None:
    """Lambda would turn such a response into an error: the caller sees a 502, and the alarm fires."""
    from awslambdaric.lambda_runtime_marshaller import to_json  # type: ignore[import-untyped] # what Lambda runs

    labels = {f"word{number}": 'a "quoted" and rather long label ' * 3 + str(number) for number in range(60)}
    bundle = write_bundle(tmp_path / "intent", Head(name="intent", kind="category", words=labels))
    handler = lambda_handler(bundle, NLU_MAX_BATCH_ROWS="100000", NLU_MAX_BODY_BYTES="6000000")

    def ask(rows: int, sender: Callable[[str, str, bytes], dict[str, Any]]) -> tuple[int, int, str]:
        table = {"columns": ["text"], "data": [["word1"]] * rows}
        answer = handler(sender("POST", "/batch_predict", json.dumps({"dataset": table}).encode()), None)
        return answer["statusCode"], len(to_json(answer)), answer["body"]

    for sender, limit in ((SENDERS["HTTP API"], 6_291_556), (SENDERS["load balancer"], 1_048_576)):
        one = (ask(200, sender)[1] - ask(100, sender)[1]) / 100
        last = int(limit / one)
        assert [ask(rows, sender)[0] for rows in (last - 20, last + 20, 3 * last)] == [200, 413, 413]
        assert ask(last - 20, sender)[1] <= limit
        error = json.loads(ask(3 * last, sender)[2])["error"]
        assert f"the limit is {limit}: split the batch into at least 4 parts, or name fewer models" in error


def test_a_local_server_sends_answers_of_any_size(tmp_path: Path) -> None:
    from handler.hexabot import load_service
    from handler.messages import Request
    from handler.routes import Routes
    from handler.settings import Settings

    settings = Settings(bundles=(str(write_bundle(tmp_path / "intent", INTENT)),), open=True, max_batch_rows=50_000)
    table = {"columns": ["text"], "data": [["hello"]] * 40_000}
    body = json.dumps({"dataset": table}).encode()
    asked = Request("1", "POST", "/batch_predict", [], JSON, body)
    answer = Routes(load_service(settings), settings).answer(asked)
    assert (answer.status, len(answer.body) > 6_291_556) == (200, True)
