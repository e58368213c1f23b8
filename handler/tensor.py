"""Tensors without numpy: a type, a shape and a buffer. numpy reads them without a copy: `numpy.asarray(tensor)`."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from math import isfinite, prod
from sys import byteorder
from typing import Any, Self

FORMATS: dict[str, Any] = {"int32": "i", "int64": "q", "float32": "f", "float64": "d", "bool": "?"}
"""The format of `memoryview` for each dtype, by numpy's names."""

CODES: dict[str, Any] = {**FORMATS, "bool": "B"}
"""The type code of `array` for each dtype. `array` has no Booleans, so their bytes stand in."""


FLOATS = frozenset({"float32", "float64"})
LAST_BYTE = 3 if byteorder == "little" else 0
"""The index of the most significant byte of a float32."""


class Tensor:
    """A multi-dimensional array of numbers or Booleans in row-major order.

    Attributes:
        dtype: numpy's name of the type of its elements; one of `FORMATS`.
        shape: The size of each dimension. A scalar has the shape ().
        flat: The elements: a one-dimensional, contiguous view that owns or shares its memory.
    """

    __slots__ = ("dtype", "flat", "shape")

    flat: "memoryview[Any]"

    def __init__(self, dtype: str, shape: Sequence[int], buffer: Any) -> None:
        """Wrap a buffer.

        Args:
            dtype: The type of the elements.
            shape: The size of each dimension.
            buffer: An object with the buffer protocol that contains exactly the elements. It is not copied.

        Raises:
            ValueError: The dtype is unknown, or the buffer has another size than the shape.
        """
        code = FORMATS.get(dtype)
        if code is None:
            raise ValueError(f"tensors of {dtype} are not supported: use one of {[*FORMATS]}")
        self.dtype = dtype
        self.shape = tuple(shape)
        view = memoryview(buffer)
        if view.format != code or view.ndim != 1 or not view.contiguous:
            view = (view if view.format == "B" and view.ndim == 1 else view.cast("B")).cast(code)
        self.flat = view
        if len(self.flat) != prod(self.shape):
            raise ValueError(f"{len(self.flat)} elements of {dtype} do not fit the shape {self.shape}")

    @classmethod
    def of(cls, dtype: str, rows: Iterable[Any], *sizes: int) -> Self:
        """Make a tensor of Python values.

        Args:
            dtype: The type of the elements.
            rows: One value for each row; or, with `sizes`, one flat sequence of values for each row.
            *sizes: The shape of one row.

        Returns:
            A tensor of the shape (rows, *sizes).

        Raises:
            OverflowError: An integer is too large for the type.
            TypeError: A value is not a number.
            ValueError: A row has another size.
        """
        values = array(CODES[dtype], chain.from_iterable(rows) if sizes else rows)
        size = prod(sizes)
        return cls(dtype, (len(values) // size if size else 0, *sizes), values)

    def rows(self, start: int, stop: int) -> Self:
        """Return the rows from `start` up to `stop` as a tensor that shares this one's memory."""
        count = len(range(self.shape[0])[start:stop])
        size = prod(self.shape[1:])
        first = min(start, self.shape[0]) * size
        return type(self)(self.dtype, (count, *self.shape[1:]), self.flat[first : first + count * size])

    def taken(self, rows: Sequence[int]) -> Self:
        """Return a tensor with a copy of some rows, in the given order."""
        size = prod(self.shape[1:])
        parts = [self.flat[row * size : (row + 1) * size] for row in rows]
        return type(self)(self.dtype, (len(rows), *self.shape[1:]), b"".join(parts))

    def __getitem__(self, index: int) -> Any:
        """Return one row as a tensor that shares this one's memory, or one element of a one-dimensional tensor.

        Args:
            index: The row, counted from the end if it is negative.

        Raises:
            IndexError: There is no such row.
        """
        number = range(self.shape[0])[index]
        if len(self.shape) == 1:
            return self.flat[number]
        size = prod(self.shape[1:])
        return type(self)(self.dtype, self.shape[1:], self.flat[number * size : (number + 1) * size])

    def is_finite(self) -> bool:
        """Return whether no element is NaN or infinite."""
        if self.dtype not in FLOATS:
            return True
        if self.dtype == "float32":
            # The last byte of a number begins with its sign and seven of the eight bits of its exponent. NaN and
            # infinity have all of them set, and so have only the very large numbers, which are rare.
            last_bytes = self.flat.tobytes()[LAST_BYTE::4]
            if b"\x7f" not in last_bytes and b"\xff" not in last_bytes:
                return True
        return all(map(isfinite, self.flat))

    def tolist(self) -> Any:
        """Return the elements as nested lists, or the single element of a scalar."""
        if not self.shape:
            return self.flat[0]
        if 0 in self.shape:
            return _empty(self.shape)
        if len(self.shape) == 1:
            return self.flat.tolist()
        if len(self.shape) == 2:
            values, size = self.flat.tolist(), self.shape[1]
            return [values[start : start + size] for start in range(0, len(values), size)]
        return self._shaped().tolist()

    def _shaped(self) -> "memoryview[Any]":
        shaped: memoryview[Any] = self.flat.cast("B").cast(FORMATS[self.dtype], self.shape)
        return shaped

    def __buffer__(self, flags: int) -> "memoryview[Any]":
        """Return the elements in their shape, for numpy and others that know the buffer protocol."""
        return self._shaped() if self.shape and 0 not in self.shape else self.flat

    def __repr__(self) -> str:
        """Describe the tensor without its elements, which may come from what a user wrote."""
        return f"Tensor({self.dtype}, {self.shape})"


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return one tensor with the rows of several, which have the same type and the same shape apart from their rows."""
    first = tensors[0]
    if len(tensors) == 1:
        return first
    rows = sum(tensor.shape[0] for tensor in tensors)
    return Tensor(first.dtype, (rows, *first.shape[1:]), b"".join(tensor.flat for tensor in tensors))


def _empty(shape: Sequence[int]) -> list[Any]:
    return [_empty(shape[1:]) for _ in range(shape[0])] if len(shape) > 1 else []
