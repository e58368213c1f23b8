"""The description of the API: valid OpenAPI 3.1, complete, and true for real answers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi import definitions

from handler.auth import digest
from handler.hexabot import Outcome, Service
from handler.messages import Request
from handler.openapi import describe, examples
from handler.operations import OPERATIONS
from handler.responses import STATUS
from handler.routes import Routes
from handler.settings import Settings
from scripts import api_examples, reference
from scripts.api_examples import TOKEN, every_route
from tests.bundles import CRASH, INTENT, LANGUAGE, TAGGER, write_bundle
from tests.handler.deployment import deploy, environment, run_python

SHIPPED = api_examples.BUNDLES
MODULES = """
import json, sys
from handler.entrypoint import lambda_handler
print(json.dumps(sorted(name for name in sys.modules if name.startswith("handler."))))
"""
texts = st.text(st.characters(codec="utf-8"), max_size=30)


def ask(routes: Routes, method: str, path: str, fields: Any = None, **headers: str) -> tuple[int, Any]:
    """Return the status and the answer to JSON with a token."""
    answer = api_examples.ask(routes, method, path, fields, **headers)
    return answer.status, json.loads(answer.body) if answer.body else None


@pytest.fixture(scope="module", params=["standard", "shipped", "crashing", "none"])
def routes(request: pytest.FixtureRequest, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Routes:
    """Serve several sets of models; in one, each model fails if a text has a certain word."""
    if request.param == "crashing":
        folder = tmp_path_factory.mktemp("crashing")
        return every_route(
            *(write_bundle(folder / head.name, head, breaking=True) for head in (INTENT, LANGUAGE, TAGGER))
        )
    return every_route(*{"standard": [bundles], "shipped": [SHIPPED], "none": []}[request.param])


@pytest.fixture(scope="module")
def described(routes: Routes) -> dict[str, Any]:
    status, found = ask(routes, "GET", "/openapi.json")
    assert status == 200
    return dict(found)


def closed(schema: Any) -> Any:
    """Return a schema in which every object with known keys refuses others, so that a new key in an answer fails."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {keyword: closed(value) for keyword, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in found and "type" in found else found


def errors_in(described: Mapping[str, Any], method: str, path: str, status: int, answer: Any) -> list[str]:
    """Return what is wrong with an answer according to the description."""
    responses = described["paths"][path][method.lower()]["responses"]
    if str(status) not in responses:
        return [f"{method} {path} does not describe the status {status}"]
    response = responses[str(status)]
    if "$ref" in response:
        response = described["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    document = {**schema, "components": closed(described["components"])}
    return [error.message for error in Draft202012Validator(document).iter_errors(answer)]


def test_the_description_is_valid(described: dict[str, Any]) -> None:
    Draft202012Validator(definitions.OPENAPI_31).validate(described)
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_route_is_described(described: dict[str, Any], routes: Routes) -> None:
    found = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    table = {(method, path) for path, methods in routes.table.items() for method in methods if method != "HEAD"}
    assert found == table == set(OPERATIONS)


def test_everything_has_a_description(described: dict[str, Any]) -> None:
    for name, schema in described["components"]["schemas"].items():
        assert schema["description"].endswith("."), name
        for field, value in schema["properties"].items():
            assert value.get("description", "").endswith("."), (name, field)


@pytest.mark.parametrize("operation", [name for name in examples() if " " in name])
def test_examples_are_true(described: dict[str, Any], operation: str) -> None:
    method, path = operation.split()
    example = examples()[operation]
    assert errors_in(described, method, path, 200, example["answer"]) == []
    item = described["paths"][path][method.lower()]
    assert item["responses"]["200"]["content"]["application/json"]["example"] == example["answer"]
    if "requestBody" in item:
        assert item["requestBody"]["content"]["application/json"]["example"] == example["fields"]


def test_examples_are_what_the_shipped_bundles_answer() -> None:
    """`make reference` writes them. Another processor may round differently."""
    assert near(api_examples.examples()) == near(examples())


def near(value: Any) -> Any:
    """Return a value with its numbers rounded to two digits, also those in JSON inside of strings."""
    if isinstance(value, dict):
        return {key: near(each) for key, each in value.items()}
    if isinstance(value, list):
        return [near(each) for each in value]
    if isinstance(value, str) and value.startswith("{"):
        return near(json.loads(value))
    return pytest.approx(value, abs=0.002) if isinstance(value, float) else value


def test_every_optional_route_of_the_repository_is_on() -> None:
    assert set(json.loads(reference.openapi())["paths"]) == {path for _, path in OPERATIONS}


BODIES: list[tuple[str, Any]] = [
    ("/understand", {"text": ...}),
    ("/understand", {"text": ..., "explain": True, "intents": ["book_flight", "greet"]}),
    ("/predict", {"text": ...}),
    ("/predict", {"text": ..., "model": "intent"}),
    ("/batch_predict", {"dataset": {"columns": ["text"], "data": [[...], ["fly to Paris"]], "index": ["a", 2]}}),
    ("/parse", {"q": ...}),
    ("/evaluate", {"common_examples": [{"text": ..., "intent": "a", "entities": [{"entity": "b", "value": "c"}]}]}),
    (
        "/mcp",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "understand", "arguments": {"text": ...}},
        },
    ),
    ("/mcp", {"jsonrpc": "2.0", "id": "a", "method": ...}),
    ("/train", {}),
]


