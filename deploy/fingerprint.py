"""A CloudFormation custom resource whose value is a digest of the parameters that a published version freezes.

SAM publishes a new version if the template changes, but not if only a parameter changes (its issue 3820). The version's
description contains this digest, and CloudFormation publishes a new version if the description changes.
"""

import hashlib
import json
from typing import Any
from urllib.request import Request, urlopen

CLOUDFORMATION_S_OWN = ("ServiceToken", "ServiceTimeout")


def lambda_handler(event: dict[str, Any], context: object) -> None:
    """Respond to CloudFormation's request to create, update or delete the resource.

    Args:
        event: CloudFormation's request, with the parameters as `ResourceProperties`.
        context: Lambda's context, which is not used.
    """
    properties = event.get("ResourceProperties", {})
    body = {
        "Status": "SUCCESS",
        "PhysicalResourceId": "fingerprint",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "Data": {"Digest": digest(properties)},
    }
    # CloudFormation signed this URL for a request without a content type.
    answer = Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urlopen(answer, timeout=20) as response:  # noqa: S310
        print(json.dumps({"level": "INFO", "message": event["RequestType"], "status": response.status}))


def digest(properties: dict[str, Any]) -> str:
    """Return a digest of 16 hex digits that changes with every parameter, and does not reveal secrets."""
    own = {name: value for name, value in properties.items() if name not in CLOUDFORMATION_S_OWN}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]
