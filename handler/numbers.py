"""Ludwig's number normalizations and their inverses, computed in float32 as in Ludwig.

Source: `numeric_transformation_registry` in `ludwig.features.number_feature`.
"""

from typing import override

import numpy as np

from handler.described import Described


class Normalization(Described, frozen=True, tag="none"):
    """No normalization, and the base class of the others."""

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Normalize numbers.

        Args:
            numbers: float32, of any shape.

        Returns:
            The normalized numbers, in the same shape.

        Raises:
            ValueError: A number is outside the domain of the normalization.
        """
        return numbers

    def invert(self, numbers: np.ndarray) -> np.ndarray:
        """Return normalized numbers, float32 of any shape, to their original scale."""
        return numbers


class Linear(Normalization, frozen=True, tag="linear"):
    """Subtract an offset and divide by a scale: z-score, min-max and interquartile normalization."""

    offset: float
    scale: float

    @override
    def apply(self, numbers: np.ndarray) -> np.ndarray:
        return (numbers - self.offset) / self.scale

    @override
    def invert(self, numbers: np.ndarray) -> np.ndarray:
        return numbers * self.scale + self.offset


class Log1p(Normalization, frozen=True, tag="log1p"):
    """The natural logarithm of 1 plus a number above zero."""

    @override
    def apply(self, numbers: np.ndarray) -> np.ndarray:
        if (numbers <= 0).any():
            raise ValueError("only numbers above zero have a log1p normalization")
        return np.log1p(numbers)

    @override
    def invert(self, numbers: np.ndarray) -> np.ndarray:
        return np.expm1(numbers)


AnyNormalization = Normalization | Linear | Log1p
