"""A digest of the parameters that a published version freezes, as a resource of CloudFormation's.

SAM publishes a version when the template changes, but not when only a parameter's value does (its issue 3820). The
version's description holds this digest, and CloudFormation publishes a new version when the description changes.
"""

import hashlib
import json
from typing import Any
from urllib.request import Request, urlopen

CLOUDFORMATION_S_OWN = ("ServiceToken", "ServiceTimeout")


def lambda_handler(event: dict[str, Any], context: object) -> None:
    """Answer CloudFormation's request to create, update or delete the resource, which is nothing but its digest."""
    properties = event.get("ResourceProperties", {})
    body = {
        "Status": "SUCCESS",
        "PhysicalResourceId": "fingerprint",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "Data": {"Digest": digest(properties)},
    }
    # CloudFormation gives the address, and signed it for a request without a content type.
    answer = Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urlopen(answer, timeout=20) as response:  # noqa: S310
        print(json.dumps({"level": "INFO", "message": event["RequestType"], "status": response.status}))


def digest(properties: dict[str, Any]) -> str:
    """Return 16 hex digits that differ where a parameter does; of secrets they tell nothing that could be tried."""
    own = {name: value for name, value in properties.items() if name not in CLOUDFORMATION_S_OWN}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]
