"""The command line, with real files and processes."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.auth import digest
from tests.bundles import CRASH, INTENT, LANGUAGE, TAGGER, write_bundle
from tests.handler.deployment import run_python, served
from tests.hexabot_client import axios_query, decode, multipart, understand

LIMIT = 2000
TEXT = "bonjour, fly to New York tomorrow"


@pytest.fixture(scope="module")
def port(bundles: Path) -> Iterator[int]:
    """Serve language, intent and slots with a token, and yield the port."""
    with served([bundles], NLU_TOKEN_DIGESTS=digest("a token"), NLU_MAX_BODY_BYTES=str(LIMIT)) as port:
        yield port


def test_ask_prints_a_table(bundles: Path) -> None:
    finished = run_python("-m", "handler", "ask", str(bundles), "fly to New York tomorrow", "hello")
    assert (finished.returncode, finished.stderr) == (0, "")
    first, *rows = finished.stdout.splitlines()
    assert first == "fly to New York tomorrow"
    assert [row.split()[0] for row in rows[:3]] == ["intent", "language", "slots"]
    assert rows[0].split() == ["intent", "book_flight", "0.993"]
    assert rows[2].strip().startswith("slots       city = New York (0.983), date = tomorrow (0.983)")
    assert rows[3] == "hello"
    assert rows[6].split() == ["slots", "none"]


def test_ask_json_prints_what_hexabot_gets(bundles: Path) -> None:
    finished = run_python("-m", "handler", "ask", str(bundles), TEXT, "  Paris", "--json")
    first, second = (json.loads(line) for line in finished.stdout.splitlines())
    assert [slot.value for slot in understand(TEXT, first).slots] == ["New York", "tomorrow"]
    assert [slot.start for slot in understand("  Paris", second).slots] == [2]


def test_ask_shows_unsure_answers() -> None:
    finished = run_python("-m", "handler", "ask", "examples/bundles/language", "XK-4471", "bonjour")
    assert [line.split() for line in finished.stdout.splitlines()] == [
        ["XK-4471"],
        ["language", "unsure", "fr", "0.974"],
        ["bonjour"],
        ["language", "fr", "0.998"],
    ]


def test_ask_prints_the_other_models_if_one_fails(tmp_path: Path) -> None:
    for head in (LANGUAGE, INTENT, TAGGER):
        write_bundle(tmp_path / head.name, head, breaking=head is not LANGUAGE)
    finished = run_python("-m", "handler", "ask", str(tmp_path), f"bonjour {CRASH}")
    assert finished.returncode == 0
    assert "The model failed" in finished.stdout
    assert any(line.split()[:2] == ["language", "fr"] for line in finished.stdout.splitlines())


@pytest.mark.parametrize(
    "command", [["ask", "BUNDLES", "hello"], ["serve", "BUNDLES", "--open"], ["BUNDLES", "--open"]]
)
def test_a_folder_without_bundles_is_an_error_with_advice(tmp_path: Path, command: list[str]) -> None:
    arguments = [str(tmp_path) if word == "BUNDLES" else word for word in command]
    finished = run_python("-m", "handler", *arguments)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith(f"error: No bundle in {tmp_path}: ")
    assert "Traceback" not in finished.stderr


def test_serving_without_tokens_needs_the_option_open(bundles: Path) -> None:
    finished = run_python("-m", "handler", str(bundles))
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: No token is configured")


def test_a_text_over_the_limit_is_an_error(bundles: Path) -> None:
    finished = run_python("-m", "handler", "ask", str(bundles), "hello", NLU_MAX_TEXT_CHARACTERS="4")
    assert finished.returncode == 1
    assert finished.stderr == "error: A text has 5 characters, and the limit is 4: shorten it.\n"


def test_token_prints_a_token_and_its_digest() -> None:
    finished = run_python("-m", "handler", "token")
    (_, token), (_, known) = (line.split() for line in finished.stdout.splitlines())
    assert known == hashlib.sha256(token.encode()).hexdigest()
    assert "NLU_TOKEN_DIGESTS" in finished.stderr


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["ask"], 2), ([], 2), (["serve"], 2)])
def test_usage_errors_exit_with_2(arguments: list[str], code: int) -> None:
    finished = run_python("-m", "handler", *arguments)
    assert finished.returncode == code
    assert "usage: python -m handler" in finished.stdout + finished.stderr


def test_a_served_model_answers_hexabot(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    content_type, body = multipart({"text": TEXT})
    connection.request("POST", f"/predict?{axios_query('a token')}", body, {"content-type": content_type})
    response = connection.getresponse()
    assert response.status == 200
    assert [slot.value for slot in understand(TEXT, decode(response.read())).slots] == ["New York", "tomorrow"]
    connection.close()


def test_a_request_without_a_token_is_refused(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", b"text=fly", {"content-type": "application/x-www-form-urlencoded"})
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)], ids=["at the limit", "over it"])
def test_a_chunked_body_is_counted_as_it_arrives(port: int, size: int, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = b'{"text": "fly"}'.ljust(size)
    chunks = [body[start : start + 500] for start in range(0, size, 500)]
    headers = {"content-type": "application/json", "transfer-encoding": "chunked", "x-api-key": "a token"}
    connection.request("POST", "/predict", iter(chunks), headers, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == status
    assert ("error" in decode(response.read())) == (status == 413)
    connection.close()


def test_an_endless_body_is_cut_off_at_the_limit(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", "/predict")
    for name, value in {
        "content-type": "application/json",
        "transfer-encoding": "chunked",
        "x-api-key": "a token",
    }.items():
        connection.putheader(name, value)
    connection.endheaders(b"%x\r\n%s\r\n" % (LIMIT + 1, b" " * (LIMIT + 1)))
    assert connection.getresponse().status == 413
    connection.close()
