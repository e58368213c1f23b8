"""The Lambda handler in AWS's Runtime Interface Emulator."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from handler.auth import new_token
from scripts.ask_emulator import hexabot_event, invoke, running_lambda
from tests.bundles import INTENT, TAGGER, Head, give_expected, write_bundle, write_standard_bundles

ROOT = Path(__file__).resolve().parents[2]
TOKEN, DIGEST = new_token()

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator runs on Linux only"),
]


@pytest.fixture(scope="module")
def url(emulator: Path) -> Iterator[str]:
    environ = {"NLU_BUNDLES": str(ROOT / "examples" / "bundles"), "NLU_TOKEN_DIGESTS": DIGEST}
    with running_lambda(emulator, environ) as address:
        yield address


def test_hexabots_request_is_answered(url: str) -> None:
    response = invoke(url, hexabot_event("book me a flight to New York next friday morning", TOKEN))
    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    answer = json.loads(response["body"])
    assert answer["intent"]["predictions"]["intent_predictions"] == "book_flight"
    assert answer["slots"]["predictions"]["slots_predictions"][6:8] == ["B-destination", "I-destination"]


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_token_is_rejected(url: str, token: str) -> None:
    response = invoke(url, hexabot_event("hello", token))
    assert response["statusCode"] == 401
    assert "token" in json.loads(response["body"])["error"]


def test_consecutive_requests_get_their_own_answers(url: str) -> None:
    for text, language in {"good morning!": "en", "merci beaucoup !": "fr", "أريد إلغاء الحجز": "ar"}.items():
        answer = json.loads(invoke(url, hexabot_event(text, TOKEN))["body"])
        assert answer["language"]["predictions"]["language_predictions"] == language


def test_a_deployment_without_bundles_fails_at_start_with_the_reason(
    emulator: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = {"NLU_BUNDLES": str(tmp_path), "NLU_TOKEN_DIGESTS": DIGEST}
    with pytest.raises(HTTPError, match="502"), running_lambda(emulator, environ) as url:
        invoke(url, hexabot_event("hello", TOKEN))
    assert f"BundleError: No bundle in {tmp_path}" in capfd.readouterr().err


def test_metrics_are_in_the_log_and_the_drift_check_is_answered(emulator: Path, tmp_path: Path) -> None:
    give_expected(write_bundle(tmp_path / "intent", INTENT), {"book_flight": 60, "greeting": 60}, [0.9], [20, 100])
    environ = {"NLU_BUNDLES": str(tmp_path / "intent"), "NLU_TOKEN_DIGESTS": DIGEST, "NLU_METRICS": "drift"}
    log = tmp_path / "log"
    with running_lambda(emulator, environ, log_path=log) as url:
        assert invoke(url, hexabot_event("fly to Paris", TOKEN))["statusCode"] == 200
        answer = invoke(url, {"check": "drift", "counts": None})
    (line,) = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"_aws"')]
    assert (line["Version"], line["Model"], line["Label"]) == ("$LATEST", "intent", "book_flight")
    assert answer["version"] == "$LATEST"
    assert [each["kind"] for each in answer["series"]] == ["labels", "confidence"]


def test_deferred_work_runs_after_the_answer_and_before_the_next_invocation(emulator: Path, tmp_path: Path) -> None:
    """The emulator returns a response only after the work; Lambda returns it before."""
    notes = tmp_path / "notes"
    environ = {
        "NLU_BUNDLES": str(ROOT / "examples" / "bundles"),
        "NLU_TOKEN_DIGESTS": DIGEST,
        "NOTES": str(notes),
        "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}",
    }
    with running_lambda(emulator, environ, "slow_observer.lambda_handler") as url:
        for _ in range(3):
            assert invoke(url, hexabot_event("good morning!", TOKEN))["statusCode"] == 200
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert [step for step, _ in lines] == ["asked", "answered", "worked"] * 3
    assert all(len({identity for _, identity in lines[start : start + 3]}) == 1 for start in (0, 3, 6))


def test_a_shadow_answers_after_the_response_and_changes_nothing(emulator: Path, tmp_path: Path) -> None:
    bundles, log = write_standard_bundles(tmp_path / "bundles"), tmp_path / "log"
    environ = {"NLU_BUNDLES": str(bundles), "NLU_TOKEN_DIGESTS": DIGEST, "NLU_SHADOW_SAMPLE": "1"}
    event = hexabot_event("hotel in Paris", TOKEN)
    with running_lambda(emulator, environ) as url:
        expected = invoke(url, event)
    other = Head(name="intent", kind="category", words={"hotel": "book_flight"})
    write_bundle(bundles / "shadow" / "intent", other)
    write_bundle(bundles / "shadow" / "slots", TAGGER, column="utterance")
    with running_lambda(emulator, environ, log_path=log) as url:
        answers = [invoke(url, event) for _ in range(2)]
    assert [answer["body"] for answer in answers] == [expected["body"]] * 2
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"time":"2')]
    found = [line["message"] for line in lines if line["message"].startswith(("request", "shadow"))]
    assert found == ["request", "shadow not loaded", "shadow", "request", "shadow"]
    assert [line["disagreements"] for line in lines if line["message"] == "shadow"] == [1, 1]
