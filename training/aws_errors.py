"""The meaning of AWS errors and what to do about them, for publishing and launching."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

SETUP = "`ludwig-serverless launch setup`"
NETWORK = "Check the network, a proxy (HTTPS_PROXY) and the region's name; AWS has not checked the credentials yet."
ANSWERED = "Something between this machine and AWS may have answered, such as a proxy or a sign-in page: try again."
RIGHTS = "these rights"
"""A placeholder in the table. The caller has the message for missing permissions."""

UNKNOWN_KEYS = "AWS does not recognize these credentials: check AWS_ACCESS_KEY_ID."
QUOTA = "Request an increase under Service Quotas, EC2, {}; it takes about a day and costs nothing."
REMEDIES = {
    "NoCredentialsError": "Set AWS_PROFILE, or run `aws configure`.",
    "PartialCredentialsError": "Incomplete AWS credentials: check AWS_SECRET_ACCESS_KEY, or run `aws configure`.",
    "ProfileNotFound": "Check AWS_PROFILE and ~/.aws/config.",
    "NoRegionError": "Pass a region, such as --region eu-west-1, or set AWS_DEFAULT_REGION.",
    "UnauthorizedSSOTokenError": "The session has expired: run `aws sso login`.",
    "SSOTokenLoadError": "There is no session: run `aws sso login`.",
    "InvalidClientTokenId": UNKNOWN_KEYS,
    "UnrecognizedClientException": UNKNOWN_KEYS,
    "InvalidAccessKeyId": UNKNOWN_KEYS,
    "SignatureDoesNotMatch": "The secret key does not match the access key id: check AWS_SECRET_ACCESS_KEY.",
    "AuthFailure": "AWS does not recognize these credentials in this region: check them and --region.",
    "ExpiredToken": "The session has expired: log in again.",
    "ExpiredTokenException": "The session has expired: log in again.",
    "RequestExpired": "The session has expired, or this machine's clock is wrong.",
    "RequestTimeTooSkewed": "This machine's clock is wrong: set it.",
    "UnauthorizedOperation": RIGHTS,
    "AccessDenied": RIGHTS,
    "AccessDeniedException": RIGHTS,
    "Forbidden": RIGHTS,
    "403": RIGHTS,
    "NoSuchBucket": "Check the bucket name, or create the bucket with `aws s3 mb`.",
    "404": "Check the bucket name, or create the bucket with `aws s3 mb`.",
    "VcpuLimitExceeded": "The account's quota for these vCPUs is too low. "
    + QUOTA.format("'Running On-Demand G and VT instances'"),
    "MaxSpotInstanceCountExceeded": "The account's quota for these spot vCPUs is too low. "
    + QUOTA.format("'All G and VT Spot Instance Requests'")
    + " --on-demand has a separate quota.",
    "InsufficientInstanceCapacity": "Try --spot-or-on-demand, another instance type, another region, or later.",
    "SpotMaxPriceTooLow": "The spot price has risen: try again, or use --spot-or-on-demand.",
    "Unsupported": "Use another instance type or region.",
    "InvalidAMIID.NotFound": "Check --ami: an image belongs to one region.",
    "InvalidAMIID.Malformed": "Check --ami.",
    "ParameterNotFound": "Pass a machine image, such as --ami ami-0123456789abcdef0.",
    "InvalidInstanceType": "Check --instance-type; `aws ec2 describe-instance-types` lists them.",
    "InvalidSubnetID.NotFound": "Check --subnet: it belongs to one region.",
    "NoSuchEntity": f"Run {SETUP} first.",
    "OptInRequired": "The account has not opted in to EC2 or to this region: enable it in the AWS console.",
    "PendingVerification": "AWS is still verifying the account for this region and sends an email when it is done.",
}
PHRASES = {
    "Invalid IAM Instance Profile": f"Run {SETUP} first; a new profile takes a few seconds to become available.",
    "must allow AWS EventBridge Scheduler to assume": f"Run {SETUP} again: it creates the role of the deadline.",
}
"""Remedies for errors that share a code with other errors, by a phrase in the message."""
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
    """Whether a retry helps: it fails again, it needs another instance type or zone, or it may succeed."""

    REFUSED = "refused"
    NO_CAPACITY = "no capacity"
    UNREACHED = "unreached"


@dataclass(frozen=True)
class Problem:
    """An AWS error.

    Attributes:
        kind: Whether a retry helps.
        code: The AWS error code or the exception class.
        found: What happened.
        remedy: What to do about it.
    """

    kind: Kind
    code: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}".strip()


def explain(error: Exception, rights: str) -> Problem | None:
    """Explain an exception of boto3.

    Args:
        error: Any exception of an AWS call or of reading its response. botocore passes on responses that lack fields,
            and its parsers raise plain Python errors for responses that are not from AWS.
        rights: The remedy for missing permissions.

    Returns:
        The problem, or None if the exception is not about AWS, such as a full disk here.
    """
    from boto3.exceptions import Boto3Error, RetriesExceededError
    from botocore import exceptions as known
    from botocore.parsers import ResponseParserError

    if isinstance(error, Boto3Error) and isinstance(error.__context__, known.ClientError):
        error = error.__context__  # S3UploadFailedError has only the text
    name = type(error).__name__
    if isinstance(error, known.ClientError):
        return _refusal(error.response or {}, str(error), rights)
    # ConnectionError covers refused, timed-out, proxy and TLS connections. It is not an HTTPClientError.
    lost = known.ConnectionError | known.HTTPClientError | known.IncompleteReadError | RetriesExceededError
    if isinstance(error, lost | known.CredentialRetrievalError | known.MetadataRetrievalError):
        return Problem(Kind.UNREACHED, name, f"AWS cannot be reached ({name}: {error}).", NETWORK)
    if isinstance(error, known.BotoCoreError | Boto3Error):
        return Problem(Kind.REFUSED, name, f"{str(error).rstrip('.')}.", _remedy(name, str(error), rights))
    if isinstance(error, ResponseParserError | LookupError | TypeError | ValueError | AttributeError | RecursionError):
        return Problem(Kind.UNREACHED, name, f"The response is not from AWS ({name}: {_short(error)}).", ANSWERED)
    return None


def _refusal(response: dict[str, Any], text: str, rights: str) -> Problem:
    """Explain a response with an HTTP status of 300 or more. Responses from proxies have no code."""
    error = response.get("Error") or {}
    code, status = str(error.get("Code") or ""), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if not code:
        return Problem(Kind.UNREACHED, str(status), f"The response is not from AWS (HTTP status {status}).", ANSWERED)
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
    """Return the start of a message, because parsers quote the whole response."""
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
