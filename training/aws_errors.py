"""What AWS's errors mean and what to do about them: one table for publishing and for launching."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

SETUP = "`ludwig-serverless launch setup`"
NETWORK = "Check the network, a proxy (HTTPS_PROXY) and the region's name; names and keys were not looked at yet."
ANSWERED = "Something between this machine and AWS may have answered, such as a proxy or a sign-in page: try again."
RIGHTS = "these rights"
"""Stands in the table for what the caller says about missing permissions."""

UNKNOWN_KEYS = "AWS does not know these keys."
QUOTA = "Request an increase under Service Quotas, EC2, {}; it takes about a day and costs nothing."
REMEDIES = {
    "NoCredentialsError": "Give keys or a profile, as for any AWS program: AWS_PROFILE, or `aws configure`.",
    "PartialCredentialsError": "Incomplete AWS credentials: check AWS_SECRET_ACCESS_KEY, or run `aws configure`.",
    "ProfileNotFound": "Check AWS_PROFILE and ~/.aws/config.",
    "NoRegionError": "Give --region, as in --region eu-west-1, or set AWS_DEFAULT_REGION.",
    "UnauthorizedSSOTokenError": "The session has expired: run `aws sso login`.",
    "SSOTokenLoadError": "There is no session: run `aws sso login`.",
    "InvalidClientTokenId": UNKNOWN_KEYS,
    "UnrecognizedClientException": UNKNOWN_KEYS,
    "InvalidAccessKeyId": UNKNOWN_KEYS,
    "SignatureDoesNotMatch": "The secret key does not belong to this key id: check AWS_SECRET_ACCESS_KEY.",
    "AuthFailure": "AWS does not know these keys, or not in this region.",
    "ExpiredToken": "The session has expired: log in again.",
    "ExpiredTokenException": "The session has expired: log in again.",
    "RequestExpired": "The session has expired, or this machine's clock is wrong.",
    "RequestTimeTooSkewed": "This machine's clock is wrong: set it.",
    "UnauthorizedOperation": RIGHTS,
    "AccessDenied": RIGHTS,
    "AccessDeniedException": RIGHTS,
    "Forbidden": RIGHTS,
    "403": RIGHTS,
    "NoSuchBucket": "Check the bucket's name, or make it with `aws s3 mb`.",
    "404": "Check the bucket's name, or make it with `aws s3 mb`.",
    "VcpuLimitExceeded": "The account may not run this many vCPUs of this kind. "
    + QUOTA.format("'Running On-Demand G and VT instances'"),
    "MaxSpotInstanceCountExceeded": "The account may not run this many spot vCPUs of this kind. "
    + QUOTA.format("'All G and VT Spot Instance Requests'")
    + " --on-demand has a quota of its own.",
    "InsufficientInstanceCapacity": "Try --spot-or-on-demand, another instance type, another region, or later.",
    "SpotMaxPriceTooLow": "The spot price rose: try again, or use --spot-or-on-demand.",
    "Unsupported": "Use another instance type or region.",
    "InvalidAMIID.NotFound": "Check --ami: an image belongs to one region.",
    "InvalidAMIID.Malformed": "Check --ami.",
    "ParameterNotFound": "Give the image with --ami, as in --ami ami-0123456789abcdef0.",
    "InvalidInstanceType": "Check --instance-type; `aws ec2 describe-instance-types` lists them.",
    "InvalidSubnetID.NotFound": "Check --subnet: it belongs to one region.",
    "NoSuchEntity": f"Run {SETUP} first.",
    "OptInRequired": "The account has not opted in to EC2, or to this region.",
    "PendingVerification": "AWS is still verifying the account for this region, and writes to you when it is done.",
}
PHRASES = {
    "Invalid IAM Instance Profile": f"Run {SETUP} first; a new profile is known everywhere after some seconds.",
    "must allow AWS EventBridge Scheduler to assume": f"Run {SETUP} once more: it makes the role of the deadline.",
}
"""Remedies for errors that share a code with others, by a phrase of their message."""
CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientFreeAddressesInSubnet",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "VcpuLimitExceeded",
}
BUSY = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "InternalFailure",
    "InternalServerException",
    "Unavailable",
    "ServiceUnavailable",
}


class Kind(Enum):
    """What an error says about a later attempt: it fails too, another machine may be free, or it may succeed."""

    REFUSED = "refused"
    NO_CAPACITY = "no capacity"
    UNREACHED = "unreached"


@dataclass(frozen=True)
class Problem:
    """An error of AWS. code: AWS's own, or the exception's class. found: what happened. remedy: what to do."""

    kind: Kind
    code: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}".strip()


def explain(error: Exception, rights: str) -> Problem | None:
    """Say what an exception of boto3 means.

    Args:
        error: whatever a call raised, or the reading of its answer: botocore passes on answers that lack fields, and
            its parsers raise plain Python errors on answers that are none of AWS's.
        rights: the remedy where the keys lack permissions.

    Returns:
        The problem, or None if the exception is not about AWS, such as a full disk here.
    """
    from boto3.exceptions import Boto3Error, RetriesExceededError
    from botocore import exceptions as known
    from botocore.parsers import ResponseParserError

    if isinstance(error, Boto3Error) and isinstance(error.__context__, known.ClientError):
        error = error.__context__  # S3UploadFailedError keeps only the text
    name = type(error).__name__
    if isinstance(error, known.ClientError):
        return _refusal(error.response or {}, str(error), rights)
    # ConnectionError holds refused, timed-out, proxy and TLS connections; it is no HTTPClientError.
    lost = known.ConnectionError | known.HTTPClientError | known.IncompleteReadError | RetriesExceededError
    if isinstance(error, lost | known.CredentialRetrievalError | known.MetadataRetrievalError):
        return Problem(Kind.UNREACHED, name, f"AWS cannot be reached ({name}: {error}).", NETWORK)
    if isinstance(error, known.BotoCoreError | Boto3Error):
        return Problem(Kind.REFUSED, name, f"{str(error).rstrip('.')}.", _remedy(name, str(error), rights))
    if isinstance(error, ResponseParserError | LookupError | TypeError | ValueError | AttributeError | RecursionError):
        return Problem(Kind.UNREACHED, name, f"The answer is not AWS's ({name}: {_short(error)}).", ANSWERED)
    return None


def _refusal(response: dict[str, Any], text: str, rights: str) -> Problem:
    """Judge an answer with an HTTP status of 300 or more. Answers from proxies have no code."""
    error = response.get("Error") or {}
    code, status = str(error.get("Code") or ""), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not code:
        return Problem(Kind.UNREACHED, str(status), f"The answer is not AWS's (HTTP status {status}).", ANSWERED)
    if code in BUSY or (status >= 500 and code not in CAPACITY):
        return Problem(Kind.UNREACHED, code, f"AWS is busy or failing ({text}).")
    kind = Kind.NO_CAPACITY if code in CAPACITY else Kind.REFUSED
    message = str(error.get("Message") or text).rstrip(".")
    return Problem(kind, code, f"{message} ({code}).", _remedy(code, message, rights))


def _remedy(code: str, message: str, rights: str) -> str:
    phrase = next((found for found in PHRASES if found in message), "")
    remedy = PHRASES.get(phrase) or REMEDIES.get(code, "")
    return rights if remedy is RIGHTS else remedy


def _short(error: Exception) -> str:
    """Return the start of a message: parsers quote the whole answer."""
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
