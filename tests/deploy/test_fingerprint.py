"""The digest of parameters, sent to CloudFormation over HTTP."""

from typing import Any

import pytest

from deploy.fingerprint import lambda_handler
from tests.deploy.cloud import running_cloud

PROPERTIES = {"ServiceToken": "arn:aws:lambda:...", "ServiceTimeout": "60", "Bundles": "s3://models/v1"}


def answer(request_type: str, **properties: str) -> Any:
    """Return the response to CloudFormation for a resource with these properties."""
    with running_cloud(lambda name, event: ({}, "")) as cloud:
        event = {
            "RequestType": request_type,
            "StackId": "arn:aws:cloudformation:...",
            "RequestId": "f1c2",
            "LogicalResourceId": "Fingerprint",
            "ResponseURL": f"{cloud.url}/signed",
            "ResourceProperties": {**PROPERTIES, **properties},
        }
        lambda_handler(event, None)
    return cloud.stored[0]


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_every_request_is_answered(request_type: str) -> None:
    told = answer(request_type)
    assert told["Status"] == "SUCCESS"
    assert (told["StackId"], told["RequestId"]) == ("arn:aws:cloudformation:...", "f1c2")
    assert told["LogicalResourceId"] == "Fingerprint"


def test_the_digest_changes_only_with_the_parameters() -> None:
    first = answer("Create", TokenDigests="a")
    assert answer("Update", TokenDigests="a") == first
    assert answer("Update", TokenDigests="a", ServiceTimeout="30") == first
    rotated = answer("Update", TokenDigests="b")
    assert rotated["Data"] != first["Data"]
    assert rotated["PhysicalResourceId"] == first["PhysicalResourceId"]
