"""The check before a new version takes traffic: CodeDeploy calls it, and stops the deployment where it says Failed.

It runs in AWS's own Python, which holds boto3. Rows are named in its log, never quoted.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config

GOLDEN_CHECK = {"check": "golden"}
"""The event on which the handler asks its models again what Ludwig answered when they were exported."""

HEALTH_REQUEST = {
    "version": "2.0",
    "routeKey": "GET /",
    "rawPath": "/",
    "rawQueryString": "",
    "headers": {"host": "pre-traffic.internal", "accept": "application/json"},
    "requestContext": {
        "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "check"},
        "stage": "$default",
    },
    "isBase64Encoded": False,
}

NO_ROWS = "No bundle holds golden rows, so only the health check was made. Export the bundles again to have them."

# Two calls of three attempts, and the report, must fit into this function's own 300 s: a version may take 30 s.
PATIENCE = Config(connect_timeout=5, read_timeout=40, retries={"mode": "standard", "total_max_attempts": 3})


class CheckFailedError(Exception):
    """Raise when a version must not take traffic; the message says why and what to do."""


def lambda_handler(event: dict[str, str], context: object) -> None:
    """Check the new version and tell CodeDeploy, whatever happened: it would wait an hour for an answer."""
    version = os.environ["NEW_VERSION"]
    try:
        checked = check(version)
    # Everything is caught, since a check that could not be made is a check that failed.
    except Exception as error:
        status = "Failed"
        _log("ERROR", status, version, reason=f"{type(error).__name__}: {error}")
    else:
        status = "Succeeded"
        _log("INFO" if checked else "WARNING", status, version, checked=checked, reason=None if checked else NO_ROWS)
    boto3.client("codedeploy", config=PATIENCE).put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


def check(version: str) -> int:
    """Return how many golden rows the version answered as Ludwig did. Raises CheckFailedError, or what boto3 raises."""
    client = boto3.client("lambda", config=PATIENCE)
    health = _invoke(client, version, HEALTH_REQUEST)
    if health.get("statusCode") != 200:
        raise CheckFailedError(f"GET / answered {health.get('statusCode')}, not 200. Look at the function's log.")
    golden = _invoke(client, version, GOLDEN_CHECK)
    if not isinstance(golden.get("checked"), int) or not isinstance(golden.get("changed"), list):
        raise CheckFailedError("The version knows no golden check. Is it an image of this project's handler?")
    if golden["changed"]:
        raise CheckFailedError(
            f"{len(golden['changed'])} labels are not those that Ludwig gave, first {_named(golden['changed'][:5])}. "
            "Export the bundles anew, or build the image from the requirements that they were proven with."
        )
    return int(golden["checked"])


def _invoke(client: Any, version: str, event: dict[str, Any]) -> dict[str, Any]:
    response = client.invoke(FunctionName=version, Payload=json.dumps(event).encode())
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        # Not the message, which may quote what a model was asked; the function's log has it.
        kind = answer.get("errorType", "no type") if isinstance(answer, dict) else "no type"
        raise CheckFailedError(
            f"The version failed on {_name(event)} ({response['FunctionError']}: {kind}). Look at the function's log."
        )
    if not isinstance(answer, dict):
        raise CheckFailedError(f"The version answered {_name(event)} with no JSON object.")
    return answer


def _name(event: dict[str, Any]) -> str:
    return "the golden check" if event == GOLDEN_CHECK else "GET /"


def _named(changed: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row.get('model')} {row.get('row')} {row.get('column')}" for row in changed)


def _log(level: str, status: str, version: str, **fields: Any) -> None:
    print(json.dumps({"level": level, "message": "pre-traffic check", "status": status, "version": version, **fields}))
