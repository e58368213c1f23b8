"""Captured messages reach a folder or S3 (moto's server, over HTTP), and errors are one sentence without texts."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from handler.aws_credentials import Credentials, credential_source
from handler.capture_stores import FolderStore, LaterStore, store_at
from handler.errors import CaptureError, SettingsError
from handler.s3_upload import S3Store, bucket_address, quoted, signed_headers
from tests.processes import aws_environ, reset_aws
from tests.s3_front import S3Front, running_front

BUCKET, NAME, CONTENT = "captured-messages", "2026/11/27/ab-000001.jsonl", b'{"text": "zebra"}\n'


@pytest.fixture
def client(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of an S3 with one empty bucket."""
    reset_aws(aws_address)
    for name, value in aws_environ(aws_address).items():
        monkeypatch.setenv(name, value)
    found = boto3.client("s3")
    found.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return found


@pytest.fixture
def front(aws_address: str) -> Iterator[S3Front]:
    with running_front(aws_address) as found:
        yield found


def contents(client: Any) -> dict[str, bytes]:
    found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {each["Key"]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}


@pytest.mark.parametrize(("prefix", "key"), [("", NAME), ("/captured/bot é", f"captured/bot é/{NAME}")])
def test_an_object_is_written_and_replaced(client: Any, aws_address: str, prefix: str, key: str) -> None:
    store = S3Store(BUCKET, prefix.strip("/"), aws_environ(aws_address))
    store.put(NAME, b"old")
    store.put(NAME, CONTENT)
    assert contents(client) == {key: CONTENT}


def test_a_setting_names_the_store(client: Any, aws_address: str, tmp_path: Path) -> None:
    store_at(f"s3://{BUCKET}/captured", aws_environ(aws_address)).put(NAME, CONTENT)
    assert contents(client) == {f"captured/{NAME}": CONTENT}
    store_at(str(tmp_path / "new" / "folder"), {}).put(NAME, CONTENT)
    assert (tmp_path / "new" / "folder" / NAME).read_bytes() == CONTENT


