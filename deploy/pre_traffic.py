"""The check before a new version takes traffic: CodeDeploy calls it, and stops the deployment if it reports Failed.

It runs on AWS's Python runtime, which includes boto3. Its log names rows but never quotes them.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config

GOLDEN_CHECK = {"check": "golden"}
"""The event that makes the handler replay its golden rows: compare its answers with Ludwig's at export."""

SHADOW_CHECK = {"check": "shadows"}
"""The event that makes the handler load its shadow bundles and list them."""

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

NO_ROWS = "The bundles have no golden rows, so only the models and the health check were compared: export them again."
SEAL_DIGITS = 12
"""Number of hex digits of a seal in messages."""

# Three calls with three attempts each fit into this function's 600 s: a version may take 10 s to start and 30 s to
# answer.
CLIENT_LIMITS = Config(connect_timeout=5, read_timeout=45, retries={"mode": "standard", "total_max_attempts": 3})
# The check of shadows may fail, and the time of a second try is not left.
ONE_TRY = Config(connect_timeout=5, read_timeout=45, retries={"mode": "standard", "total_max_attempts": 1})

Models = dict[str, str]
"""Seals of models by name; "" accepts any seal."""


class CheckFailedError(Exception):
    """Raised when a version must not take traffic; the message says why, and what to do."""


def lambda_handler(event: dict[str, str], context: object) -> None:
    """Check the new version and always report to CodeDeploy, which waits an hour without a report.

    Args:
        event: CodeDeploy's event, with the ids that the report needs.
        context: Lambda's context, which is not used.
    """
    version = os.environ["NEW_VERSION"]
    try:
        rows = check(version, os.environ["LIVE_VERSION"], os.environ["EXPECTED_MODELS"])
    # Catch everything: a check that could not run counts as failed.
    except Exception as error:
        status = "Failed"
        _log("ERROR", status, version, reason=f"{type(error).__name__}: {error}")
    else:
        status = "Succeeded"
        # A shadow answers nobody, so one that cannot be used is a warning and stops nothing.
        shadows, problems = check_shadows(version)
        reason = " ".join([*([] if rows else [NO_ROWS]), *problems]) or None
        _log("WARNING" if reason else "INFO", status, version, checked=rows, shadows=shadows, reason=reason)
    boto3.client("codedeploy", config=CLIENT_LIMITS).put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )


def check(version: str, live: str, expected: str) -> int:
    """Check that a version is healthy, gives Ludwig's answers, and has the expected models.

    Args:
        version: ARN of the new version.
        live: ARN of the alias that takes traffic; it still points to the previous version.
        expected: The expected models, in the form of the template's ExpectedModels; "" expects those of `live`.

    Returns:
        The number of golden rows compared.

    Raises:
        CheckFailedError: The version must not take traffic.
        botocore.exceptions.ClientError: AWS rejected a call.
    """
    client = boto3.client("lambda", config=CLIENT_LIMITS)
    health = _invoke(client, version, HEALTH_REQUEST)
    if health.get("statusCode") != 200:
        raise CheckFailedError(f"GET / returned {health.get('statusCode')} instead of 200: check the function's log.")
    golden = _invoke(client, version, GOLDEN_CHECK)
    rows, changed, found = (golden.get(name) for name in ("checked", "changed", "models"))
    if not isinstance(rows, int) or not isinstance(changed, list) or not isinstance(found, dict):
        raise CheckFailedError(
            "The version does not support the golden check: make sure that its image contains this project's handler."
        )
    if golden.get("unproven"):
        raise CheckFailedError(
            f"The proof of {', '.join(golden['unproven'])} failed when the bundle was exported (--allow-failed-proof). "
            "Deploy a bundle that passed."
        )
    if changed:
        raise CheckFailedError(
            f"{len(changed)} labels differ from Ludwig's, the first are {_named(changed[:5])}. "
            "Export the bundles again, or build the image with the package versions that they were proven with."
        )
    _compare(found, parse_models(expected) if expected else _live_models(client, live, found), expected)
    return rows


