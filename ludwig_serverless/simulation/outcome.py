"""Send traffic through all limits, in the order in which a request meets them, and summarize what happened."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ludwig_serverless.simulation.buckets import Times, admitted
from ludwig_serverless.simulation.fleet import COLD, CONCURRENCY, PROVISIONED, SCALING, WARM, Draws, serve
from ludwig_serverless.simulation.settings import Settings

STAGE, ACCOUNT, RATE = 5, 6, 7
"""Throttled by the API's stage, by the account's quota of API Gateway, or by Lambda's requests per second."""
CAUSES = {
    STAGE: "RequestsPerSecond",
    ACCOUNT: "API Gateway quota",
    RATE: "Lambda requests per second",
    CONCURRENCY: "concurrency",
    SCALING: "scaling rate",
}
"""The limits that throttle, in the order in which a request meets them."""
BY_API = (STAGE, ACCOUNT)
"""API Gateway itself answers 429 here; the function is not called, and AWS does not bill the request."""
ANSWERED = (PROVISIONED, WARM, COLD)


class Outcome(NamedTuple):
    """What happened to each request.

    Attributes:
        times: Times of the requests, in seconds.
        kinds: A constant of this module or of `fleet`.
        waits: Seconds from the request to the answer, without network and API Gateway; NaN if it was throttled.
        concurrency: Requests in progress with this one; 0 if it did not reach the environments.
        counted: Which requests count; the others only warm up the environments.
    """

    times: Times
    kinds: npt.NDArray[np.uint8]
    waits: Times
    concurrency: npt.NDArray[np.int64]
    counted: npt.NDArray[np.bool_]

    def count(self, *kinds: int) -> int:
        """Return how many of the counted requests have one of these kinds."""
        return int(np.isin(self.kinds[self.counted], kinds).sum())

    @property
    def total(self) -> int:
        """The number of counted requests."""
        return int(self.counted.sum())

    def throttled(self) -> dict[str, int]:
        """Return the number of throttled requests by cause, without causes that throttle none."""
        numbers = {name: self.count(kind) for kind, name in CAUSES.items()}
        return {name: number for name, number in numbers.items() if number}

    def percentiles(self, *shares: float) -> list[float]:
        """Return percentiles of the waits of answered requests, in milliseconds; NaN if there is none."""
        waits = self.waits[self.counted & np.isin(self.kinds, ANSWERED)]
        if not len(waits):
            return [float("nan")] * len(shares)
        return [float(value) for value in np.percentile(waits, shares) * 1000]

    @property
    def peak(self) -> int:
        """The largest number of concurrent requests."""
        return int(self.concurrency[self.counted].max(initial=0))


def simulate(times: Times, draws: Draws, settings: Settings, counted_from: float = 0.0) -> Outcome:
    """Simulate requests.

    Args:
        times: Times of the requests in seconds, ascending.
        draws: Their random quantities.
        settings: The limits.
        counted_from: Requests before this second only warm up the environments.
    """
    kinds = np.zeros(len(times), dtype=np.uint8)
    passed = np.ones(len(times), dtype=bool)
    for kind, rate, capacity in (
        (STAGE, settings.requests_per_second, settings.request_burst),
        (ACCOUNT, settings.api_requests_per_second, settings.api_burst),
        # A bucket for one second: AWS documents the rate, but not how it is measured.
        (RATE, settings.lambda_requests_per_second, max(settings.lambda_requests_per_second, 1.0)),
    ):
        places = np.flatnonzero(passed)
        refused = places[~admitted(times[places], rate, capacity)]
        kinds[refused], passed[refused] = kind, False
    served = serve(times[passed], draws.of(passed), settings)
    kinds[passed] = served.kinds
    concurrency = np.zeros(len(times), dtype=np.int64)
    concurrency[passed] = served.concurrency + np.isin(served.kinds, ANSWERED)
    waits = np.where(kinds == COLD, draws.starts, draws.answers)
    waits[~np.isin(kinds, ANSWERED)] = np.nan
    return Outcome(times, kinds, waits, concurrency, times >= counted_from)
