"""Calculate an upper bound of the monthly cost of requests without a valid token, from the rate limit of API Gateway.

API Gateway does not bill requests that it answers with 429, so RequestsPerSecond limits the bill. It bills all others
by their size: every started 512 KB count as one request.
"""

import math
from collections.abc import Iterator

from ludwig_serverless.cost.bill import MEGABYTES, MONTH_SECONDS, PLATFORM_LOG_BYTES
from ludwig_serverless.cost.measured import Measured
from training.aws_prices import RegionPrices

METERED_BYTES = 512 * 1024
"""An HTTP API bills every started block of this size as one request."""
LARGEST_BYTES = 10 * 1024 * 1024
"""The largest request that an HTTP API accepts. Above Lambda's 6 MB, it is billed, but the function does not run."""


def refusals(per_second: float, memory_megabytes: int, prices: RegionPrices, measured: Measured) -> Iterator[str]:
    """Yield a Markdown table with the monthly cost of the smallest and of the largest requests.

    Args:
        per_second: Requests per second, around the clock.
        memory_megabytes: Memory of the function, in MB.
        prices: List prices of a region.
        measured: Benchmark results of answered requests, an upper bound for rejected ones.

    Yields:
        The lines of the table.
    """
    requests = per_second * MONTH_SECONDS
    rows = {
        "small, answered with 401": smallest(requests, memory_megabytes, prices, measured),
        "10 MB each, which never reach the function": largest(requests, prices),
    }
    yield f"| {requests:,.0f} requests per month ({per_second:g} per second) | total | items |"
    yield "|---|--:|---|"
    for name, parts in rows.items():
        items = ", ".join(f"{part} {price:.0f}" for part, price in parts.items())
        yield f"| {name} | {sum(parts.values()):.0f} | {items} |"


def smallest(requests: float, memory_megabytes: int, prices: RegionPrices, measured: Measured) -> dict[str, float]:
    """Calculate the cost of small requests that the function rejects.

    Args:
        requests: Number of requests per month.
        memory_megabytes: Memory of the function, in MB.
        prices: List prices of a region.
        measured: Benchmark results.

    Returns:
        The cost by item, in dollars.
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
    """Calculate the cost of requests of the largest size that an HTTP API accepts.

    Args:
        requests: Number of requests per month.
        prices: List prices of a region.

    Returns:
        The cost by item, in dollars.
    """
    metered = requests * math.ceil(LARGEST_BYTES / METERED_BYTES)
    return {
        "API": metered / 1e6 * prices.http_api_million_requests,
        "logs": _logs(requests, PLATFORM_LOG_BYTES, prices),
    }


def _logs(requests: float, bytes_each: float, prices: RegionPrices) -> float:
    return requests * bytes_each / 1e9 * (prices.logs_gb + prices.logs_storage_gb_month)