def filled(body: Any, text: str) -> Any:
    """Put a text into a body, at its dots."""
    if isinstance(body, dict):
        return {key: filled(value, text) for key, value in body.items()}
    if isinstance(body, list):
        return [filled(value, text) for value in body]
    return text if body is ... else body


@pytest.mark.parametrize("number", range(len(BODIES)), ids=lambda number: BODIES[number][0])
@settings(max_examples=25)
@given(text=st.sampled_from(["fly to Paris tomorrow", "bonjour 😀", "", f"hello {CRASH}"]) | texts)
def test_answers_are_as_described(routes: Routes, described: dict[str, Any], number: int, text: str) -> None:
    path, body = BODIES[number]
    status, answer = ask(routes, "POST", path, filled(body, text))
    assert errors_in(described, "POST", path, status, answer) == []


def test_the_models_are_as_described(routes: Routes, described: dict[str, Any]) -> None:
    for path in ("/", "/models", "/openapi.json"):
        status, answer = ask(routes, "GET", path)
        assert (status, errors_in(described, "GET", path, status, answer)) == (200, [])


REFUSED: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST", "/understand", {}, {}),
    ("POST", "/understand", {"text": "a"}, {"x-api-key": ""}),
    ("POST", "/mcp", {}, {"origin": "https://other.example"}),
    ("GET", "/mcp", None, {}),
    ("POST", "/parse", {"q": "a" * 10_001}, {}),
    ("POST", "/predict", {"text": "a"}, {"content-type": "text/plain"}),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_errors_are_as_described(routes: Routes, described: dict[str, Any], number: int) -> None:
    method, path, fields, headers = REFUSED[number]
    status, answer = ask(routes, method, path, fields, **headers)
    assert status >= 400
    assert errors_in(described, method, path, status, answer) == []


def test_every_error_is_described(described: dict[str, Any]) -> None:
    responses = described["components"]["responses"]
    assert set(responses) == {*(error.__name__ for error in STATUS), "InternalError"}
    used = {ref["$ref"] for item in described["paths"].values() for each in item.values() for ref in refs(each)}
    unused = {name for name in responses if f"#/components/responses/{name}" not in used}
    assert unused == {"NotFoundError"}, "only a path without a route answers 404"


def refs(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        for each in value.values():
            yield from refs(each)


def test_an_unexpected_error_is_as_described(
    routes: Routes, described: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: Request) -> Outcome:
        raise ZeroDivisionError

    monkeypatch.setitem(routes.table, "/", {"GET": broken})
    status, answer = ask(routes, "GET", "/")
    assert (status, errors_in(described, "GET", "/", status, answer)) == (500, [])


class Recorder(dict[str, Any]):
    """Fields that remember which names a route looks for."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)


@pytest.mark.parametrize("path", ["/understand", "/predict", "/batch_predict", "/parse", "/mcp"])
def test_the_fields_that_a_route_reads_are_described(bundles: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    routes = every_route(bundles)
    example = examples()[f"POST {path}"]["fields"]
    recorder = Recorder({**example, "model": "language"} if "model" in example else example)
    monkeypatch.setattr(routes, "_fields", lambda request: recorder)
    assert ask(routes, "POST", path)[0] == 200
    assert recorder.names == set(OPERATIONS["POST", path].fields.__annotations__)


def test_limits_models_and_the_base_path_are_the_deployments(bundles: Path) -> None:
    routes = every_route(
        bundles, max_text_characters=7, max_batch_rows=3, base_path="/nlu", open=True, token_digests=()
    )
    found = ask(routes, "GET", "/nlu/openapi.json")[1]
    schemas = found["components"]["schemas"]
    assert schemas["UnderstandFields"]["properties"]["text"]["maxLength"] == 7
    assert schemas["UnderstandFieldsForm"]["properties"]["text"]["maxLength"] == 7
    assert schemas["RequestTable"]["properties"]["data"]["maxItems"] == 3
    assert (found["servers"], found["security"]) == ([{"url": "/nlu"}], [])
    (listed,) = (each for each in schemas["PredictFields"]["properties"]["model"]["anyOf"] if each["type"] == "array")
    assert listed == {"type": "array", "items": {"enum": ["intent", "language", "slots"]}, "minItems": 1}
    assert schemas["PredictFields"]["required"] == ["text"]


def test_routes_that_are_off_are_not_described() -> None:
    settings = Settings(bundles=(), open=True, docs=True)
    found = describe(Routes(Service({}, settings), settings).table, settings)
    assert "/openapi.json" in found["paths"]
    assert "/playground" not in found["paths"]


def test_a_route_without_a_description_is_an_error() -> None:
    with pytest.raises(KeyError, match="POST /new is a route that OPERATIONS"):
        describe({"/new": ["POST"]}, Settings(bundles=(), open=True))


def test_the_description_needs_a_setting_and_no_token(bundles: Path) -> None:
    tokens = {"NLU_OPEN": "", "NLU_TOKEN_DIGESTS": digest(TOKEN)}
    for path in ("/openapi.json", "/docs"):
        assert deploy(bundles, **tokens)("GET", path).status == 404
        assert deploy(bundles, NLU_DOCS="1", **tokens)("GET", path, stage="prod").status == 200


def test_a_start_loads_nothing_of_the_description(bundles: Path) -> None:
    finished = run_python("-c", MODULES, **environment(bundles, NLU_DOCS="1"))
    loaded = json.loads(finished.stdout.splitlines()[-1])
    assert "handler.routes" in loaded
    assert not [name for name in loaded if name.endswith(("_types", ".openapi", ".operations", ".tables"))]
