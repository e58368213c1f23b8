"""A deadline outside of the machine: a one-time schedule of EventBridge that terminates a job's instances.

It is made before EC2 is asked for an instance, so it exists whatever becomes of the answer, of this program, and of
what runs on the machine. Until the instance's id is known, the schedule finds instances by the job's tag, through
AWS's own runbook; then it names the instance and calls EC2 directly. It is deleted when the end of the instances is
confirmed, and otherwise deletes itself when it has fired.
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
"""Of instances; the user's and the schedule's permissions are bound to it."""


class Deadline:
    """The schedule of one job: of all its instances, which run one after another."""

    def __init__(self, aws: Aws, job: str) -> None:
        self._aws, self._job = aws, job
        self.name = f"ludwig-serverless-{job}"

    def set(self, until: datetime) -> None:
        """Let every instance of the job be terminated at a time, whatever its id will be.

        Args:
            until: the time, in UTC; the schedule fires within the minute that follows.

        Raises:
            LaunchError: the schedule cannot be made, so no instance may be started.
        """
        target = {
            "DocumentName": RUNBOOK,
            "TargetParameterName": "InstanceId",
            "Targets": [{"Key": f"tag:{JOB_TAG}", "Values": [self._job]}],
        }
        schedule = self._schedule("ssm:startAutomationExecution", target, until)
        try:
            with explained(f"The deadline of {self._job} cannot be set"):
                self._aws.client("scheduler").create_schedule(**schedule)
        except LaunchError as error:
            if error.code != "ConflictException":  # an earlier instance of the job had one
                raise
            self._update(schedule)

    def name_instance(self, instance: str, until: datetime) -> None:
        """Let EC2 be called for this instance. Where that fails, the schedule by the job's tag stays."""
        try:
            self._update(self._schedule("ec2:terminateInstances", {"InstanceIds": [instance]}, until))
        except LaunchError as error:
            tell(f"{error} The deadline stays set for every instance of the job, by its tag.")

    def remove(self) -> None:
        """Delete the schedule, if there is one. Where that fails, it fires, finds nothing, and deletes itself."""
        try:
            with explained(f"The schedule {self.name} in {self._aws.region} cannot be deleted"):
                self._aws.client("scheduler").delete_schedule(Name=self.name)
        except LaunchError as error:
            if error.code != "ResourceNotFoundException":
                tell(f"{error} It costs nothing, and deletes itself after it has fired.")

    def _update(self, schedule: dict[str, Any]) -> None:
        with explained(f"The deadline of {self._job} cannot be changed"):
            self._aws.client("scheduler").update_schedule(**schedule)

    def _schedule(self, action: str, target: dict[str, Any], until: datetime) -> dict[str, Any]:
        """Return the parameters of a schedule that calls an action of AWS once (a "universal target")."""
        identity = self._aws.identity()
        return {
            "Name": self.name,
            "Description": f"Terminates what is left of {self._job}",
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
