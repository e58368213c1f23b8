"""What `launch setup` makes, once for an account and a region: a role, its instance profile, a shut security group."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.console import say
from training.errors import LaunchError
from training.launch.aws import Aws, explained
from training.launch.discovery import NAME
from training.launch.instances import Instances

POLICIES = Path(__file__).with_name("policies")
USER, INSTANCE = "user", "instance"
TAGS = [{"Key": "ludwig-serverless", "Value": "launch"}]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
DESCRIPTION = "Trainings of ludwig-serverless: nothing gets in"


def policy(kind: str, *, bucket: str, prefix: str, region: str, account: str) -> dict[str, Any]:
    """Return a policy: of the `user` who launches, or of the `instance`."""
    text = (POLICIES / f"{kind}.json").read_text(encoding="utf-8")
    jobs = f"{prefix}/jobs" if prefix else "jobs"
    values = {"@BUCKET@": bucket, "@JOBS@": jobs, "@REGION@": region, "@ACCOUNT@": account, "@NAME@": NAME}
    for name, value in values.items():
        text = text.replace(name, value)
    found: dict[str, Any] = json.loads(text)
    return found


def setup(aws: Aws, bucket: str, prefix: str, vpc: str | None) -> None:
    """Make what is missing, and bring the role's policy for this bucket up to date. Nothing of it costs anything."""
    iam = aws.client("iam")
    with explained("The account cannot be told"):
        account = aws.client("sts").get_caller_identity()["Account"]
    rights = policy(INSTANCE, bucket=bucket, prefix=prefix, region=aws.region, account=account)
    with explained(f"The role {NAME} cannot be made"):
        _unless(
            iam,
            "EntityAlreadyExists",
            f"role {NAME}",
            lambda: iam.create_role(
                RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST), Description=DESCRIPTION, Tags=TAGS
            ),
        )
        iam.put_role_policy(RoleName=NAME, PolicyName=_policy_name(bucket), PolicyDocument=json.dumps(rights))
        _unless(
            iam,
            "EntityAlreadyExists",
            f"instance profile {NAME}",
            lambda: iam.create_instance_profile(InstanceProfileName=NAME, Tags=TAGS),
        )
        profile = iam.get_instance_profile(InstanceProfileName=NAME)["InstanceProfile"]
        if NAME not in {role["RoleName"] for role in profile["Roles"]}:
            iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
    vpc = vpc or _default_vpc(aws)
    with explained(f"The security group {NAME} cannot be made"):
        ec2 = aws.client("ec2")
        _unless(
            ec2,
            "InvalidGroup.Duplicate",
            f"security group {NAME} in {vpc}",
            lambda: ec2.create_security_group(
                GroupName=NAME,
                Description=DESCRIPTION,
                VpcId=vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}],
            ),
        )


def teardown(aws: Aws) -> None:
    """Take away what `setup` made, in this region. Raises LaunchError as long as an instance lives."""
    if found := Instances(aws).find():
        raise LaunchError(
            f"{', '.join(each.id for each in found)} lives: run `ludwig-serverless launch stop --all` first."
        )
    ec2, iam = aws.client("ec2"), aws.client("iam")
    with explained(f"The security groups {NAME} cannot be taken away"):
        filters = [{"Name": "group-name", "Values": [NAME]}, {"Name": "tag:ludwig-serverless", "Values": ["launch"]}]
        for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
            ec2.delete_security_group(GroupId=group["GroupId"])
            say(f"Taken away: security group {group['GroupId']}.")
    with explained(f"The role {NAME} cannot be taken away"):
        _unless(
            iam,
            "NoSuchEntity",
            "",
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME),
        )
        _unless(iam, "NoSuchEntity", "", lambda: iam.delete_instance_profile(InstanceProfileName=NAME))
        _unless(iam, "NoSuchEntity", "", lambda: _delete_role(iam))
    say(f"Taken away: role and instance profile {NAME}.")


def _delete_role(iam: Any) -> None:
    for name in iam.list_role_policies(RoleName=NAME)["PolicyNames"]:
        iam.delete_role_policy(RoleName=NAME, PolicyName=name)
    iam.delete_role(RoleName=NAME)


def _policy_name(bucket: str) -> str:
    """Each bucket has a policy of its own, so that setting up one takes nothing from another."""
    return f"jobs-in-{bucket}"


def _default_vpc(aws: Aws) -> str:
    with explained("The default VPC cannot be found"):
        found = aws.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise LaunchError(f"There is no default VPC in {aws.region}: give one with --vpc, and later its --subnet.")
    return str(found[0]["VpcId"])


def _unless(client: Any, code: str, made: str, make: Callable[[], object]) -> None:
    """Do something, unless AWS says that it is done already."""
    try:
        make()
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        if made:
            say(f"There is already: {made}.")
    else:
        if made:
            say(f"Made: {made}.")
