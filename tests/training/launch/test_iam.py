"""What `launch setup` creates, and what `launch policy` allows."""

import json

import boto3
import pytest

from tests.training.launch.conftest import BUCKET, Launch
from training.__main__ import main


def test_setup_is_idempotent(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "setup", "--bucket", BUCKET]) == 0
    assert capsys.readouterr().err.count("Already exists") == 4
    iam = boto3.client("iam")
    rights = iam.get_role_policy(RoleName="ludwig-serverless-launch", PolicyName=f"jobs-in-{BUCKET}")["PolicyDocument"]
    assert rights["Statement"][0]["Resource"] == f"arn:aws:s3:::{BUCKET}/ludwig-serverless/jobs/*"
    roles = iam.get_instance_profile(InstanceProfileName="ludwig-serverless-launch")["InstanceProfile"]["Roles"]
    assert [role["RoleName"] for role in roles] == ["ludwig-serverless-launch"]
    for name, service in (("ludwig-serverless-launch", "ec2"), ("ludwig-serverless-launch-deadline", "scheduler")):
        (trust,) = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert ("Condition" in trust) == (service == "scheduler")  # no other account's schedules may use it


@pytest.mark.integration
def test_the_policy_allows_what_a_launch_does_and_no_more(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.run() == 0
    assert main(["launch", "list"]) == 0
    capsys.readouterr()
    assert main(["launch", "policy", "user", "--bucket", BUCKET, "--region", "eu-west-1"]) == 0
    policy = json.loads(capsys.readouterr().out)
    listed = [statement["Action"] for statement in policy["Statement"]]
    allowed = {action for actions in listed for action in ([actions] if isinstance(actions, str) else actions)}
    in_s3 = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}
    done = {"ec2:RunInstances"}
    for stage in launch.line.stages:
        first = stage.split()[0]
        if stage in {"HEAD bucket", "GET list"}:
            done.add("s3:ListBucket")
        elif first in in_s3:
            done.add(in_s3[first])
        elif first == "GetParameter":
            done.add("ssm:GetParameter")
        elif first.endswith("Schedule"):
            done.add(f"scheduler:{first}")
        elif not first.startswith(("RunInstances", "GetCallerIdentity")):
            done.add(f"ec2:{first}")
    implied = {"ec2:CreateTags", "iam:PassRole", "iam:CreateServiceLinkedRole"}
    when_needed = {"ec2:GetConsoleOutput", "ec2:CancelSpotInstanceRequests"}
    by_hand = {"s3:DeleteObject", "s3:AbortMultipartUpload"}
    assert allowed == done | implied | when_needed | by_hand
    assert "@" not in json.dumps(policy)


@pytest.mark.parametrize(
    ("more", "allowed"),
    [([], "g5.xlarge"), (["--instance-types", "p4d.24xlarge, g6.*"], "g6.*")],
    ids=["default", "given"],
)
def test_the_policy_limits_instance_types(more: list[str], allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "policy", "user", "--bucket", BUCKET, *more]) == 0
    statements = {each["Sid"]: each for each in json.loads(capsys.readouterr().out)["Statement"]}
    types = statements["StartTaggedInstancesWithIMDSv2"]["Condition"]["StringLike"]["ec2:InstanceType"]
    assert allowed in types
    assert ("p4d.24xlarge" in types) == bool(more)
    assert not any(each.startswith("p5") or each == "*" for each in types)


def test_invalid_instance_types(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["launch", "policy", "user", "--bucket", BUCKET, "--instance-types", "g5"])
    assert "expected instance types such as g5.xlarge,g6.*" in capsys.readouterr().err