def test_on_lambda_the_uploader_loads_with_the_first_write(client: Any, aws_address: str) -> None:
    store = store_at(f"s3://{BUCKET}/captured", {**aws_environ(aws_address), "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
    assert isinstance(store, LaterStore)
    assert store.seconds == S3Store.seconds
    store.put(NAME, CONTENT)
    assert contents(client) == {f"captured/{NAME}": CONTENT}


@pytest.mark.parametrize("stored", [True, False])
def test_a_busy_s3_is_asked_again_at_once_and_nothing_is_doubled(client: Any, front: S3Front, stored: bool) -> None:
    front.answers = [(stored, 503)]
    environ = {**aws_environ(""), "AWS_ENDPOINT_URL_S3": front.address, "AWS_SESSION_TOKEN": "t/+="}
    S3Store(BUCKET, "captured", environ).put(NAME, CONTENT)
    assert [path for path, _ in front.seen] == [f"/{BUCKET}/captured/{NAME}"] * 2
    assert all(headers["x-amz-security-token"] == "t/+=" for _, headers in front.seen)
    assert contents(client) == {f"captured/{NAME}": CONTENT}


@pytest.mark.parametrize(
    ("answers", "message", "requests"),
    [
        ([(False, 500), (False, 503)], "S3 answered 503 SlowDown", 2),
        ([(False, 403)], "S3 answered 403 Forbidden", 1),
    ],
)
def test_an_error_is_reported_without_the_content(
    front: S3Front, answers: list[tuple[bool, int]], message: str, requests: int
) -> None:
    front.answers = answers
    with pytest.raises(CaptureError) as refusal:
        S3Store(BUCKET, "", {**aws_environ(""), "AWS_ENDPOINT_URL": front.address}).put(NAME, CONTENT)
    assert (str(refusal.value), len(front.seen)) == (message, requests)


def test_a_bucket_that_does_not_exist_and_an_address_that_does_not_answer(client: Any, aws_address: str) -> None:
    with pytest.raises(CaptureError, match="S3 answered 404 NoSuchBucket: check the name of the bucket in NLU_CAPTURE"):
        S3Store("nowhere", "", aws_environ(aws_address)).put(NAME, CONTENT)
    with pytest.raises(CaptureError, match=r"^S3 cannot be reached \(ConnectionRefusedError\)$"):
        S3Store(BUCKET, "", aws_environ("http://127.0.0.1:1")).put(NAME, CONTENT)


@given(
    key=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    content=st.binary(max_size=50),
    token=st.sampled_from(["", "session/token=="]),
    moment=st.sampled_from(["20261127T100000Z", "20280229T235959Z"]),
)
def test_a_signature_is_that_of_botocore(key: str, content: bytes, token: str, moment: str) -> None:
    host, path = "bucket.s3.eu-west-1.amazonaws.com", quoted(f"/{key}")
    assert path == quote(f"/{key}", safe="/-._~")
    request = AWSRequest(method="PUT", url=f"https://{host}{path}", data=content)
    request.context["timestamp"] = moment
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(BotoCredentials("AKID", "secret/+", token or None), "s3", "eu-west-1")
    signer._modify_request_before_signing(request)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    found = signed_headers("PUT", host, path, content, Credentials("AKID", "secret/+", token), "eu-west-1", moment)
    assert found["authorization"].endswith(f"Signature={expected}")
    assert found.get("x-amz-security-token", "") == token


@pytest.mark.parametrize(
    ("bucket", "region", "environ", "expected"),
    [
        ("b-1", "eu-west-1", {}, ("https", "b-1.s3.eu-west-1.amazonaws.com", "")),
        ("b.1", "eu-west-1", {}, ("https", "s3.eu-west-1.amazonaws.com", "/b.1")),
        ("b-1", "cn-north-1", {}, ("https", "b-1.s3.cn-north-1.amazonaws.com.cn", "")),
        ("b-1", "x", {"AWS_ENDPOINT_URL": "https://s3.local/"}, ("https", "s3.local", "/b-1")),
        (
            "b-1",
            "x",
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b:5000"},
            ("http", "b:5000", "/b-1"),
        ),
    ],
)
def test_where_a_bucket_is(bucket: str, region: str, environ: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert bucket_address(bucket, region, environ) == expected


def test_a_place_that_cannot_be_written_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is not a folder that this process can write"):
        FolderStore(str(tmp_path / "file"))
    with pytest.raises(SettingsError, match="needs a region: set AWS_REGION"):
        store_at("s3://bucket-1/x", {})
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL_S3 must be an address"):
        store_at("s3://bucket-1/x", {"AWS_REGION": "x", "AWS_ENDPOINT_URL_S3": "localhost"})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SettingsError, match="NLU_CAPTURE needs AWS credentials, and there are none"):
        store_at("s3://bucket-1/x", {"AWS_REGION": "eu-west-1"})
    (tmp_path / "profile").write_text("[default]\naws_access_key_id=A\naws_secret_access_key=B\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "profile"))
    assert credential_source({})() == Credentials("A", "B", "")


def test_a_failing_folder_is_an_error_without_the_content(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path / "captured"))
    (tmp_path / "captured" / "2026").write_text("")
    with pytest.raises(CaptureError, match=r"^(NotADirectoryError|FileExistsError)"):
        store.put(NAME, CONTENT)


class Provider(http.server.BaseHTTPRequestHandler):
    """The provider of credentials of a container, as SnapStart and ECS have it."""

    seconds = 3600.0
    status = 200
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers['authorization']}")
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.seconds))
        found = {"AccessKeyId": f"K{len(self.asked)}", "SecretAccessKey": "s", "Token": "t", "Expiration": end}
        body = json.dumps(found).encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("seconds", "keys"), [(3600.0, ["K1", "K1"]), (100.0, ["K1", "K2"])])
def test_credentials_of_a_provider_are_renewed_before_they_end(seconds: float, keys: list[str]) -> None:
    kind = type("Kind", (Provider,), {"seconds": seconds, "asked": []})
    with http.server.HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "word",
        }
        source = credential_source(environ)
        assert [source().access_key for _ in range(2)] == keys
        assert set(kind.asked) == {"/creds word"}
        kind.status = 500
        with pytest.raises(CaptureError, match="the provider of AWS credentials answered 500"):
            credential_source(environ)()
        server.shutdown()
        thread.join()
    with pytest.raises(CaptureError, match="the provider of AWS credentials cannot be reached"):
        credential_source(environ)()
