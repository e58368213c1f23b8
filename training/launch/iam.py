"""`launch setup` creates the IAM roles, the instance profile and the security group, once per account and region."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from export.console import say
from training.errors import LaunchError
from training.launch.aws import Aws, explained
from training.launch.discovery import DEADLINE_ROLE, NAME
from training.launch.instances import Instances

POLICIES = Path(__file__).with_name("policies")
INSTANCE, DEADLINE = "instance", "deadline"
INSTANCE_TYPES = (
    *("g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g5.2xlarge", "g5.4xlarge"),
    *("g6.xlarge", "g6.2xlarge", "g6.4xlarge", "g6e.xlarge", "g6e.2xlarge"),
)
"""The instance types that a user may start by default: one GPU each, up to about $2.50 an hour on demand."""
TAGS = [{"Key": "ludwig-serverless", "Value": "launch"}]
DESCRIPTION = "Trainings of ludwig-serverless: nothing gets in"


def policy(
    kind: str,
    *,
    bucket: str,
    prefix: str,
    region: str,
    account: str,
    instance_types: Sequence[str] = INSTANCE_TYPES,
) -> dict[str, Any]:
    """Return a policy with the least permissions.

    Args:
        kind: Who gets the permissions: the `user` who launches, the `instance`, or the `deadline`.
        bucket: The bucket of the jobs.
        prefix: The folder in the bucket.
        region: The region of the instances; `*` for any.
        account: The account number; `*` for any.
        instance_types: The instance types that the user may start; `*` matches any characters.

    Returns:
        The IAM policy document.
    """
    text = (POLICIES / f"{kind}.json").read_text(encoding="utf-8")
    values = {
        "@BUCKET@": bucket,
        "@JOBS@": f"{prefix}/jobs" if prefix else "jobs",
        "@REGION@": region,
        "@ACCOUNT@": account,
        "@NAME@": NAME,
        "@DEADLINE_ROLE@": DEADLINE_ROLE,
        '"@INSTANCE_TYPES@"': ", ".join(f'"{each}"' for each in instance_types),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    found: dict[str, Any] = json.loads(text)
    return found


def setup(aws: Aws, bucket: str, prefix: str, vpc: str | None) -> None:
    """Create what is missing and update the roles' policies. None of it costs anything.

    Args:
        aws: The region of the security group. Roles belong to the whole account.
        bucket: The bucket of the jobs.
        prefix: The folder in the bucket.
        vpc: The VPC of the security group, or None for the default VPC.

    Raises:
        LaunchError: Something cannot be created.
    """
    account = aws.identity().account
    values = {"bucket": bucket, "prefix": prefix, "region": aws.region, "account": account}
    _set_role(aws, NAME, "ec2", {}, f"jobs-in-{bucket}", policy(INSTANCE, **values))
    source = {"StringEquals": {"aws:SourceAccount": account}}
    _set_role(aws, DEADLINE_ROLE, "scheduler", source, "terminate-instances", policy(DEADLINE, **values))
    iam = aws.client("iam")
    with explained(f"Cannot create the instance profile {NAME}"):
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
    with explained(f"Cannot create the security group {NAME}"):
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


def _set_role(
    aws: Aws, name: str, service: str, condition: dict[str, Any], policy_name: str, permissions: dict[str, Any]
) -> None:
    """Create a role for an AWS service, unless it exists, and write one of its policies.

    Each bucket has a separate policy, so setting up one bucket does not affect another.
    """
    iam = aws.client("iam")
    principal = {"Principal": {"Service": f"{service}.amazonaws.com"}}
    trusts = {
        "Effect": "Allow",
        **principal,
        "Action": "sts:AssumeRole",
        **({"Condition": condition} if condition else {}),
    }
    trust = {"Version": "2012-10-17", "Statement": [trusts]}
    with explained(f"Cannot create the role {name}"):
        _unless(
            iam,
            "EntityAlreadyExists",
            f"role {name}",
            lambda: iam.create_role(
                RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Description=DESCRIPTION, Tags=TAGS
            ),
        )
        iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=json.dumps(permissions))


def teardown(aws: Aws) -> None:
    """Delete what `setup` created in this region. Raises LaunchError while an instance is running."""
    if found := Instances(aws).find():
        ids = ", ".join(each.id for each in found)
        raise LaunchError(f"Running: {ids}. Run `ludwig-serverless launch stop --all` first.")
    ec2, iam = aws.client("ec2"), aws.client("iam")
    with explained(f"Cannot delete the security groups {NAME}"):
        filters = [{"Name": "group-name", "Values": [NAME]}, {"Name": "tag:ludwig-serverless", "Values": ["launch"]}]
        for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
            ec2.delete_security_group(GroupId=group["GroupId"])
            say(f"Deleted: security group {group['GroupId']}.")
    with explained(f"Cannot delete the role {NAME}"):
        _unless(
            iam,
            "NoSuchEntity",
            "",
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME),
        )
        _unless(iam, "NoSuchEntity", "", lambda: iam.delete_instance_profile(InstanceProfileName=NAME))
        _unless(iam, "NoSuchEntity", "", lambda: _delete_role(iam, NAME))
        _unless(iam, "NoSuchEntity", "", lambda: _delete_role(iam, DEADLINE_ROLE))
    say(f"Deleted: the roles {NAME} and {DEADLINE_ROLE}, and the instance profile.")


def _delete_role(iam: Any, name: str) -> None:
    for each in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=each)
    iam.delete_role(RoleName=name)


def _default_vpc(aws: Aws) -> str:
    with explained("Cannot find the default VPC"):
        found = aws.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        names = [str(each["VpcId"]) for each in found]
    if not names:
        raise LaunchError(
            f"There is no default VPC in {aws.region}: pass one with --vpc, and later one of its subnets with --subnet."
        )
    return names[0]


def _unless(client: Any, code: str, made: str, make: Callable[[], object]) -> None:
    """Call `make`, and ignore the AWS error code that means it is already done. made: What to print."""
    try:
        make()
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        if made:
            say(f"Already exists: {made}.")
    else:
        if made:
            say(f"Created: {made}.")
