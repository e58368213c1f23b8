"""Numbers are normalized in float32. numpy, which computes in float32, is the reference."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.errors import RequestError
from handler.inputs import NumberInput
from handler.numbers import Linear, Log1p, Normalization, float32, scaled

NUMBERS = arrays.arrays(np.float32, st.integers(0, 5), elements=st.floats(width=32, allow_nan=False))
PARAMETERS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1e-50, 1e39, 0.1])


def same_bits(found: Any, expected: np.ndarray) -> None:
    """Check that numbers are equal to the last bit, or both NaN."""
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(np.array(found, dtype=np.float64), expected.astype(np.float64))


@given(numbers=NUMBERS, offset=PARAMETERS, scale=PARAMETERS)
@example(numbers=np.array([0, 1, -1], dtype=np.float32), offset=0.0, scale=-0.0)
def test_linear_normalization_has_the_bits_of_float32(numbers: np.ndarray, offset: float, scale: float) -> None:
    with np.errstate(all="ignore"):
        expected = (numbers - np.float32(offset)) / np.float32(scale)
        inverse = numbers * np.float32(scale) + np.float32(offset)
    same_bits(Linear(offset=offset, scale=scale).apply(numbers.tolist()), expected)
    same_bits(Linear(offset=offset, scale=scale).invert(numbers.tolist()), inverse)
    same_bits(scaled(numbers.tolist(), offset, scale), expected)


@given(numbers=arrays.arrays(np.float32, 4, elements=st.floats(0, width=32, exclude_min=True)))
def test_logarithms_differ_by_a_rounding_error_at_most(numbers: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(Log1p().apply(numbers.tolist()), np.log1p(numbers), rtol=3e-7)
        np.testing.assert_allclose(Log1p().invert(numbers.tolist()), np.expm1(numbers), rtol=3e-7)


@given(value=st.floats(allow_nan=False), mean=st.floats(-1e9, 1e9), threshold=st.floats(0, 10), fill=st.floats(-9, 9))
def test_outliers_are_those_of_float32(value: float, mean: float, threshold: float, fill: float) -> None:
    feature = NumberInput(
        name="x",
        column="x",
        normalization=Normalization(),
        outlier_mean=mean,
        outlier_deviation=0.3,
        outlier_threshold=threshold,
        outlier_fill=fill,
    )
    with np.errstate(all="ignore"):
        number = np.float32(value)
        is_outlier = abs((number - np.float32(mean)) / np.float32(0.3)) > np.float32(threshold)
    expected = np.float32(fill) if is_outlier else number
    if not np.isfinite(expected):
        with pytest.raises(RequestError, match="must be finite"):
            feature.encode([value])
    else:
        same_bits(feature.encode([value]).tolist(), np.array([expected]))


def test_numbers_beyond_float32_become_infinite() -> None:
    assert float32([1e39, -1e39, 0.1]) == [float("inf"), float("-inf"), 0.10000000149011612]
