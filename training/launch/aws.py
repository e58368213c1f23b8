"""AWS's clients, and its errors as sentences that say what to do."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from training.errors import CapacityError, LaunchError, UnreachedError

SETUP = "`python -m training launch setup`"
REMEDIES = {
    "NoCredentialsError": "Give keys or a profile, as to any program for AWS: AWS_PROFILE, or `aws configure`.",
    "PartialCredentialsError": "Half of the keys is missing: look at AWS_SECRET_ACCESS_KEY, or `aws configure`.",
    "ProfileNotFound": "Look at AWS_PROFILE, and at ~/.aws/config.",
    "NoRegionError": "Give --region, as in --region eu-west-1.",
    "InvalidClientTokenId": "The keys are not known to AWS.",
    "InvalidAccessKeyId": "The keys are not known to AWS.",
    "AuthFailure": "The keys are not known to AWS, or not for this region.",
    "ExpiredToken": "The session is over: log in again.",
    "RequestExpired": "The session is over, or this machine's clock is wrong.",
    "UnauthorizedOperation": "These keys may not do this: `launch policy` prints what they need.",
    "AccessDenied": "These keys may not do this: `launch policy` prints what they need.",
    "403": "These keys may not do this, or the bucket is somebody else's: `launch policy` prints what they need.",
    "NoSuchBucket": "Look at the bucket's name, or make it: `aws s3 mb`.",
    "404": "Look at the bucket's name, or make it: `aws s3 mb`.",
    "VcpuLimitExceeded": "The account may not run so many vCPUs of this kind: ask for more under Service Quotas, EC2, "
    "'Running On-Demand G and VT instances'. It takes a day, and costs nothing.",
    "MaxSpotInstanceCountExceeded": "The account may not run so many vCPUs of this kind: ask for more under Service "
    "Quotas, EC2, 'All G and VT Spot Instance Requests'. Meanwhile --on-demand may work: it has a quota of its own.",
    "InsufficientInstanceCapacity": "Try --spot-or-on-demand, another instance type, another region, or later.",
    "SpotMaxPriceTooLow": "The spot price rose: try again, or --spot-or-on-demand.",
    "Unsupported": "Take another instance type or region.",
    "InvalidAMIID.NotFound": "Look at --ami: an image belongs to one region.",
    "InvalidAMIID.Malformed": "Look at --ami.",
    "ParameterNotFound": "Give the image with --ami, as in --ami ami-0123456789abcdef0.",
    "InvalidInstanceType": "Look at --instance-type; `aws ec2 describe-instance-types` lists them.",
    "InvalidSubnetID.NotFound": "Look at --subnet: it belongs to one region.",
    "NoSuchEntity": f"Run {SETUP} first.",
    "Invalid IAM Instance Profile": f"Run {SETUP} first; what it makes is known everywhere after some seconds.",
    "OptInRequired": "The account has not opted in to EC2, or to this region.",
    "PendingVerification": "AWS is still checking the account for this region; it writes when it is done.",
}
CAPACITY = {
    "InsufficientInstanceCapacity",
    "InsufficientFreeAddressesInSubnet",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "VcpuLimitExceeded",
}
BUSY = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "SlowDown", "RequestTimeout", "InternalError"}


class Aws:
    """Clients of one region."""

    def __init__(self, region: str | None) -> None:
        """Make a session. Raises LaunchError if boto3, or the region, is missing."""
        try:
            import boto3
        except ModuleNotFoundError:
            raise LaunchError(
                "Starting machines needs boto3, which is not installed: `pip install 'ludwig-serverless[training]'`."
            ) from None
        with explained("AWS cannot be used"):
            self._session = boto3.Session(region_name=region)
        if not self._session.region_name:
            raise LaunchError(f"No region is given. {REMEDIES['NoRegionError']}")
        self.region = str(self._session.region_name)
        self._clients: dict[str, Any] = {}

    def at(self, region: str) -> "Aws":
        """Return the same in another region, sharing what is slow to load."""
        other = copy.copy(self)
        other.region, other._clients = region, {}
        return other

    def client(self, service: str) -> Any:
        """Return a client that waits for no answer longer than half a minute."""
        from botocore.config import Config

        config = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=30)
        if service not in self._clients:
            with explained("AWS cannot be used"):
                self._clients[service] = self._session.client(service, region_name=self.region, config=config)
        return self._clients[service]


@contextmanager
def explained(failure: str) -> Iterator[None]:
    """Turn AWS's errors into sentences.

    failure: what does not work then. Raises UnreachedError where a later attempt may succeed, CapacityError where AWS
    has no machine to give, else LaunchError.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError

    try:
        yield
    except ClientError as error:
        raise _explained(failure, error.response, str(error)) from None
    except (HTTPClientError, IncompleteReadError) as error:
        raise UnreachedError(f"{failure}: AWS is not reached ({error}).") from None
    except (BotoCoreError, Boto3Error) as error:
        known = next((name for name in REMEDIES if name in f"{type(error).__name__} {error}"), "")
        raise LaunchError(f"{failure}: {error}. {REMEDIES.get(known, '')}".strip()) from None


def _explained(failure: str, response: dict[str, Any], text: str) -> LaunchError:
    code = str(response["Error"].get("Code", ""))
    if code in BUSY or (response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500 and code not in CAPACITY):
        return UnreachedError(f"{failure}: AWS does not answer as it should ({text}).")
    known = code if code in REMEDIES else next((name for name in REMEDIES if name in text), "")
    remedy = REMEDIES.get(known, "")
    kind = CapacityError if code in CAPACITY else LaunchError
    return kind(f"{failure}: {response['Error'].get('Message', text).rstrip('.')} ({code}). {remedy}".strip())
