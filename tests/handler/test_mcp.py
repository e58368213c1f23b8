"""The Model Context Protocol, message by message, through the Lambda function."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.answer_types import Understood
from handler.auth import new_token
from handler.mcp import INVALID_REQUEST, UNDERSTOOD, VERSIONS
from tests.handler.deployment import Answer, Send, deploy

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots without tokens."""
    return deploy(bundles)


def post(send: Send, message: Any, **headers: str) -> Answer:
    return send("POST", "/mcp", json.dumps(message).encode(), headers=HEADERS | headers)


def call(send: Send, method: str, **params: Any) -> Any:
    """Send a request, and return its result or its error."""
    answer = post(send, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    assert (found.pop("jsonrpc"), found.pop("id")) == ("2.0", 7)
    return found


@pytest.mark.parametrize("version", [*VERSIONS, "1999-01-01"])
def test_a_client_and_the_server_agree_on_a_version(send: Send, version: str) -> None:
    greeting = call(send, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "a"})["result"]
    assert greeting["protocolVersion"] == (version if version in VERSIONS else VERSIONS[0])
    assert greeting["capabilities"] == {"tools": {"listChanged": False}}
    assert greeting["serverInfo"]["name"] == "ludwig-serverless"


@pytest.mark.parametrize(
    "message", [{"method": "notifications/initialized"}, {"id": 1, "result": {}}], ids=["notification", "response"]
)
def test_notifications_and_responses_are_accepted(send: Send, message: dict[str, Any]) -> None:
    answer = post(send, {"jsonrpc": "2.0", **message})
    assert (answer.status, answer.body, answer.headers["content-length"]) == (202, b"", "0")


@pytest.mark.parametrize("identity", [True, False, 1.5, [], {}])
def test_an_id_is_a_string_or_an_integer(send: Send, identity: Any) -> None:
    answer = post(send, {"jsonrpc": "2.0", "id": identity, "method": "ping"}).json()
    assert (answer["id"], answer["error"]["code"]) == (None, INVALID_REQUEST)


def shape(schema: Any, components: Any) -> Any:
    """Return what a schema says about keys and types: [a dictionary of keys, the types of the values], and so on."""
    schema = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    choices = [shape(each, components) for each in schema.get("anyOf", [])]
    if choices:
        return sorted({name for choice in choices for name in (["array"] if isinstance(choice, dict) else choice)})
    if "properties" in schema:
        keys = {name: shape(each, components) for name, each in schema["properties"].items()}
        return {"keys": keys, "required": sorted(schema["required"])}
    if isinstance(schema.get("additionalProperties"), dict):
        return {"values": shape(schema["additionalProperties"], components)}
    if schema.get("type") == "array":
        return {"items": shape(schema["items"], components)}
    types = schema.get("type", "string" if "enum" in schema else None)
    return sorted(types) if isinstance(types, list) else [types]


def test_the_tools_answer_is_described_like_that_of_the_route() -> None:
    (found,), components = msgspec.json.schema_components([Understood], ref_template="#/{name}")
    expected = shape(found, components)
    del expected["keys"]["explanation"]  # the tool does not explain
    assert shape(UNDERSTOOD, {}) == expected


def test_a_ping_is_answered(send: Send) -> None:
    assert call(send, "ping") == {"result": {}}


def test_both_tools_are_listed(send: Send) -> None:
    tools = call(send, "tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["understand", "list_models"]
    assert all(tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object" for tool in tools)


def test_a_message_is_understood(send: Send) -> None:
    arguments = {"text": "fly to Paris", "intents": ["book_flight"]}
    result = call(send, "tools/call", name="understand", arguments=arguments)["result"]
    answer = result["structuredContent"]
    assert (answer["intent"]["name"], answer["entities"][0]["value"]) == ("book_flight", "Paris")
    assert json.loads(result["content"][0]["text"]) == answer
    asked = send("POST", "/understand", json.dumps(arguments).encode(), headers=HEADERS)
    assert asked.json() == answer


def test_the_models_and_their_labels_are_listed(send: Send) -> None:
    models = call(send, "tools/call", name="list_models")["result"]["structuredContent"]["models"]
    assert {model["name"]: model["outputs"][0]["labels"] for model in models} == {
        "intent": ["book_flight", "book_hotel", "greeting"],
        "language": ["en", "fr", "ar"],
        "slots": ["city", "date"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({}, "The field 'text' is missing"), ({"text": 1}, "must be a string"), ({"text": "a" * 20_000}, "characters")],
)
def test_wrong_arguments_are_reported_to_the_agent(send: Send, arguments: dict[str, Any], message: str) -> None:
    result = call(send, "tools/call", name="understand", arguments=arguments)["result"]
    assert (result["isError"], message in result["content"][0]["text"]) == (True, True)


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("resources/list", {}, -32601),
        ("server/discover", {}, -32601),
        ("tools/call", {"name": "train"}, -32602),
        ("tools/call", {"name": "understand", "arguments": ["a"]}, -32602),
    ],
)
def test_unknown_methods_and_tools_are_errors(send: Send, method: str, params: dict[str, Any], code: int) -> None:
    assert call(send, method, **params)["error"]["code"] == code


@pytest.mark.parametrize(
    "message",
    [
        {"id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": [1], "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]},
    ],
)
def test_an_invalid_message_is_an_error(send: Send, message: Any) -> None:
    assert post(send, message).json()["error"]["code"] == -32600


def test_other_json_values_are_refused(send: Send) -> None:
    assert post(send, [{"jsonrpc": "2.0", "id": 1, "method": "ping"}]).status == 400
    assert send("POST", "/mcp", b"{", headers=HEADERS).status == 400


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(
    message=st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result"]),
        st.sampled_from(["2.0", "tools/call", "initialize", {"name": "understand"}, {"arguments": 1}]) | json_values,
    )
)
def test_any_object_is_answered(send: Send, message: dict[str, Any]) -> None:
    assert post(send, message).status in (200, 202)


def test_there_are_no_streams_and_no_sessions(send: Send) -> None:
    stream = send("GET", "/mcp", headers=HEADERS)
    assert (stream.status, stream.headers["allow"]) == (405, "POST")
    assert send("DELETE", "/mcp", headers=HEADERS).status == 405
    greeting = post(send, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    assert "mcp-session-id" not in greeting.headers


def test_an_unknown_version_in_the_header_is_refused(send: Send) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert post(send, ping, **{"mcp-protocol-version": "2025-06-18"}).status == 200
    assert post(send, ping, **{"mcp-protocol-version": "1999-01-01"}).status == 400


@pytest.mark.parametrize(("origins", "status"), [("", 403), ("https://b.example", 403), ("https://a.example", 200)])
def test_a_page_of_another_origin_is_refused(bundles: Path, origins: str, status: int) -> None:
    """A page can reach a local service through its own domain name (DNS rebinding), and an open one needs no token."""
    send = deploy(bundles, NLU_CORS_ORIGINS=origins)
    assert post(send, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, origin="https://a.example").status == status


def test_a_token_is_required(bundles: Path) -> None:
    token, digest = new_token()
    send = deploy(bundles, NLU_OPEN="0", NLU_TOKEN_DIGESTS=digest)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    refused = post(send, ping)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert post(send, ping, authorization=f"Bearer {token}").status == 200