def check_shadows(version: str) -> tuple[list[str], list[str]]:
    """Load a version's shadow bundles, which answer beside the live ones but to nobody.

    Args:
        version: ARN of the new version.

    Returns:
        The shadows as `name@seal`, and why others cannot be used.
    """
    try:
        found = _invoke(boto3.client("lambda", config=ONE_TRY), version, SHADOW_CHECK)
        return _named_models(found["models"]), list(found["problems"])
    except Exception as error:  # nothing about a shadow may stop a deployment
        return [], [f"The shadow bundles could not be checked ({type(error).__name__}): {error}"]


def parse_models(expected: str) -> Models:
    """Parse the template's parameter ExpectedModels.

    Args:
        expected: Comma-separated models: `name@seal` or `name`. A prefix of a seal is enough.

    Returns:
        The seals by name; "" accepts any seal.
    """
    parts = (model.strip().partition("@") for model in expected.split(","))
    return {name: seal for name, _, seal in parts}


def _live_models(client: Any, live: str, found: Models) -> Models:
    """Return the models of the version that takes traffic. Raises CheckFailedError if it does not report them."""
    advice = f"If the new version has the right models, deploy it with {_parameter(found)}."
    try:
        models = _invoke(client, live, GOLDEN_CHECK).get("models")
    except CheckFailedError as error:
        raise CheckFailedError(
            f"Cannot read the models of the version that takes traffic now: {error} {advice}"
        ) from None
    if not isinstance(models, dict):
        raise CheckFailedError(f"The version that takes traffic now does not report its models. {advice}")
    return models


def _compare(found: Models, wanted: Models, expected: str) -> None:
    """Raise CheckFailedError unless a version has exactly the wanted models."""
    differences = [
        *(f"lacks {name}" for name in sorted(wanted.keys() - found.keys())),
        *(f"adds {name}" for name in sorted(found.keys() - wanted.keys())),
        *(
            f"has a different {name} ({found[name][:SEAL_DIGITS]}, not {wanted[name][:SEAL_DIGITS]})"
            for name in sorted(found.keys() & wanted.keys())
            if not found[name].startswith(wanted[name])
        ),
    ]
    if differences:
        against = "the models that ExpectedModels names" if expected else "the version that takes traffic now"
        raise CheckFailedError(
            f"Compared with {against}, the new version {', '.join(differences)}. If you changed the models on purpose, "
            f"deploy with {_parameter(found)}. If not, the image contains the wrong bundles: check BakedBundles in "
            "samconfig.toml, or Bundles, and build again."
        )


def _parameter(found: Models) -> str:
    return f"`--parameter-overrides ExpectedModels={','.join(_named_models(found))}`"


def _named_models(models: Models) -> list[str]:
    return [f"{name}@{seal[:SEAL_DIGITS]}" for name, seal in sorted(models.items())]


def _invoke(client: Any, version: str, event: dict[str, Any]) -> dict[str, Any]:
    response = client.invoke(FunctionName=version, Payload=json.dumps(event).encode())
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        # Omit the message, which may quote an utterance; the function's log has it.
        kind = answer.get("errorType", "no type") if isinstance(answer, dict) else "no type"
        raise CheckFailedError(
            f"The version failed on {_name(event)} ({response['FunctionError']}: {kind}): check the function's log."
        )
    if not isinstance(answer, dict):
        raise CheckFailedError(f"The version's response to {_name(event)} is not a JSON object.")
    return answer


def _name(event: dict[str, Any]) -> str:
    return {"golden": "the golden check", "shadows": "the check of its shadows"}.get(event.get("check", ""), "GET /")


def _named(changed: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row.get('model')} {row.get('row')} {row.get('column')}" for row in changed)


def _log(level: str, status: str, version: str, **fields: Any) -> None:
    print(json.dumps({"level": level, "message": "pre-traffic check", "status": status, "version": version, **fields}))
