"""Fires the schedules of EventBridge Scheduler, which moto stores but never fires.

The universal target is resolved as AWS does it: a service, an operation in lower camel case, and its parameters, which
botocore checks against its own model of the operation. Scheduler must be allowed to assume the role.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.validate import ParamValidator

from tests.processes import aws_environ

TARGET = "arn:aws:scheduler:::aws-sdk:"


class Schedules:
    """The schedules of one region."""

    def __init__(self, upstream: str) -> None:
        region = aws_environ(upstream)["AWS_DEFAULT_REGION"]
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": region}
        self._client: dict[str, Any] = {
            name: boto3.client(name, endpoint_url=upstream, **keys) for name in ("scheduler", "ec2", "ssm", "iam")
        }

    def all(self) -> list[dict[str, Any]]:
        scheduler = self._client["scheduler"]
        return [scheduler.get_schedule(Name=each["Name"]) for each in scheduler.list_schedules()["Schedules"]]

    def clear(self) -> None:
        for each in self.all():
            self._client["scheduler"].delete_schedule(Name=each["Name"])

    def fire(self, now: datetime) -> list[str]:
        """Fire the schedules that are due at a time. Returns the called operations."""
        called = []
        for each in self.all():
            due = datetime.strptime(each["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
            assert each["ScheduleExpressionTimezone"] == "UTC"
            assert each["FlexibleTimeWindow"] == {"Mode": "OFF"}
            if now < due:
                continue
            called.append(self._call(each["Target"]))
            assert each["ActionAfterCompletion"] == "DELETE"
            self._client["scheduler"].delete_schedule(Name=each["Name"])
        return called

    def due(self) -> datetime:
        """Return the time of the only schedule plus one minute, the precision of Scheduler."""
        (each,) = self.all()
        return datetime.fromisoformat(each["ScheduleExpression"][3:-1]).replace(tzinfo=UTC) + timedelta(minutes=1)

    def _call(self, target: dict[str, Any]) -> str:
        assert target["Arn"].startswith(TARGET)
        service, action = target["Arn"].removeprefix(TARGET).split(":")
        operation, asked = action[0].upper() + action[1:], json.loads(target["Input"])
        shape = self._client[service].meta.service_model.operation_model(operation).input_shape
        assert not ParamValidator().validate(asked, shape).has_errors()
        role = self._client["iam"].get_role(RoleName=target["RoleArn"].rpartition("/")[2])["Role"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        (name,) = self._client["iam"].list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        policy = self._client["iam"].get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
        allowed = json.dumps([each["Action"] for each in policy["Statement"]])
        assert f'"{service}:{operation}"' in allowed
        if service == "ec2":
            self._client["ec2"].terminate_instances(**asked)
        else:
            self._run_book(asked)
        return operation

    def _run_book(self, asked: dict[str, Any]) -> None:
        """Run AWS-TerminateEC2Instance with targets by tag, which moto does not support."""
        assert (asked["DocumentName"], asked["TargetParameterName"]) == ("AWS-TerminateEC2Instance", "InstanceId")
        (by,) = asked["Targets"]
        found = self._client["ec2"].describe_instances(Filters=[{"Name": by["Key"], "Values": by["Values"]}])
        ids = [each["InstanceId"] for group in found["Reservations"] for each in group["Instances"]]
        if ids:
            self._client["ec2"].terminate_instances(InstanceIds=ids)
