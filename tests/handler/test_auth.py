"""Tokens and their digests, on their own and through the Lambda function."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.auth import authorize, digest, new_token
from handler.errors import UnauthorizedError
from tests.handler.deployment import Send, deploy
from tests.hexabot_client import axios_query, multipart

TOKENS = ("first token: $,é+/", "second")


@pytest.fixture(scope="module")
def send(bundles: Path) -> Send:
    """Deploy a function that knows two tokens."""
    digests = ", ".join(digest(token) for token in TOKENS)
    return deploy(bundles / "intent", NLU_OPEN="", NLU_TOKEN_DIGESTS=digests.upper())


def status(send: Send, query: str = "", headers: Mapping[str, str] | None = None) -> int:
    """Send a request with a caller's credentials and return the status."""
    content_type, body = multipart({"text": "fly"})
    answer = send("POST", "/predict", body, query=query, headers={"content-type": content_type, **(headers or {})})
    assert (answer.status == 401) == (answer.headers.get("www-authenticate") == "Bearer")
    return answer.status


@pytest.mark.parametrize("token", TOKENS)
def test_hexabot_sends_its_token_in_the_query(send: Send, token: str) -> None:
    assert status(send, axios_query(token)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer second"},
        {"Authorization": "bearer  second "},
        {"x-api-key": "second"},
        {"X-API-KEY": "second", "authorization": "Basic c2Vjb25k"},
    ],
    ids=["bearer", "bearer with spaces", "x-api-key", "x-api-key beside another scheme"],
)
def test_other_callers_send_their_token_in_a_header(send: Send, headers: dict[str, str]) -> None:
    assert status(send, headers=headers) == 200


def test_one_known_token_is_enough(send: Send) -> None:
    assert status(send, "token=wrong&token=second") == 200
    assert status(send, "token=wrong", {"x-api-key": "second"}) == 200


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("token=", {}),
        ("token=wrong", {}),
        ("token=second%20", {}),
        ("token=SECOND", {}),
        (f"token={digest('second')}", {}),
        ("Token=second", {}),
        ("", {"authorization": "second"}),
        ("", {"authorization": f"Basic {base64.b64encode(b'second').decode()}"}),
        ("", {"authorization": "Bearer"}),
        ("", {"authorization": "Bearer ", "x-api-key": ""}),
        ("token=%ff%00", {"x-api-key": "\u00ff"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_everyone_else_is_refused(send: Send, query: str, headers: dict[str, str]) -> None:
    assert status(send, query, headers) == 401


@pytest.mark.parametrize(("query", "found"), [("token=", "it has no token"), ("token=x", "its token is unknown")])
def test_a_refusal_says_how_to_send_a_token(send: Send, query: str, found: str) -> None:
    answer = send("POST", "/batch_predict", query=query)
    assert answer.status == 401
    assert answer.json()["error"] == (
        f"The request is refused: {found}. Send a token as ?token=..., as `Authorization: Bearer ...` "
        "or as `x-api-key: ...`."
    )


def test_a_token_in_the_body_does_not_count(send: Send) -> None:
    content_type, body = multipart({"text": "fly", "token": "second"})
    assert send("POST", "/predict", body, headers={"content-type": content_type}).status == 401


def test_the_body_of_an_unauthorized_request_is_not_read(send: Send) -> None:
    assert send("POST", "/predict", b"x" * 2_000_000, headers={"content-type": "text/plain"}).status == 401


def test_health_needs_no_token(send: Send) -> None:
    assert send("GET", "/").status == 200


@pytest.mark.parametrize("query", ["", "token=", "token=anything"])
def test_an_open_service_needs_no_token(bundles: Path, query: str) -> None:
    assert status(deploy(bundles / "intent"), query) == 200


def test_a_new_token_matches_its_digest_and_is_url_safe() -> None:
    (token, known), (other, _) = new_token(), new_token()
    assert known == hashlib.sha256(token.encode()).hexdigest()
    assert axios_query(token) == f"token={token}"
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    assert token != other


@given(token=st.text(min_size=1), others=st.lists(st.text(min_size=1)))
def test_only_the_right_token_matches_a_digest(token: str, others: list[str]) -> None:
    authorize([*others, token], ["0" * 64, digest(token)])
    with pytest.raises(UnauthorizedError):
        authorize([other for other in others if other != token], [digest(token)])


def test_a_token_with_half_a_surrogate_pair_is_compared_too() -> None:
    authorize(["\ud800"], [digest("\ud800")])


def test_without_digests_no_token_is_known() -> None:
    with pytest.raises(UnauthorizedError):
        authorize(["", "token"], [])
