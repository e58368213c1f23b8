"""AWS clients, and AWS errors as exceptions that tell the user what to do."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handler.extras import how_to_install
from training.aws_errors import REMEDIES, Kind, explain
from training.errors import CapacityError, LaunchError, UnreachedError

RIGHTS = "These credentials lack permissions; `ludwig-serverless launch policy user --bucket BUCKET` prints the policy."
EXCEPTIONS = {Kind.REFUSED: LaunchError, Kind.NO_CAPACITY: CapacityError, Kind.UNREACHED: UnreachedError}


@dataclass(frozen=True)
class Identity:
    """The AWS account of the credentials.

    Attributes:
        account: The account id, 12 digits.
        partition: `aws`, or another partition such as `aws-cn`.
    """

    account: str
    partition: str

    def role(self, name: str) -> str:
        """Return the ARN of an IAM role in this account."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


class Aws:
    """The AWS clients for one region."""

    def __init__(self, region: str | None) -> None:
        """Create a session.

        Args:
            region: A region such as `eu-west-1`, or None for the default region of the AWS settings.

        Raises:
            LaunchError: boto3 is missing, or no region is set.
        """
        try:
            import boto3
        except ModuleNotFoundError:
            raise LaunchError(
                f"Launching needs boto3, which is not installed: run {how_to_install('training')}."
            ) from None
        with explained("Cannot use AWS"):
            self._session = boto3.Session(region_name=region)
        if not self._session.region_name:
            raise LaunchError(f"No region is set. {REMEDIES['NoRegionError']}")
        self.region = str(self._session.region_name)
        self._clients: dict[str, Any] = {}
        self._identity: Identity | None = None

    def at(self, region: str) -> "Aws":
        """Return the clients for another region. They share the session, which is slow to load."""
        other = copy.copy(self)
        other.region, other._clients = region, {}
        return other

    def client(self, service: str) -> Any:
        """Return a client with a connect timeout of 5 s and a read timeout of 30 s."""
        from botocore.config import Config

        config = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=30)
        if service not in self._clients:
            with explained("Cannot use AWS"):
                self._clients[service] = self._session.client(service, region_name=self.region, config=config)
        return self._clients[service]

    def identity(self) -> Identity:
        """Return the account of the credentials. Only the first call asks AWS. Raises LaunchError."""
        if self._identity is None:
            with explained("Cannot look up the account"):
                found = self.client("sts").get_caller_identity()
                self._identity = Identity(str(found["Account"]), str(found["Arn"]).split(":")[1])
        return self._identity


@contextmanager
def explained(failure: str) -> Iterator[None]:
    """Turn AWS errors into exceptions that tell the user what to do. Parse the response inside the block too.

    Args:
        failure: What failed, such as "Cannot read the bucket".

    Raises:
        UnreachedError: AWS was not reached, or something else answered. A retry may succeed.
        CapacityError: AWS has no capacity for the instance.
        LaunchError: AWS refused the request. `code` is the AWS error code.
    """
    try:
        yield
    except LaunchError:
        raise
    except Exception as error:
        problem = explain(error, RIGHTS)
        if problem is None:
            raise
        raise EXCEPTIONS[problem.kind](f"{failure}: {problem}", problem.code) from None
