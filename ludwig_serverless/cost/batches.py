"""Calculate the cost of answering rows once, with Step Functions and a deployed function (examples/aws/batch.yaml)."""

import math
from collections.abc import Iterator

from ludwig_serverless.cost.bill import MEGABYTES, PLATFORM_LOG_BYTES
from ludwig_serverless.cost.measured import BATCH_ROWS, Measured
from training.aws_prices import RegionPrices

TRANSITIONS = 1
"""State transitions that AWS bills for each batch: the start of its workflow. Those inside it are not billed."""
WORKFLOW_GB = 64 / MEGABYTES
"""The smallest memory that AWS bills for an Express workflow. A batch of 128 KiB needs no more."""
WORKFLOW_STEP_MILLISECONDS = 100
"""AWS rounds the duration of an Express workflow up to a multiple of this."""
PRICING = "https://aws.amazon.com/step-functions/pricing/"


def batch_costs(
    rows: float, rows_per_batch: int, memory_megabytes: int, prices: RegionPrices, measured: Measured
) -> Iterator[str]:
    """Yield a Markdown table with the cost of a run, and the assumptions.

    Args:
        rows: The number of rows.
        rows_per_batch: The template's parameter RowsPerBatch.
        memory_megabytes: Memory of the function, in MB.
        prices: List prices of a region.
        measured: Benchmark results.

    Yields:
        The lines.
    """
    items = batch_items(rows, rows_per_batch, memory_megabytes, prices, measured)
    total = sum(items.values())
    parts = ", ".join(f"{name} {price:.4g}" for name, price in items.items())
    figure = measured.map_batch_milliseconds
    yield f"| {rows:,.0f} rows in batches of {rows_per_batch:,} | total | per million rows | items |"
    yield "|---|--:|--:|---|"
    yield f"| Step Functions and Lambda | {total:.2f} | {total / rows * 1e6:.3f} | {parts} |"
    yield "\nAssumptions:\n"
    yield f"- {_milliseconds(rows_per_batch, measured):.0f} ms for each batch, compact answers of three small models:"
    yield f"  measured with {BATCH_ROWS} rows by `{figure.by}` on {figure.measured_at}, on {figure.machine};"
    yield f"- Step Functions bills a state transition and an Express workflow for each batch: see {PRICING};"
    yield f"- {PLATFORM_LOG_BYTES + measured.log_bytes_per_message.value:.0f} bytes of logs for each batch;"
    yield "- without cold starts, repeated batches, requests to S3 and storage, which cost little in comparison."


def batch_items(
    rows: float, rows_per_batch: int, memory_megabytes: int, prices: RegionPrices, measured: Measured
) -> dict[str, float]:
    """Calculate the cost of a run.

    Args:
        rows: The number of rows.
        rows_per_batch: The template's parameter RowsPerBatch.
        memory_megabytes: Memory of the function, in MB.
        prices: List prices of a region.
        measured: Benchmark results.

    Returns:
        The cost by item, in dollars.
    """
    batches = math.ceil(rows / rows_per_batch)
    milliseconds = _milliseconds(rows_per_batch, measured)
    workflow_seconds = math.ceil(milliseconds / WORKFLOW_STEP_MILLISECONDS) * WORKFLOW_STEP_MILLISECONDS / 1000
    seconds = batches * math.ceil(milliseconds) / 1000
    logged = batches * (PLATFORM_LOG_BYTES + measured.log_bytes_per_message.value) / 1e9
    return {
        "answers": seconds * memory_megabytes / MEGABYTES * prices.lambda_gb_second,
        "requests": batches / 1e6 * prices.lambda_million_requests,
        "state transitions": batches * TRANSITIONS / 1000 * prices.state_transitions_thousand,
        "workflows": batches / 1e6 * prices.express_million_requests
        + batches * workflow_seconds * WORKFLOW_GB * prices.express_gb_second,
        "logs": logged * (prices.logs_gb + prices.logs_storage_gb_month),
    }


def _milliseconds(rows_per_batch: int, measured: Measured) -> float:
    return measured.map_batch_milliseconds.value * rows_per_batch / BATCH_ROWS
