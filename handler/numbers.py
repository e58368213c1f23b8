"""Ludwig's number normalizations and their inverses, computed in float32 as in Ludwig.

Python's floats are float64. For `+`, `-`, `*` and `/` on float32 numbers, rounding the float64 result to float32 gives
the same bits as an operation in float32. Logarithms and exponentials may differ from Ludwig's in the last bit.

Source: `numeric_transformation_registry` in `ludwig.features.number_feature`.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import override

from handler.described import Described


class Normalization(Described, frozen=True, tag="none"):
    """No normalization, and the base class of the others."""

    def apply(self, numbers: Sequence[float]) -> Sequence[float]:
        """Normalize numbers.

        Args:
            numbers: Numbers with the precision of float32.

        Returns:
            The normalized numbers, rounded to float32.

        Raises:
            ValueError: A number is outside the domain of the normalization.
        """
        return numbers

    def invert(self, numbers: Sequence[float]) -> Sequence[float]:
        """Return normalized numbers with the precision of float32 to their original scale, rounded to float32."""
        return numbers


class Linear(Normalization, frozen=True, tag="linear"):
    """Subtract an offset and divide by a scale: z-score, min-max and interquartile normalization."""

    offset: float
    scale: float

    @override
    def apply(self, numbers: Sequence[float]) -> Sequence[float]:
        return scaled(numbers, self.offset, self.scale)

    @override
    def invert(self, numbers: Sequence[float]) -> Sequence[float]:
        offset, scale = float32([self.offset, self.scale])
        products = float32(number * scale for number in numbers)
        return float32(product + offset for product in products)


class Log1p(Normalization, frozen=True, tag="log1p"):
    """The natural logarithm of 1 plus a number above zero."""

    @override
    def apply(self, numbers: Sequence[float]) -> Sequence[float]:
        if any(number <= 0 for number in numbers):
            raise ValueError("only numbers above zero have a log1p normalization")
        return float32(map(math.log1p, numbers))

    @override
    def invert(self, numbers: Sequence[float]) -> Sequence[float]:
        return float32(map(_expm1, numbers))


AnyNormalization = Normalization | Linear | Log1p


def float32(numbers: Iterable[float]) -> list[float]:
    """Round numbers to float32. Numbers beyond the largest float32 become infinite."""
    return array("f", numbers).tolist()


def scaled(numbers: Iterable[float], offset: float, scale: float) -> list[float]:
    """Subtract an offset and divide by a scale, in float32.

    Args:
        numbers: Numbers with the precision of float32.
        offset: Any number.
        scale: Any number. Division by a scale that float32 rounds to zero gives infinity, or NaN for zero.

    Returns:
        The results, rounded to float32.
    """
    offset, scale = float32([offset, scale])
    differences = float32(number - offset for number in numbers)
    if scale == 0:
        return [difference * math.copysign(math.inf, scale) for difference in differences]
    return float32(difference / scale for difference in differences)


def _expm1(number: float) -> float:
    try:
        return math.expm1(number)
    except OverflowError:
        return math.inf
