"""AWS's clients, and its errors as exceptions that say what to do."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handler.extras import how_to_install
from training.aws_errors import REMEDIES, Kind, explain
from training.errors import CapacityError, LaunchError, UnreachedError

RIGHTS = "These keys may not do this; `ludwig-serverless launch policy user --bucket BUCKET` prints what they need."
EXCEPTIONS = {Kind.REFUSED: LaunchError, Kind.NO_CAPACITY: CapacityError, Kind.UNREACHED: UnreachedError}


@dataclass(frozen=True)
class Identity:
    """Whose keys are used. partition: `aws`, or `aws-cn` and the like."""

    account: str
    partition: str

    def role(self, name: str) -> str:
        """Return the ARN of a role of the account."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


class Aws:
    """Clients of one region."""

    def __init__(self, region: str | None) -> None:
        """Make a session.

        Args:
            region: such as `eu-west-1`; None for the one of AWS's own settings.

        Raises:
            LaunchError: boto3 is not installed, or no region is set.
        """
        try:
            import boto3
        except ModuleNotFoundError:
            raise LaunchError(f"Launching needs boto3, which is not installed: {how_to_install('training')}.") from None
        with explained("AWS cannot be used"):
            self._session = boto3.Session(region_name=region)
        if not self._session.region_name:
            raise LaunchError(f"No region is set. {REMEDIES['NoRegionError']}")
        self.region = str(self._session.region_name)
        self._clients: dict[str, Any] = {}
        self._identity: Identity | None = None

    def at(self, region: str) -> "Aws":
        """Return the same for another region, sharing what is slow to load."""
        other = copy.copy(self)
        other.region, other._clients = region, {}
        return other

    def client(self, service: str) -> Any:
        """Return a client that waits at most 5 s for a connection and 30 s for an answer."""
        from botocore.config import Config

        config = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=30)
        if service not in self._clients:
            with explained("AWS cannot be used"):
                self._clients[service] = self._session.client(service, region_name=self.region, config=config)
        return self._clients[service]

    def identity(self) -> Identity:
        """Return whose keys these are. AWS is asked once. Raises LaunchError."""
        if self._identity is None:
            with explained("The account cannot be looked up"):
                found = self.client("sts").get_caller_identity()
                self._identity = Identity(str(found["Account"]), str(found["Arn"]).split(":")[1])
        return self._identity


@contextmanager
def explained(failure: str) -> Iterator[None]:
    """Turn what goes wrong with AWS into exceptions that say what to do. Read the answer inside of it, too.

    Args:
        failure: a clause that says what failed, such as "The bucket cannot be read".

    Raises:
        UnreachedError: AWS was not reached, or something else answered: a later attempt may succeed.
        CapacityError: AWS has no machine to give.
        LaunchError: AWS refuses; `code` is AWS's own.
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
