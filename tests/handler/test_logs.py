"""Structured logs: one line for each request, and never an utterance or a token."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from handler import logs
from handler.auth import digest
from handler.hexabot import Service
from handler.logs import configure, log, log_failure, log_refusal, request_id
from tests.bundles import CRASH, INTENT, LANGUAGE, TAGGER, write_bundle
from tests.handler.deployment import LambdaContext, deploy, environment, predict, run_python
from tests.hexabot_client import http_api_event, multipart

TOKEN = "s3cret-token"
UTTERANCE = "zebra"


def lines(captured: str) -> list[dict[str, Any]]:
    """Parse every line of a log as JSON."""
    return [json.loads(line) for line in captured.splitlines()]


@pytest.fixture
def breaking(tmp_path: Path) -> Path:
    """Write three models, of which intent fails on CRASH."""
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(tmp_path / head.name, head, breaking=head is INTENT)
    return tmp_path


def test_a_request_is_one_log_line(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send = deploy(bundles)
    predict(send, {"text": "fly", "model": "intent,slots"})
    (line,) = lines(capsys.readouterr().out)
    milliseconds = line.pop("models")
    assert (list(milliseconds), min(milliseconds.values()) >= 0) == (["intent", "slots"], True)
    assert line.pop("milliseconds") >= sum(milliseconds.values())
    assert line.pop("time").startswith("20")
    assert line.pop("bytes") == len(multipart({"text": "fly", "model": "intent,slots"})[1])
    assert line == {
        "level": "INFO",
        "message": "request",
        "request_id": LambdaContext().aws_request_id,
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "failed": [],
    }


def test_a_failed_request_is_logged_with_the_functions_version(
    bundles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send = deploy(bundles, AWS_LAMBDA_FUNCTION_VERSION="7")
    monkeypatch.delattr(Service, "predict")
    assert predict(send, {"text": UTTERANCE}).status == 500
    failure, request = lines(capsys.readouterr().out)
    # The filter FailedRequests of template.yaml counts these lines, by version.
    assert (failure["message"], failure["version"]) == ("request failed", "7")
    assert (request["status"], request["version"]) == (500, "7")


def test_a_failed_model_is_logged_with_its_traceback(breaking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict(deploy(breaking), {"text": f"{UTTERANCE} {CRASH}"})
    failure, request = lines(capsys.readouterr().out)
    assert (failure["level"], failure["message"]) == ("ERROR", "model intent failed")
    assert failure["request_id"] == request["request_id"] == LambdaContext().aws_request_id
    assert "handler/graph.py" in failure["traceback"].replace("\\", "/")
    assert (request["failed"], request["status"]) == (["intent"], 200)


def test_a_model_that_cannot_use_a_request_has_not_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The filter FailedModels of template.yaml triggers an alarm. Callers must not be able to trigger it."""
    write_bundle(tmp_path / "intent", INTENT)
    write_bundle(tmp_path / "slots", TAGGER, column="question")
    send = deploy(tmp_path)
    headers = {"content-type": "application/json"}
    answer = send("POST", "/predict", json.dumps({"text": "fly", "question": 10**309}).encode(), headers=headers)
    assert answer.json()["intent"]["status"] == "success"
    assert answer.json()["slots"]["error"] == "'question' must be a string, found int."
    (line,) = lines(capsys.readouterr().out)
    assert (line["failed"], line["refused"]) == ([], ["slots"])


@pytest.mark.parametrize(
    ("method", "path", "status", "logged"), [("GET", f"/{UTTERANCE}", 404, None), ("GET", "/predict", 405, "/predict")]
)
def test_only_paths_of_routes_are_logged(
    bundles: Path, capsys: pytest.CaptureFixture[str], method: str, path: str, status: int, logged: str | None
) -> None:
    deploy(bundles / "intent")(method, path)
    (line,) = lines(capsys.readouterr().out)
    assert (line["status"], line["path"]) == (status, logged)


