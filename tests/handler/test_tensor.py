"""Tests of tensors without numpy. numpy is the reference."""

import math
from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.tensor import FORMATS, Tensor, joined

ARRAYS = st.sampled_from([*FORMATS]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


def wrapped(values: np.ndarray) -> Tensor:
    return Tensor(values.dtype.name, values.shape, values.tobytes())


@given(ARRAYS)
def test_a_tensor_has_the_elements_that_numpy_sees(values: np.ndarray) -> None:
    tensor = wrapped(values)
    np.testing.assert_array_equal(np.array(tensor.tolist(), dtype=values.dtype).reshape(values.shape), values)
    seen = np.asarray(tensor)
    assert seen.dtype == values.dtype
    np.testing.assert_array_equal(seen.reshape(values.shape), values)


@given(ARRAYS.filter(lambda values: values.ndim > 0), st.integers(0, 5), st.integers(0, 5))
def test_rows_share_the_memory(values: np.ndarray, start: int, stop: int) -> None:
    rows = wrapped(values).rows(start, stop)
    np.testing.assert_array_equal(np.asarray(rows).reshape(values[start:stop].shape), values[start:stop])


@given(ARRAYS.filter(lambda values: values.ndim > 0 and len(values) > 0), st.integers(1, 4))
def test_the_parts_of_a_tensor_join_to_the_same_tensor(values: np.ndarray, size: int) -> None:
    whole = wrapped(values)
    parts = [whole.rows(start, start + size) for start in range(0, len(values), size)]
    again = joined(parts)
    assert (again.dtype, again.shape) == (whole.dtype, whole.shape)
    assert again.flat.tobytes() == whole.flat.tobytes()


@given(ARRAYS.filter(lambda values: values.ndim > 0 and len(values) > 0), st.data())
def test_taken_rows_are_those_of_numpy(values: np.ndarray, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(values) - 1)))
    taken = wrapped(values).taken(rows)
    expected = values[rows]
    assert (taken.dtype, taken.shape) == (expected.dtype.name, expected.shape)
    assert taken.flat.tobytes() == expected.tobytes()


@given(ARRAYS.filter(lambda values: values.ndim > 0), st.integers(-5, 5))
def test_a_row_is_that_of_numpy(values: np.ndarray, index: int) -> None:
    tensor = wrapped(values)
    if not -len(values) <= index < len(values):
        with pytest.raises(IndexError):
            tensor[index]
    elif values.ndim == 1:
        np.testing.assert_array_equal(tensor[index], values[index])
    else:
        np.testing.assert_array_equal(np.asarray(tensor[index]).reshape(values[index].shape), values[index])


FLOATS = st.sampled_from(
    [math.nan, math.inf, -math.inf, 3.4028234663852886e38, -3.4028234663852886e38, 1.8e38, 0.0, -1.0]
)


@given(st.sampled_from(["float32", "float64"]), st.lists(FLOATS, max_size=6))
def test_nan_and_infinity_are_found(dtype: str, values: list[float]) -> None:
    array = np.array(values, dtype=dtype)
    assert wrapped(array).is_finite() == np.isfinite(array).all()


@given(arrays.arrays("uint32", 3))
def test_nan_and_infinity_are_found_in_any_bits(bits: np.ndarray) -> None:
    array = bits.view("float32")
    assert wrapped(array).is_finite() == np.isfinite(array).all()
    assert Tensor("int32", (3,), bits.tobytes()).is_finite()


@pytest.mark.parametrize(
    ("dtype", "rows", "sizes", "expected"),
    [
        ("int32", [1, 2, 3], (), np.array([1, 2, 3], dtype=np.int32)),
        ("int32", [[1, 2], [3, 4]], (2,), np.array([[1, 2], [3, 4]], dtype=np.int32)),
        ("bool", [True, False], (), np.array([True, False])),
        ("float32", [[0.1, 2]], (2,), np.array([[0.1, 2]], dtype=np.float32)),
        ("float32", [], (2,), np.zeros((0, 2), dtype=np.float32)),
    ],
)
def test_python_values_become_a_tensor(dtype: str, rows: Any, sizes: tuple[int, ...], expected: np.ndarray) -> None:
    tensor = Tensor.of(dtype, rows, *sizes)
    assert (tensor.dtype, tensor.shape) == (expected.dtype.name, expected.shape)
    assert tensor.tolist() == expected.tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3 elements of int32 do not fit the shape \(2, 2\)"):
        Tensor("int32", (2, 2), array("i", [1, 2, 3]))
    with pytest.raises(ValueError, match=r"3 elements of int32 do not fit the shape \(1, 2\)"):
        Tensor.of("int32", [[1, 2], [3]], 2)
    with pytest.raises(ValueError, match="tensors of complex64 are not supported"):
        Tensor("complex64", (1,), b"")
    with pytest.raises(OverflowError):
        Tensor.of("int32", [2**40])


def test_a_description_shows_no_element() -> None:
    assert repr(Tensor.of("int32", [42])) == "Tensor(int32, (1,))"
