"""Events of API Gateway get the same answers directly as through FastAPI and Mangum."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mangum import Mangum

from handler.api import create_app
from handler.auth import digest
from handler.gateway import event_answer, read_event
from handler.hexabot import Service
from handler.predictor import load_predictors
from handler.routes import Routes
from handler.settings import Settings
from tests.handler.deployment import LambdaContext, environment, run_python
from tests.hexabot_client import http_api_event, multipart, rest_api_event

TOKEN = "a token"
IMPORTS_OF_THE_FIRST_ANSWER = {"handler", "msgspec"}
SLOW_IMPORTS = {"asyncio", "hashlib", "logging", "pathlib", "urllib"}
"""Modules of the standard library that a start does not need. AWS's runtime imports `logging` itself."""
MOST_MODULES = {"/predict": 165, "/understand": 185}
"""What a first answer may import in all. It is a budget: raise it only for what every answer needs."""

PATHS = ["/predict", "/batch_predict", "/nothing", "/predict/", "/pre%64ict", "//"]
PATHS += ["/understand", "/parse", "/evaluate", "/train", "/mcp"]

texts = st.text(st.characters(codec="utf-8"), max_size=30)
bodies = st.one_of(
    texts.map(lambda text: multipart({"text": text})),
    texts.map(lambda text: ("application/json", json.dumps({"text": text, "q": text}).encode())),
    st.sampled_from([{"id": 1, "method": "ping"}, {"method": "notifications/initialized"}]).map(
        lambda message: ("application/json", json.dumps({"jsonrpc": "2.0", **message}).encode())
    ),
    st.tuples(st.sampled_from(["application/json", "text/plain", "multipart/form-data"]), st.binary(max_size=40)),
)
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
        "path": st.sampled_from(["/", *PATHS, *(f"/nlu{path}" for path in PATHS), "/nlu", "/nlux", "/nlu/"]),
        "body": bodies,
        "query": st.sampled_from(["", "token=a+token", "token=a%20token", "token=&token=a+token", "token=wrong"]),
        "headers": st.sampled_from(
            [{}, {"X-Api-Key": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}, {"Content-Encoding": "gzip"}]
        ),
    }
)


@pytest.fixture(scope="module")
def routes(bundles: Path) -> Routes:
    settings = Settings(bundles=(), token_digests=(digest(TOKEN),), max_body_bytes=200, base_path="/nlu")
    return Routes(Service(load_predictors([bundles]), settings), settings)


@given(request=requests, make=st.sampled_from([http_api_event, rest_api_event]))
def test_the_gateway_and_fastapi_answer_alike(
    routes: Routes, request: dict[str, Any], make: Callable[..., dict[str, Any]]
) -> None:
    content_type, body = request["body"]
    event = make(
        request["method"],
        request["path"],
        body,
        query=request["query"] if make is http_api_event else dict(parse_qsl(request["query"])),
        headers={"content-type": content_type, **request["headers"]},
    )
    read = read_event(event, LambdaContext())
    assert read is not None
    directly = event_answer(event, routes.answer(read))
    framework = Mangum(create_app(routes), lifespan="off")(event, LambdaContext())
    for answer in (directly, framework):
        answer["headers"].pop("server-timing", None)  # no two answers take the same time
    assert directly == framework


@given(query=st.text("ab=&;%2C+é ", max_size=12))
def test_queries_are_decoded_as_by_the_standard_library(query: str) -> None:
    read = read_event(http_api_event("GET", "/", query=query), None)
    assert read is not None
    assert read.query == parse_qsl(query, keep_blank_values=True)


def test_the_stage_is_removed_from_the_path(routes: Routes) -> None:
    event = http_api_event("GET", "/", stage="prod")
    assert event["requestContext"]["http"]["path"] == "/prod/"
    read = read_event(event, None)
    assert read is not None
    assert routes.answer(read).status == 200


FIRST_ANSWER = """
import json, sys
from handler.entrypoint import lambda_handler
assert lambda_handler(json.loads(sys.argv[1]), None)["statusCode"] == 200
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("path", ["/predict", "/understand"])
def test_the_first_answer_imports_only_what_it_needs(bundles: Path, path: str) -> None:
    content_type, body = multipart({"text": "fly to Paris"})
    event = http_api_event("POST", path, body, headers={"content-type": content_type})
    finished = run_python("-c", FIRST_ANSWER, json.dumps(event), **environment(bundles))
    assert finished.returncode == 0, finished.stderr
    modules = json.loads(finished.stdout.splitlines()[-1])
    installed = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"__main__"}
    assert {name for name in installed if not name.startswith("_")} == IMPORTS_OF_THE_FIRST_ANSWER
    assert not SLOW_IMPORTS & set(modules)
    assert len(modules) <= MOST_MODULES[path], f"{len(modules)} modules: see `ludwig-serverless doctor`"
