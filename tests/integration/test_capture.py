"""Capture on Lambda, in AWS's emulator, with moto's S3: scrubbed, after the invocation, and exactly once."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from handler.captured import CapturedMessage, decode_messages
from scripts.ask_emulator import hexabot_event, invoke, running_lambda
from tests.bundles import write_standard_bundles
from tests.processes import aws_environ, use_empty_aws
from tests.s3_front import running_front
from training.review.captures import read_captures

ROOT = Path(__file__).resolve().parents[2]
BUCKET, PREFIX = "captured-messages", "captured/stack"
UNSURE = "fly hotel joe@example.com card ٤١١١ ١١١١ ١١١١ ١١١١"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator runs on Linux only"),
]


@pytest.fixture
def client(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of an S3 with one empty bucket."""
    use_empty_aws(aws_address, monkeypatch)
    found = boto3.client("s3")
    found.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return found


@pytest.mark.parametrize(
    "answers",
    [[], [(False, 503)], [(True, 500)]],
    ids=["stored", "refused at first", "stored, and the answer says otherwise"],
)
def test_an_unsure_message_is_in_the_bucket_once_after_its_invocation(
    emulator: Path, client: Any, aws_address: str, tmp_path: Path, answers: list[tuple[bool, int]]
) -> None:
    bundles = write_standard_bundles(tmp_path / "bundles")
    with running_front(aws_address) as front:
        front.answers = list(answers)
        environ = {
            **aws_environ(aws_address),
            "NLU_BUNDLES": str(bundles),
            "NLU_OPEN": "1",
            "NLU_CAPTURE": f"s3://{BUCKET}/{PREFIX}",
            "NLU_CAPTURE_SAMPLE": "0",
            "AWS_ENDPOINT_URL_S3": front.address,
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
        }
        with running_lambda(emulator, environ, log_path=tmp_path / "log") as url:
            assert invoke(url, hexabot_event("fly to Paris", ""))["statusCode"] == 200
            kept_out = hexabot_event("fly hotel secret", "")
            kept_out["headers"]["x-no-capture"] = "1"
            assert invoke(url, kept_out)["statusCode"] == 200
            assert front.seen == []
            response = invoke(url, hexabot_event(UNSURE, ""))
            listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        assert len(front.seen) == len(answers) + 1
    (key,) = [each["Key"] for each in listed]
    content = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    (message,) = decode_messages(content)
    assert isinstance(message, CapturedMessage)
    assert message.text == "fly hotel <email> card <card>"
    assert (message.id, message.version) == (response["headers"]["x-request-id"], "7")
    assert key.startswith(f"{PREFIX}/{message.time[:10].replace('-', '/')}/")
    assert [each.id for each in read_captures(f"s3://{BUCKET}/{PREFIX}").messages] == [message.id]
    log = (tmp_path / "log").read_text()
    assert '"message":"request"' in log
    assert not [text for text in ("fly", "joe", "secret", "٤١١١") if text in log]
    assert json.loads(response["body"])["intent"]["status"] == "success"
