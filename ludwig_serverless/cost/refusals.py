"""What requests without a valid token cost in a month: an upper bound, by the rate that API Gateway lets through.

API Gateway does not bill what it answers with 429, so RequestsPerSecond bounds the bill. Of the rest it bills every
request, and by its size: each 512 KB, begun or full, counts as a request.
"""

import math
from collections.abc import Iterator

from ludwig_serverless.cost.bill import MEGABYTES, MONTH_SECONDS, PLATFORM_LOG_BYTES
from ludwig_serverless.cost.measured import Measured
from training.aws_prices import RegionPrices

METERED_BYTES = 512 * 1024
"""Of a request to an HTTP API, what is billed as one."""
LARGEST_BYTES = 10 * 1024 * 1024
"""Of a request that an HTTP API takes. Lambda takes 6 MB: API Gateway bills a larger one, the function never runs."""


def refusals(per_second: float, memory_megabytes: int, prices: RegionPrices, measured: Measured) -> Iterator[str]:
    """Give the lines of the answer, as Markdown.

    Args:
        per_second: Requests a second, day and night.
        memory_megabytes: Memory of the function.
        prices: List prices of a region.
        measured: Measured figures, of which a request that is answered is the upper bound of one that is refused.

    Yields:
        A table with a row for the smallest and one for the largest requests.
    """
    requests = per_second * MONTH_SECONDS
    rows = {
        "small, answered 401": smallest(requests, memory_megabytes, prices, measured),
        "10 MB each, which the function never sees": largest(requests, prices),
    }
    yield f"| {requests:,.0f} requests a month ({per_second:g} a second) | together | made of |"
    yield "|---|--:|---|"
    for name, parts in rows.items():
        made_of = ", ".join(f"{part} {price:.0f}" for part, price in parts.items())
        yield f"| {name} | {sum(parts.values()):.0f} | {made_of} |"


def smallest(requests: float, memory_megabytes: int, prices: RegionPrices, measured: Measured) -> dict[str, float]:
    """Return what requests cost that the function refuses.

    Args:
        requests: How many, in a month.
        memory_megabytes: Memory of the function.
        prices: List prices of a region.
        measured: Measured figures.

    Returns:
        The price of each part.
    """
    seconds = requests * math.ceil(measured.warm_answer_milliseconds.value) / 1000
    return {
        "API": requests / 1e6 * prices.http_api_million_requests,
        "requests": requests / 1e6 * prices.lambda_million_requests,
        "answers": seconds * memory_megabytes / MEGABYTES * prices.lambda_gb_second,
        "logs": _logs(requests, measured.log_bytes_per_message.value + PLATFORM_LOG_BYTES, prices),
        "data": requests * measured.answer_bytes_per_message.value / 1e9 * prices.data_out_gb,
    }


def largest(requests: float, prices: RegionPrices) -> dict[str, float]:
    """Return what requests cost that are as large as an HTTP API takes them.

    Args:
        requests: How many, in a month.
        prices: List prices of a region.

    Returns:
        The price of each part.
    """
    metered = requests * math.ceil(LARGEST_BYTES / METERED_BYTES)
    return {
        "API": metered / 1e6 * prices.http_api_million_requests,
        "logs": _logs(requests, PLATFORM_LOG_BYTES, prices),
    }


def _logs(requests: float, bytes_each: float, prices: RegionPrices) -> float:
    return requests * bytes_each / 1e9 * (prices.logs_gb + prices.logs_storage_gb_month)
