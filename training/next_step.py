"""Tell users of large models how to make their bundles smaller."""

from pathlib import Path

from export.model import WEIGHTS
from training.workspace import MODEL

LARGE_BYTES = 40_000_000
"""Minimum size of weights whose quantization pays; the transformers have more, all other configurations less."""


def int8_advice(run: Path, bundle: Path, dataset: Path) -> str | None:
    """Return the command that exports a large model with int8 weights, in a sentence; None for a small one.

    Args:
        run: The run's folder.
        bundle: The bundle that the command writes.
        dataset: The rows to measure the agreement on.
    """
    weights = run / MODEL / WEIGHTS
    if not weights.is_file() or weights.stat().st_size < LARGE_BYTES:
        return None
    megabytes = weights.stat().st_size / 1e6
    return (
        f"A bundle of {run.name} has {megabytes:.0f} MB. To make it smaller and faster with int8, if 99 % of the "
        f"labels stay the same: ludwig-serverless export {run} {bundle} --dataset {dataset} --quantize auto "
        "--agreement 0.99 --force"
    )
