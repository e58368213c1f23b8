"""Calculate the bill of `ludwig-serverless serve` in containers on Fargate, behind an application load balancer."""

import math

from ludwig_serverless.cost.bill import MONTH_HOURS, MONTH_SECONDS, MOST_MESSAGES, Bill
from ludwig_serverless.cost.measured import Measured
from training.aws_prices import RegionPrices

TASK_CORES, TASK_GIGABYTES = 2, 4
"""Size of a task. `serve` was measured on two cores; four gigabytes are the least that Fargate gives with them."""
LEAST_TASKS = 2
"""One in each of two zones, so that a failing zone or a deployment does not stop the service."""
UTILIZATION = 0.5
"""Share of the measured answers per second that a task gets in the busiest hour. The rest keeps waits short."""
REQUEST_BYTES = 1000
"""Bytes of a message as the load balancer counts them, with its headers."""
UNIT_GIGABYTES = 1.0
"""Processed gigabytes in an hour that one capacity unit of the load balancer allows; connections are kept open."""


def tasks(peak_per_second: float, measured: Measured) -> int:
    """Return the number of tasks for the busiest hour, which run around the clock.

    Args:
        peak_per_second: Messages per second in the busiest hour.
        measured: Benchmark results, with the answers per second of `serve`.
    """
    return max(LEAST_TASKS, math.ceil(peak_per_second / (UTILIZATION * measured.serve_answers_per_second.value)))


def cheaper_from(
    fixed: float, each: float, peak_share: float, prices: RegionPrices, measured: Measured
) -> float | None:
    """Return the number of messages per month from which containers cost less than a function.

    Args:
        fixed: What the function costs in a month without messages.
        each: What a message costs with the function.
        peak_share: The rate in the busiest hour, relative to the mean.
        prices: List prices of a region.
        measured: Benchmark results.

    Returns:
        None if they never do.
    """

    def saved(messages: float) -> float:
        peak = messages / MONTH_SECONDS * peak_share
        return fixed + each * messages - container_bill(messages, peak, prices, measured).total

    low, high = 1.0, MOST_MESSAGES
    if saved(high) <= 0:
        return None
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if saved(middle) > 0 else (middle, high)
    return high


def container_bill(messages: float, peak_per_second: float, prices: RegionPrices, measured: Measured) -> Bill:
    """Calculate a month's bill of containers.

    Args:
        messages: Messages per month.
        peak_per_second: Messages per second in the busiest hour.
        prices: List prices of a region.
        measured: Benchmark results.
    """
    count = tasks(peak_per_second, measured)
    hour = TASK_CORES * prices.fargate_core_hour + TASK_GIGABYTES * prices.fargate_gb_hour
    processed = messages * (REQUEST_BYTES + measured.answer_bytes_per_message.value) / 1e9
    logged = messages * measured.log_bytes_per_message.value / 1e9
    return Bill(
        f"Fargate, {count} tasks",
        {"tasks": count * hour * MONTH_HOURS, "load balancer": prices.balancer_hour * MONTH_HOURS},
        {
            "load balancer's units": processed / UNIT_GIGABYTES * prices.balancer_unit_hour,
            "logs": logged * (prices.logs_gb + prices.logs_storage_gb_month),
            "data": messages * measured.answer_bytes_per_message.value / 1e9 * prices.data_out_gb,
        },
    )
