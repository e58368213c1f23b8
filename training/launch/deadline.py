"""The deadline at AWS: a one-time EventBridge schedule that terminates a job's instances.

The schedule exists before the launcher asks EC2 for an instance. It works even if the response is lost, the launcher
is killed, or the instance hangs. Until the instance id is known, the schedule finds instances by the job's tag through
an AWS runbook. Afterward it names the instance and calls EC2 directly. The launcher deletes the schedule when the
termination of all instances is confirmed. Otherwise the schedule fires and deletes itself.
"""

import json
from datetime import datetime
from typing import Any

from training.errors import LaunchError
from training.launch.aws import Aws, explained
from training.launch.discovery import DEADLINE_ROLE
from training.launch.signals import tell

RUNBOOK = "AWS-TerminateEC2Instance"
JOB_TAG = "ludwig-serverless:job"
"""The tag of instances. The permissions of the user and of the schedule depend on it."""


class Deadline:
    """The schedule of one job. It covers all instances of the job, which run one after another."""

    def __init__(self, aws: Aws, job: str) -> None:
        self._aws, self._job = aws, job
        self.name = f"ludwig-serverless-{job}"

    def set(self, until: datetime) -> None:
        """Schedule the termination of every instance of the job, found by its tag.

        Args:
            until: The time in UTC. The schedule fires within the following minute.

        Raises:
            LaunchError: The schedule cannot be created, so no instance may start.
        """
        target = {
            "DocumentName": RUNBOOK,
            "TargetParameterName": "InstanceId",
            "Targets": [{"Key": f"tag:{JOB_TAG}", "Values": [self._job]}],
        }
        schedule = self._schedule("ssm:startAutomationExecution", target, until)
        try:
            with explained(f"Cannot set the deadline of {self._job}"):
                self._aws.client("scheduler").create_schedule(**schedule)
        except LaunchError as error:
            if error.code != "ConflictException":  # an earlier instance of the job had one
                raise
            self._update(schedule)

    def name_instance(self, instance: str, until: datetime) -> None:
        """Make the schedule terminate this instance directly. If that fails, the schedule by tag stays."""
        try:
            self._update(self._schedule("ec2:terminateInstances", {"InstanceIds": [instance]}, until))
        except LaunchError as error:
            tell(f"{error} The deadline stays set for every instance with the job's tag.")

    def remove(self) -> None:
        """Delete the schedule, if it exists. If that fails, it fires, finds nothing, and deletes itself."""
        try:
            with explained(f"Cannot delete the schedule {self.name} in {self._aws.region}"):
                self._aws.client("scheduler").delete_schedule(Name=self.name)
        except LaunchError as error:
            if error.code != "ResourceNotFoundException":
                tell(f"{error} It costs nothing and deletes itself after it fires.")

    def _update(self, schedule: dict[str, Any]) -> None:
        with explained(f"Cannot change the deadline of {self._job}"):
            self._aws.client("scheduler").update_schedule(**schedule)

    def _schedule(self, action: str, target: dict[str, Any], until: datetime) -> dict[str, Any]:
        """Return the parameters of a schedule that calls an AWS action once (a "universal target")."""
        identity = self._aws.identity()
        return {
            "Name": self.name,
            "Description": f"Terminates the remaining instances of {self._job}",
            "ScheduleExpression": f"at({until:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": f"arn:{identity.partition}:scheduler:::aws-sdk:{action}",
                "RoleArn": identity.role(DEADLINE_ROLE),
                "Input": json.dumps(target),
            },
        }
