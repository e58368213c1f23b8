"""What the deployment's roles allow."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.deploy.template import Evaluator, load, values

TEMPLATE: Any = load()
WITHOUT_RESOURCES = {
    *("cloudwatch:GetMetricData", "cloudwatch:PutMetricData"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
}
"""Actions that AWS does not limit to a resource."""


def reads(bucket: str, prefix: str) -> tuple[set[str], set[str], set[str]]:
    """Return the objects that the function can read, and the buckets and prefixes that it can list."""
    evaluate = Evaluator(TEMPLATE, BundleBucket=bucket, BundlePrefix=prefix)
    policies = evaluate.value(TEMPLATE["Resources"]["FunctionRole"]["Properties"]["Policies"])
    statements = [policy["PolicyDocument"]["Statement"] for policy in policies if policy["PolicyName"] == "bundles"]
    if not statements:
        return set(), set(), set()
    get, listing = statements[0]
    assert (get["Action"], listing["Action"]) == ("s3:GetObject", "s3:ListBucket")
    prefixes = listing.get("Condition", {}).get("StringLike", {}).get("s3:prefix", [])
    return set(get["Resource"]), set(listing["Resource"]), set(prefixes)


def may_read(bucket: str, prefix: str, key: str) -> bool:
    return any(fnmatchcase(f"arn:aws:s3:::{key}", pattern) for pattern in reads(bucket, prefix)[0])


def test_a_bucket_and_a_folder() -> None:
    assert reads("", "") == (set(), set(), set())
    assert reads("models", "") == ({"arn:aws:s3:::models/*"}, {"arn:aws:s3:::models"}, set())
    assert reads("models", "nlu/v3") == ({"arn:aws:s3:::models/nlu/v3/*"}, {"arn:aws:s3:::models"}, {"nlu/v3/*"})


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [("models", "nlu"), ("models", "nlu/v4,nlu/v3"), ("models", "")],
    ids=["parent", "both", "whole bucket"],
)
def test_a_new_prefix_keeps_the_access_of_the_live_version(bucket: str, prefix: str) -> None:
    for key in ("models/nlu/v4/intent/manifest.json", "models/nlu/v3/intent/model.onnx"):
        assert may_read(bucket, prefix, key)
    assert may_read(bucket, prefix, "models/invoices/1.pdf") is (prefix == "")
    assert not may_read(bucket, prefix, "others/nlu/v4/x")


def test_a_new_bucket_keeps_the_access_of_the_live_version() -> None:
    assert reads("new,old", "nlu/v4,nlu/v3") == (
        {"arn:aws:s3:::new/nlu/v4/*", "arn:aws:s3:::old/nlu/v3/*"},
        {"arn:aws:s3:::new", "arn:aws:s3:::old"},
        {"nlu/v4/*", "nlu/v3/*"},
    )
    assert reads("new,old", "")[0] == {"arn:aws:s3:::new/*", "arn:aws:s3:::old/*"}


@pytest.mark.parametrize(
    ("capture", "bucket"), [("off", None), ("on", "{'Ref': 'CaptureBucket'}"), ("my-bucket", "my-bucket")]
)
def test_the_function_may_only_write_captured_messages(capture: str, bucket: str | None) -> None:
    policies = Evaluator(TEMPLATE, Capture=capture).value(
        TEMPLATE["Resources"]["FunctionRole"]["Properties"]["Policies"]
    )
    found = [policy["PolicyDocument"]["Statement"] for policy in policies if policy["PolicyName"] == "capture"]
    allowed = f"arn:aws:s3:::{bucket}/captured/${{AWS::StackName}}/*"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": allowed}
    assert found == ([] if bucket is None else [[statement]])


def test_roles_allow_only_specific_resources() -> None:
    for policy in values(TEMPLATE["Resources"], "PolicyDocument"):
        for statement in policy["Statement"]:
            if statement["Effect"] == "Deny":
                continue
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action]
            assert statement["Resource"] != "*" or set(actions) <= WITHOUT_RESOURCES
            if actions == ["cloudwatch:PutMetricData"]:
                assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": {"Ref": "AWS::StackName"}}}
    assert not list(values(TEMPLATE["Resources"], "ManagedPolicyArns"))


def test_every_arn_uses_the_stacks_partition() -> None:
    for text in (*values(TEMPLATE, "Fn::Sub"),):
        written = text if isinstance(text, str) else text[0]
        assert "arn:" not in written or "arn:${AWS::Partition}:" in written, written


@pytest.mark.parametrize(("tracing", "allowed"), [("PassThrough", False), ("Active", True)])
def test_traces_are_allowed_only_if_they_are_on(tracing: str, allowed: bool) -> None:
    role = Evaluator(TEMPLATE, Tracing=tracing).value(TEMPLATE["Resources"]["FunctionRole"])
    assert ("traces" in [policy["PolicyName"] for policy in role["Properties"]["Policies"]]) is allowed
