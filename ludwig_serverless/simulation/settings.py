"""The limits that a request meets on its way to an answer: those of the template, of the account, and of Lambda."""

import math

import msgspec

from handler.errors import SettingsError

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR
UNRESERVED = 100
"""Lambda keeps this part of the account's concurrency for functions without a reservation."""


class Settings(msgspec.Struct, frozen=True):
    """Limits and settings of a deployment. The defaults are those of the template and of an AWS account.

    Attributes:
        requests_per_second: The template's `RequestsPerSecond`: the rate of the stage's token bucket.
        request_burst: The template's `RequestBurst`: the capacity of that bucket.
        api_requests_per_second: The account's quota of API Gateway, per region.
        api_burst: The capacity of that quota's bucket.
        account_concurrency: The account's quota of concurrent executions that this function can use.
        reserved: The template's `ReservedConcurrency`; None sets no limit of its own.
        provisioned: The template's `ProvisionedConcurrency`.
        scaling_environments: How many environments Lambda starts for a function in `scaling_seconds`.
        scaling_seconds: The interval of that limit. The allowance refills continuously.
        requests_per_environment: Requests per second that Lambda accepts, for each unit of the concurrency limit.
        idle_seconds: Mean time after which Lambda stops an idle environment. An assumption: AWS documents none.
        lifetime_seconds: Mean time after which Lambda replaces an environment even under traffic. AWS documents
            "every few hours".
        spread: The two times differ between environments: uniformly, by up to this share of the mean. An assumption.
    """

    requests_per_second: float = 20.0
    request_burst: float = 40.0
    api_requests_per_second: float = 10_000.0
    api_burst: float = 5_000.0
    account_concurrency: float = 1_000
    reserved: int | None = None
    provisioned: int = 0
    scaling_environments: float = 1_000
    scaling_seconds: float = 10.0
    requests_per_environment: float = 10.0
    idle_seconds: float = 10 * MINUTE
    lifetime_seconds: float = 2 * HOUR
    spread: float = 0.5

    @property
    def concurrency(self) -> float:
        """The largest number of concurrent requests of the function."""
        return self.account_concurrency if self.reserved is None else self.reserved

    @property
    def lambda_requests_per_second(self) -> float:
        """The rate above which Lambda throttles, however short the answers are."""
        return self.concurrency * self.requests_per_environment

    def unlimited(self) -> "Settings":
        """Return the same settings without limits: a simulation with them shows the demand."""
        return msgspec.structs.replace(
            self,
            requests_per_second=math.inf,
            api_requests_per_second=math.inf,
            account_concurrency=math.inf,
            reserved=None,
            scaling_environments=math.inf,
        )

    def check(self) -> None:
        """Check that AWS would accept the settings.

        Raises:
            SettingsError: It would not.
        """
        if self.reserved is not None and self.reserved > self.account_concurrency - UNRESERVED:
            raise SettingsError(
                f"Lambda keeps {UNRESERVED} of the account's concurrency unreserved, so at most "
                f"{max(self.account_concurrency - UNRESERVED, 0):,.0f} can be reserved, not {self.reserved:,}: lower "
                "--reserved or raise --account-concurrency."
            )
        if self.provisioned > self.concurrency:
            raise SettingsError(
                f"Provisioned concurrency is part of the function's limit of {self.concurrency:,.0f}, not "
                f"{self.provisioned:,}: lower --provisioned, or raise --reserved or --account-concurrency."
            )
