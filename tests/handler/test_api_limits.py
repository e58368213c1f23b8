"""Oversized and malformed requests get a clear 4xx from the Lambda function."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.handler.deployment import Send, deploy, predict
from tests.hexabot_client import BOUNDARY, multipart, understand

JSON = {"content-type": "application/json"}
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy language, intent and slots, with small limits."""
    return deploy(bundles, NLU_MAX_TEXT_CHARACTERS="20", NLU_MAX_BODY_BYTES="1000")


def test_a_text_over_the_limit_is_refused(send: Send) -> None:
    assert predict(send, {"text": "é" * 20}).status == 200
    answer = predict(send, {"text": "é" * 21})
    assert answer.status == 413
    assert answer.json()["error"] == "A text has 21 characters, and the limit is 20: shorten it."


@pytest.mark.parametrize("declared", ["1001", "0", "", "-1", "many", "9" * 5000, "٣"], ids=lambda value: value[:5])
def test_a_body_over_the_limit_is_refused_whatever_size_it_declares(send: Send, declared: str) -> None:
    body = b'{"text": "a"}'.ljust(1001)
    answer = send("POST", "/predict", body, headers={**JSON, "content-length": declared})
    assert answer.status == 413
    assert answer.json()["error"] == "The body is over 1000 bytes: send shorter texts or smaller batches."


def test_a_body_at_the_limit_is_read(send: Send) -> None:
    assert send("POST", "/predict", b'{"text": "a"}'.ljust(1000), headers=JSON).status == 200


@pytest.mark.parametrize("declared", ["1001", "9" * 5000], ids=["over", "absurd"])
def test_a_body_that_declares_too_much_is_refused_at_once(send: Send, declared: str) -> None:
    assert send("POST", "/predict", b"{}", headers={**JSON, "content-length": declared}).status == 413


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "multipart/mixed; boundary=x"])
def test_an_unsupported_content_type_is_refused(send: Send, content_type: str) -> None:
    answer = send("POST", "/predict", b"hello", headers={"content-type": content_type})
    assert answer.status == 415
    expected = "send one of multipart/form-data, application/x-www-form-urlencoded, application/json."
    assert answer.json()["error"].endswith(expected)


def test_a_body_without_a_content_type(send: Send) -> None:
    answer = send("POST", "/predict", b"hello")
    assert (answer.status, "The content type is 'none'" in answer.json()["error"]) == (415, True)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({"content-type": "multipart/form-data"}, multipart({"text": "a"})[1], "no boundary"),
        (FORM, multipart({"text": "a"})[1][:-9], "malformed"),
        (FORM, multipart({"text": "a"})[1].replace(b'"text"', b'"text"; filename="a.txt"'), "'text' is a file"),
        (FORM, multipart({"text": "a"})[1].replace(b"\r\na\r\n", b"\r\n\xff\r\n"), "not valid UTF-8"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"text=%E9", "not valid UTF-8"),
        (JSON, b'{"text": "\xe9"}', "not valid UTF-8"),
        (JSON, b'{"text": "\\ud83d"}', "not JSON"),
        (JSON, b'{"text": "a"', "not JSON"),
        (JSON, b'["a"]', "must be an object"),
        (JSON, b'{"text": 5}', "'text' must be a string, found int."),
        (JSON, b'{"text": ["a"]}', "'text' must be a string, found list."),
        (JSON, b'{"text": null}', "'text' is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_malformed_request(send: Send, headers: dict[str, str], body: bytes, message: str) -> None:
    answer = send("POST", "/predict", body, headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert message in answer.json()["error"]


@given(
    path=st.sampled_from(["/predict", "/batch_predict", "/", "/other"]),
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS"]),
    headers=st.sampled_from([FORM, JSON, {"content-type": "application/x-www-form-urlencoded"}, {}]),
    body=st.binary(max_size=1200)
    | st.dictionaries(
        st.sampled_from(["text", "model", "dataset", "x"]),
        st.none() | st.text(max_size=30) | st.integers() | st.lists(st.text(max_size=3), max_size=3),
    ).map(lambda fields: json.dumps(fields).encode("utf-8", "surrogatepass"))
    | st.dictionaries(st.sampled_from(["text", "model", "dataset"]), st.text(max_size=30)).map(
        lambda fields: multipart(fields)[1]
    ),
    query=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20),
)
def test_the_answer_to_any_request_is_json(
    send: Send, path: str, method: str, headers: dict[str, str], body: bytes, query: str
) -> None:
    answer = send(method, path, body, headers=headers, query=query)
    assert answer.status in {200, 400, 404, 405, 413, 415}
    assert isinstance(answer.json(), dict)
    assert answer.status == 200 or isinstance(answer.json()["error"], str)


@given(text=st.text(max_size=20))
def test_hexabot_can_read_the_answer_to_anything_it_sends(send: Send, text: str) -> None:
    understand(text, predict(send, {"text": text}).json())
