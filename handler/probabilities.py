"""The probability of a sequence, as Ludwig reports it: a sum of logarithms."""

from collections.abc import Sequence
from math import log, prod

SMALLEST_PROBABILITY = 1e-10
"""Ludwig clips probabilities to this before the logarithm.

Source: `compute_sequence_probability` in `ludwig.features.feature_utils`.
"""
FACTORS = 30
"""How many probabilities to multiply before taking the logarithm. Their product is at least 1e-300, a normal float."""


def log_probability(probabilities: Sequence[float]) -> float:
    """Return the sum of the logarithms of probabilities.

    Args:
        probabilities: The probabilities, which are clipped first.

    Returns:
        The sum in float64. Ludwig adds in float32, so its sum has larger rounding errors.
    """
    if max(probabilities, default=1.0) > 1:
        probabilities = [min(each, 1.0) for each in probabilities]
    total = 0.0
    for start in range(0, len(probabilities), FACTORS):
        factors = probabilities[start : start + FACTORS]
        product = prod(factors)
        if product < SMALLEST_PROBABILITY:  # only then can a factor be as small
            product = prod([max(each, SMALLEST_PROBABILITY) for each in factors])
        total += log(product)
    return total
