"""Ludwig's normalizations of numbers, and their inverses, in float32 as Ludwig computes them.

Source: `numeric_transformation_registry` in `ludwig.features.number_feature`.
"""

from typing import override

import numpy as np

from handler.described import Described


class Normalization(Described, frozen=True, tag="none"):
    """Identity normalization, and the base class of the others."""

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Normalise float32 numbers of any shape. Raises ValueError for a number outside the domain."""
        return numbers

    def invert(self, numbers: np.ndarray) -> np.ndarray:
        """Return normalized float32 numbers to their own scale."""
        return numbers


class Linear(Normalization, frozen=True, tag="linear"):
    """Subtract an offset and divide by a scale: z-scores, min-max and interquartile normalization alike."""

    offset: float
    scale: float

    @override
    def apply(self, numbers: np.ndarray) -> np.ndarray:
        return (numbers - self.offset) / self.scale

    @override
    def invert(self, numbers: np.ndarray) -> np.ndarray:
        return numbers * self.scale + self.offset


class Log1p(Normalization, frozen=True, tag="log1p"):
    """The logarithm of one more than a number above zero."""

    @override
    def apply(self, numbers: np.ndarray) -> np.ndarray:
        if (numbers <= 0).any():
            raise ValueError("only numbers above zero have a log1p normalization")
        return np.log1p(numbers)

    @override
    def invert(self, numbers: np.ndarray) -> np.ndarray:
        return np.expm1(numbers)


AnyNormalization = Normalization | Linear | Log1p
