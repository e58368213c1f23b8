"""GET /models describes what is loaded, and the time of each model is in a header."""

import json
import re
from pathlib import Path

import pytest

from handler import __version__
from handler.auth import digest
from handler.hexabot import Outcome, Service
from handler.messages import Request
from handler.predictor import load_predictors
from handler.responses import encoded
from handler.routes import Routes
from handler.settings import Settings
from tests.bundles import INTENT, write_bundle
from tests.handler.deployment import deploy

BUNDLES = Path(__file__).parents[2] / "examples" / "bundles"
NAMES = ["intent", "language", "slots"]


def test_every_model_is_described_with_its_labels_and_thresholds() -> None:
    answer = deploy(BUNDLES)("GET", "/models").json()
    assert (answer["version"], answer["compare"], answer["default_language"]) == (__version__, False, "en")
    intent, language, slots = answer["models"]
    assert [model["name"] for model in answer["models"]] == NAMES
    manifests = [json.loads((BUNDLES / name / "manifest.json").read_bytes()) for name in NAMES]
    assert [model["seal"] for model in answer["models"]] == [manifest["seal"] for manifest in manifests]
    assert intent["inputs"] == [{"column": "text", "type": "text"}]
    assert intent["outputs"][0]["labels"] == manifests[0]["outputs"][0]["labels"]
    (output,) = language["outputs"]
    assert (output["key"], output["type"], output["evidence"]) == ("language", "category", True)
    assert output["thresholds"]["default"] == manifests[1]["outputs"][0]["thresholds"]["default"]
    (output,) = slots["outputs"]
    assert (output["key"], output["type"]) == ("entities", "slots")
    assert {"destination", "date", "booking_code"} <= set(output["labels"])
    assert not [label for label in output["labels"] if label.startswith(("B-", "I-", "<"))]


def test_the_description_needs_a_token() -> None:
    send = deploy(BUNDLES, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest("a token"))
    assert send("GET", "/models").status == 401
    assert send("GET", "/models", headers={"authorization": "Bearer a token"}).status == 200


@pytest.mark.parametrize("path", ["/predict", "/understand"])
def test_the_time_of_each_model_is_in_a_header(path: str) -> None:
    body = json.dumps({"text": "fly to Paris", "model": "slots,intent"}).encode()
    answer = deploy(BUNDLES)("POST", path, body, headers={"content-type": "application/json"})
    assert re.fullmatch(r"slots;dur=[\d.]+, intent;dur=[\d.]+", answer.headers["server-timing"])


def test_any_model_name_is_a_token_in_the_header() -> None:
    header = encoded(Outcome(milliseconds={"my intents; v2, نية": 1.5})).headers["server-timing"]
    assert header == "my%20intents%3B%20v2%2C%20%D9%86%D9%8A%D8%A9;dur=1.5"


def test_other_bundles_answer_under_compare(bundles: Path, tmp_path: Path) -> None:
    settings = Settings(bundles=(), open=True, base_path="/nlu")
    other = Service(load_predictors([write_bundle(tmp_path / "intent", INTENT)]), settings)
    routes = Routes(Service(load_predictors([bundles]), settings), settings, compared=Routes(other, settings))

    def models(path: str) -> list[str]:
        return list(json.loads(routes.answer(Request("1", "GET", path, [], {})).body)["models"])

    assert models("/nlu/") == models("/") == ["intent", "language", "slots"]
    assert models("/nlu/compare/") == models("/compare/") == ["intent"]
    assert routes.answer(Request("1", "GET", "/comparer", [], {})).status == 404
    described = json.loads(routes.answer(Request("1", "GET", "/models", [], {})).body)
    assert described["compare"] is True