def test_a_stage_is_not_part_of_the_path(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(bundles / "intent")("GET", "/", stage="prod")
    assert lines(capsys.readouterr().out)[0]["path"] == "/"


@pytest.mark.filterwarnings("default")
def test_neither_utterances_nor_tokens_are_ever_logged(
    breaking: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    send = deploy(
        breaking, NLU_OPEN="", NLU_TOKEN_DIGESTS=digest(TOKEN), NLU_LOG_LEVEL="DEBUG", NLU_MAX_BODY_BYTES="999"
    )
    caplog.set_level(logging.DEBUG)
    form, body = multipart({"text": f"{UTTERANCE} fly", UTTERANCE: UTTERANCE, "model": UTTERANCE})
    table = {"columns": [UTTERANCE], "data": [[UTTERANCE]], "index": [UTTERANCE]}
    encoded = body.replace(b'name="text"', f'name="text"\r\nContent-Transfer-Encoding: {UTTERANCE}'.encode())
    sent: list[tuple[str, bytes]] = [
        multipart({"text": UTTERANCE}),
        multipart({"text": f"{UTTERANCE} {CRASH}"}),
        multipart({"text": UTTERANCE * 2000}),
        (form, body),
        (form, body[:-9]),
        (form, encoded),
        (form, body.replace(b'"text"', f'"text"; filename="{UTTERANCE}"'.encode())),
        (form, UTTERANCE.encode()),
        (UTTERANCE, UTTERANCE.encode()),
        ("application/json", json.dumps({"text": [UTTERANCE]}).encode()),
        ("application/json", f'{{"text": "{UTTERANCE}"'.encode()),
        ("application/json", f'{{"text": "{UTTERANCE}\\ud800"}}'.encode()),
        ("application/json", json.dumps({"dataset": table, "text": UTTERANCE}).encode()),
        ("application/json", json.dumps({"dataset": UTTERANCE}).encode()),
        ("application/x-www-form-urlencoded", f"text={UTTERANCE}%FF".encode()),
    ]
    statuses = set()
    for path in ("/predict", "/batch_predict", f"/{UTTERANCE}"):
        for content_type, content in sent:
            headers = {"content-type": content_type}
            statuses.add(send("POST", path, content, query=f"token={TOKEN}", headers=headers).status)
            statuses.add(send("POST", path, content, headers={**headers, "x-api-key": TOKEN + "x"}).status)
            bearer = {**headers, "authorization": f"Bearer {TOKEN}"}
            statuses.add(send("POST", path, content, query=f"token=x{TOKEN}&text={UTTERANCE}", headers=bearer).status)
    assert statuses == {200, 400, 401, 404, 413, 415}
    captured = capfd.readouterr()
    everything = captured.out + captured.err + caplog.text + "".join(map(repr, (r.__dict__ for r in caplog.records)))
    assert len(lines(captured.out)) > 3 * 3 * len(sent) - 1
    assert UTTERANCE not in everything
    assert TOKEN not in everything


def test_capture_logs_no_text_and_one_line_if_s3_cannot_be_reached(breaking: Path) -> None:
    texts = [f"{UTTERANCE} fly", f"{UTTERANCE} {CRASH}", f"{UTTERANCE}@example.com hotel"]
    program = (
        "import json, sys; from handler.entrypoint import lambda_handler, observing\n"
        "for event in json.loads(sys.argv[1]): lambda_handler(event, None)\n"
        "observing.deferred.stop()"
    )
    events = [
        http_api_event("POST", "/predict", body, headers={"content-type": form})
        for form, body in (multipart({"text": text}) for text in texts)
    ]
    environ = environment(
        breaking,
        NLU_CAPTURE="s3://captured/here",
        NLU_CAPTURE_SAMPLE="1",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:1",
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID=TOKEN,
        AWS_SECRET_ACCESS_KEY=TOKEN,
    )
    done = run_python("-c", program, json.dumps(events), **environ)
    assert done.returncode == 0, done.stderr
    (failed,) = [line for line in lines(done.stdout) if line["message"] == "capture failed"]
    assert failed["reason"] == "S3 cannot be reached (ConnectionRefusedError)"
    assert UTTERANCE not in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_a_failure_logs_the_traceback_without_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    try:
        try:
            raise KeyError(UTTERANCE)
        except KeyError as cause:
            raise ValueError(f"cannot read {UTTERANCE}") from cause
    except ValueError as error:
        log_failure("it failed", error)
    (line,) = lines(capsys.readouterr().out)
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "it failed", "ValueError")
    assert line["causes"] == ["KeyError"]
    assert "test_logs.py" in line["traceback"]
    assert "cannot read zebra" not in line["traceback"]


def test_a_line_stays_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    token = request_id.set("id\n1")
    log("hello\nworld", number=float("nan"), text="é\u2028")
    request_id.reset(token)
    (line,) = lines(capsys.readouterr().out.replace("\u2028", "?"))
    assert (line["message"], line["request_id"], line["number"], line["text"]) == ("hello\nworld", "id\n1", None, "é?")


def test_configuring_twice_does_not_log_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    configure("INFO")
    log("once")
    assert len(lines(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(("level", "count"), [("ERROR", 1), ("INFO", 2)])
def test_the_deployment_sets_the_level(level: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure(level)
    log("request")
    log_failure("failed", ValueError())
    assert len(lines(capsys.readouterr().out)) == count


def test_a_broken_stream_fails_no_request(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    configure("INFO", stream)
    log("written")
    stream.close()
    log("lost")
    assert [line["message"] for line in lines((tmp_path / "log").read_text())] == ["written"]


def test_a_program_that_uses_the_package_as_a_library_decides_about_its_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logs, "_log", None)
    log("started", models=2)
    log_refusal("refused")
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("handler", "WARNING", "refused")
    ]
