"""The check before a new version takes traffic: CodeDeploy calls it, and stops the deployment when it answers Failed.

It runs in AWS's own Python, which holds boto3. Its log names rows and never quotes them.
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

NO_ROWS = "No bundle holds golden rows, so only the models and the health check count. Export the bundles again."
SEAL_DIGITS = 12
"""How many hex digits of a seal a message shows."""

# Three calls of three attempts fit into this function's 600 s: a version may take 10 s to start and 30 s to answer.
CLIENT_LIMITS = Config(connect_timeout=5, read_timeout=45, retries={"mode": "standard", "total_max_attempts": 3})

Models = dict[str, str]
"""Seals of models by name; "" accepts any seal."""


class CheckFailedError(Exception):
    """Raise when a version must not take traffic; the message says why and what to do."""


def lambda_handler(event: dict[str, str], context: object) -> None:
    """Check the new version and always report to CodeDeploy, which waits an hour without a report.

    Args:
        event: CodeDeploy's event, with the ids that the report needs.
        context: Lambda's context, which is not used.
    """
    version = os.environ["NEW_VERSION"]
    try:
        rows = check(version, os.environ["LIVE_VERSION"], os.environ["EXPECTED_MODELS"])
    # Everything is caught, since a check that could not be made is a check that failed.
    except Exception as error:
        status = "Failed"
        _log("ERROR", status, version, reason=f"{type(error).__name__}: {error}")
    else:
        status = "Succeeded"
        _log("INFO" if rows else "WARNING", status, version, checked=rows, reason=None if rows else NO_ROWS)
    boto3.client("codedeploy", config=CLIENT_LIMITS).put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


def check(version: str, live: str, expected: str) -> int:
    """Check that a version is healthy, answers as Ludwig did and holds the models that it should.

    Args:
        version: ARN of the new version.
        live: ARN of the alias that takes traffic; it still leads to the former version.
        expected: The models that the new version should hold, as the template's ExpectedModels; "" for the former's.

    Returns:
        How many golden rows the version answered as Ludwig did.

    Raises:
        CheckFailedError: The version must not take traffic.
        botocore.exceptions.ClientError: AWS refused a call.
    """
    client = boto3.client("lambda", config=CLIENT_LIMITS)
    health = _invoke(client, version, HEALTH_REQUEST)
    if health.get("statusCode") != 200:
        raise CheckFailedError(f"GET / answered {health.get('statusCode')}, not 200. Look at the function's log.")
    golden = _invoke(client, version, GOLDEN_CHECK)
    rows, changed, found = (golden.get(name) for name in ("checked", "changed", "models"))
    if not isinstance(rows, int) or not isinstance(changed, list) or not isinstance(found, dict):
        raise CheckFailedError("The version knows no golden check. Is it an image of this project's handler?")
    if golden.get("unproven"):
        raise CheckFailedError(
            f"The proof of {', '.join(golden['unproven'])} failed when the bundle was exported (--allow-failed-proof). "
            "Deploy a bundle that passed."
        )
    if changed:
        raise CheckFailedError(
            f"{len(changed)} labels are not those that Ludwig gave, first {_named(changed[:5])}. "
            "Export the bundles again, or build the image from the requirements that they were proven with."
        )
    _compare(found, parse_models(expected) if expected else _live_models(client, live, found), expected)
    return rows


def parse_models(expected: str) -> Models:
    """Read the template's parameter ExpectedModels.

    Args:
        expected: `name@seal` or `name`, with commas between several models. A seal may be cut.

    Returns:
        The seals by name; "" where any seal will do.
    """
    parts = (model.strip().partition("@") for model in expected.split(","))
    return {name: seal for name, _, seal in parts}


def _live_models(client: Any, live: str, found: Models) -> Models:
    """Return the models of the version that takes traffic. Raises CheckFailedError where it does not tell them."""
    advice = f"If the new version holds the right models, deploy it with {_parameter(found)}."
    try:
        models = _invoke(client, live, GOLDEN_CHECK).get("models")
    except CheckFailedError as error:
        raise CheckFailedError(f"Asked for its models, the version that takes traffic now: {error} {advice}") from None
    if not isinstance(models, dict):
        raise CheckFailedError(f"The version that takes traffic now cannot name its models. {advice}")
    return models


def _compare(found: Models, wanted: Models, expected: str) -> None:
    """Raise CheckFailedError unless a version holds exactly the models that are wanted."""
    differences = [
        *(f"lacks {name}" for name in sorted(wanted.keys() - found.keys())),
        *(f"adds {name}" for name in sorted(found.keys() - wanted.keys())),
        *(
            f"has another {name} ({found[name][:SEAL_DIGITS]}, not {wanted[name][:SEAL_DIGITS]})"
            for name in sorted(found.keys() & wanted.keys())
            if not found[name].startswith(wanted[name])
        ),
    ]
    if differences:
        against = "the models that ExpectedModels names" if expected else "the version that takes traffic now"
        raise CheckFailedError(
            f"Compared with {against}, the new version {', '.join(differences)}. If you changed the models on purpose, "
            f"deploy with {_parameter(found)}. If not, the image holds the wrong folder: look at BakedBundles in "
            "samconfig.toml, or at Bundles, and build again."
        )


def _parameter(found: Models) -> str:
    models = ",".join(f"{name}@{seal[:SEAL_DIGITS]}" for name, seal in sorted(found.items()))
    return f"`--parameter-overrides ExpectedModels={models}`"


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
