"""The entry point that AWS Lambda runs, in a separate process."""

import json
from pathlib import Path

import pytest

from handler.auth import digest
from tests.bundles import INTENT, write_bundle, write_subword_bundle
from tests.handler.deployment import environment, lambda_handler, run_python
from tests.hexabot_client import axios_query, decode, http_api_event, multipart, understand

HEAVY = ["torch", "ludwig", "transformers", "pandas", "onnx", "boto3", "botocore", "huggingface_hub"]
ASK = """
import json, sys
from handler.entrypoint import lambda_handler
answer = lambda_handler(json.loads(sys.argv[1]), None)
print(json.dumps({"answer": answer, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def test_the_first_event_is_answered_and_nothing_heavy_is_imported(bundles: Path, tmp_path: Path) -> None:
    places = [bundles / "language", bundles / "intent", write_subword_bundle(tmp_path / "slots")]
    content_type, body = multipart({"text": "fly to Paris"})
    headers = {"content-type": content_type}
    event = http_api_event("POST", "/predict", body, query=axios_query("a token"), headers=headers)
    environ = environment(*places, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest("a token"))
    finished = run_python("-c", ASK, json.dumps(event), **environ)
    assert finished.returncode == 0, finished.stderr
    log, printed = map(json.loads, finished.stdout.splitlines())
    assert (log["message"], log["status"]) == ("request", 200)
    understood = understand("fly to Paris", decode(printed["answer"]["body"].encode()))
    assert understood.traits["intent"].value == "book_flight"
    assert [slot.value for slot in understood.slots] == ["Paris"]
    assert {"ctypes", "tokenizers"} <= set(printed["modules"])
    assert set(printed["modules"]).isdisjoint(HEAVY)


def test_a_service_without_subwords_does_not_import_tokenizers(bundles: Path) -> None:
    finished = run_python("-c", ASK, json.dumps(http_api_event("GET", "/")), **environment(bundles))
    assert "tokenizers" not in json.loads(finished.stdout.splitlines()[-1])["modules"]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"NLU_OPEN": ""}, "SettingsError: No token is configured, so anyone could use this service."),
        ({"NLU_BUNDLES": ""}, "SettingsError: NLU_BUNDLES is not set"),
        ({"NLU_BUNDLES": "/nowhere"}, "BundleError: No bundle in /nowhere"),
        ({"NLU_THREADS": "many"}, "SettingsError: NLU_THREADS must be a whole number above zero"),
    ],
    ids=["no token", "no bundles", "nowhere", "bad number"],
)
def test_a_bad_deployment_fails_at_start(bundles: Path, environ: dict[str, str], message: str) -> None:
    finished = run_python("-c", "import handler.entrypoint", **{**environment(bundles), **environ})
    assert finished.returncode == 1
    assert message in finished.stderr


def test_an_altered_bundle_fails_at_start(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "intent", INTENT)
    (folder / "vocabulary.json").write_text("[]")
    finished = run_python("-c", "import handler.entrypoint", **environment(folder))
    assert (finished.returncode, "BundleError: " in finished.stderr) == (1, True)
    assert "vocabulary.json was altered" in finished.stderr


def test_bundles_can_be_in_several_folders(bundles: Path) -> None:
    handler = lambda_handler(bundles / "slots", bundles / "language")
    assert json.loads(handler(http_api_event("GET", "/"), None)["body"])["models"] == ["slots", "language"]
