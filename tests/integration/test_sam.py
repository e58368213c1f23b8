"""The template's function in its container, run by AWS SAM: single events, and the HTTP API."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import local_sam
from scripts.ask_emulator import free_port
from scripts.base_image import ensure_base_image
from tests.hexabot_client import axios_query, decode, multipart, understand
from tests.integration.containers import engine, engine_or_skip
from tests.processes import tool

ROOT = Path(__file__).resolve().parents[2]
TEXT = "book me a flight to New York next friday morning"
TOKEN = "local-only"
SECONDS = 120
FAULTS = """\
import time

from handler.entrypoint import lambda_handler as answer


def lambda_handler(event, context):
    fault = event["headers"].get("X-Fault") or event["headers"].get("x-fault")
    if fault == "slow":
        time.sleep(60)
    if fault == "greedy":
        bytes(range(256)) * (1 << 24)
    return answer(event, context)
"""

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Sam:
    """The `sam` program, its environment, and the built template."""

    program: str
    environ: Mapping[str, str]
    template: Path


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes


@pytest.fixture(scope="module")
def sam() -> Iterator[Sam]:
    found = engine_or_skip()
    ensure_base_image(found)
    program = tool("cloud", "sam")
    with local_sam.docker_host(found) as environ:
        yield Sam(program, environ, local_sam.build(program, environ))


@contextmanager
def served(sam: Sam, template: Path) -> Iterator[int]:
    """Serve the HTTP API on a free port, and yield the port."""
    port = free_port()
    command = local_sam.api_command(sam.program, template, port)
    with subprocess.Popen(
        command, cwd=ROOT, env=sam.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if "Running on http" in line:
                    break
            else:
                pytest.fail(f"sam local start-api ended: {''.join(said)}")
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def port(sam: Sam) -> Iterator[int]:
    with served(sam, sam.template) as port:
        yield port


def send(port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def predict(port: int, text: str = TEXT, query: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    content_type, body = multipart({"text": text})
    sent = {"accept": "application/json, text/plain, */*", "content-type": content_type, **(headers or {})}
    return send(port, "POST", f"/predict{query and '?' + query}", body, sent)


def invoke(sam: Sam, name: str) -> Any:
    """Return the function's response to an event in examples/events."""
    command = local_sam.invoke_command(sam.program, sam.template, ROOT / "examples" / "events" / f"{name}.json")
    done = subprocess.run(command, cwd=ROOT, env=sam.environ, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "status"), [("hexabot-base64", 200), ("rest-api", 200), ("batch", 200), ("wrong-token", 401)]
)
def test_events_are_answered_in_the_container(sam: Sam, name: str, status: int) -> None:
    answer = invoke(sam, name)
    assert answer["statusCode"] == status, answer
    if name in {"hexabot-base64", "rest-api"}:
        assert json.loads(answer["body"])["intent"]["predictions"]["intent_predictions"] == "book_flight"


def test_make_invoke_prints_the_answer(sam: Sam) -> None:
    command = [sys.executable, "-m", "scripts.local_sam", sam.program, "invoke", "examples/events/health.json"]
    done = subprocess.run(command, cwd=ROOT, env=sam.environ, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["statusCode"] == 200


def test_a_missing_event_lists_the_existing_ones() -> None:
    command = [sys.executable, "-m", "scripts.local_sam", "sam", "invoke", "nothing.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2
    assert "nothing.json does not exist; examples/events has batch, health" in done.stderr


def test_hexabots_own_request_is_understood(port: int) -> None:
    answer = predict(port, query=axios_query(TOKEN))
    assert answer.status == 200
    understanding = understand(TEXT, decode(answer.body))
    assert understanding.traits["intent"].value == "book_flight"
    assert understanding.traits["language"].value == "en"
    assert ("destination", "New York") in [(slot.entity, slot.value) for slot in understanding.slots]


def test_arabic_texts_arrive_unchanged(port: int) -> None:
    text = "أريد إلغاء الحجز"
    understanding = understand(text, decode(predict(port, text, axios_query(TOKEN)).body))
    assert understanding.traits["language"].value == "ar"


@pytest.mark.parametrize(
    ("query", "headers"),
    [(f"token={TOKEN}", {}), ("", {"authorization": f"Bearer {TOKEN}"}), ("", {"x-api-key": TOKEN})],
    ids=["query", "bearer", "x-api-key"],
)
def test_a_token_is_accepted_in_three_places(port: int, query: str, headers: dict[str, str]) -> None:
    assert predict(port, query=query, headers=headers).status == 200


@pytest.mark.parametrize("query", ["", "token=", "token=wrong"])
def test_any_other_token_is_rejected(port: int, query: str) -> None:
    assert predict(port, query=query).status == 401


def test_a_text_that_is_too_long_is_rejected(port: int) -> None:
    assert predict(port, "a" * 10_001, axios_query(TOKEN)).status == 413


def test_the_health_check_needs_no_token(port: int) -> None:
    answer = send(port, "GET", "/")
    assert answer.status == 200
    assert sorted(json.loads(answer.body)["models"]) == ["intent", "language", "slots"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/.env"), ("OPTIONS", "/"), ("OPTIONS", "/predict"), ("PUT", "/predict")]
)
def test_other_paths_and_methods_never_reach_the_function(port: int, method: str, path: str) -> None:
    assert send(port, method, path).status == 403


@pytest.fixture(scope="module")
def faulty_port(sam: Sam, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve the image with a handler that sleeps or allocates memory on request, with limits of 5 s and 512 MB."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.py").write_text(FAULTS, encoding="utf-8")
    (folder / "Dockerfile").write_text(
        'FROM function:latest\nCOPY faults.py /var/task/\nCMD ["faults.lambda_handler"]\n', encoding="utf-8"
    )
    engine().run("build", "-t", "docker.io/library/function-faults:latest", str(folder))
    template = yaml.safe_load(sam.template.read_text(encoding="utf-8"))
    function = template["Resources"]["Function"]
    function["Properties"] |= {"ImageUri": "function-faults:latest", "Timeout": 5, "MemorySize": 512}
    (folder / "template.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    with served(sam, folder / "template.yaml") as port:
        yield port


@pytest.mark.parametrize("fault", ["slow", "greedy"])
def test_a_request_that_kills_its_container_does_not_affect_the_next_one(faulty_port: int, fault: str) -> None:
    broken = predict(faulty_port, query=axios_query(TOKEN), headers={"x-fault": fault})
    assert broken.status >= 500
    assert predict(faulty_port, query=axios_query(TOKEN)).status == 200
