"""Input features: encode raw values as the graph's input tensors.

Each class describes an input in the manifest; its `encoder` loads the bundle's files and encodes values. To add an
input type, add a class here, register it in `InputFeature`, and describe it in `export/inputs.py`. Source of each
class: the `...InputFeature` class of the same type in `ludwig.features`.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, override

from handler.dates import PARTS, parts_of, read_date
from handler.described import Described
from handler.errors import RequestError
from handler.fasttext import FastTextInput
from handler.files import StrPath
from handler.numbers import AnyNormalization, float32, scaled
from handler.tensor import Tensor
from handler.text import TextInput
from handler.tokenizers import SplittingTokenizer
from handler.values import checked_text, filled

TRUE_WORDS = frozenset({"yes", "y", "true", "t", "1", "1.0"})
FALSE_WORDS = frozenset({"no", "n", "false", "f", "0", "0.0", "-1", "-1.0"})
LARGEST_NUMBER = (2 - 2**-23) * 2.0**127
"""The largest float32."""


class InputEncoder(Protocol):
    """Encode the values of one input feature as one tensor."""

    def encode(self, values: Sequence[Any]) -> Tensor:
        """Encode one raw value for each row.

        Args:
            values: The values; None is a missing value.

        Returns:
            The graph's input, (batch, ...), in the dtype that the feature's class names.

        Raises:
            RequestError: A value is invalid, or is missing without a fill value.
        """


class PlainInput(Described, frozen=True, kw_only=True):
    """An input that needs no files and is its own encoder.

    Attributes:
        name: The feature's name in Ludwig.
        column: The column, and field of a request, that the values come from.
        fill_value: Replaces a missing value; None makes a missing value an error.
    """

    name: str
    column: str
    fill_value: str | float | None = None

    @property
    def files(self) -> list[str]:
        """The bundle's files that this feature reads: none."""
        return []

    def encoder(self, folder: StrPath) -> InputEncoder:
        """Return this feature, which is its own encoder."""
        return self

    def encode(self, values: Sequence[Any]) -> Tensor:
        """Encode one value for each row; see `InputEncoder.encode`."""
        raise NotImplementedError

    def _given(self, value: Any) -> Any:
        """Return a value, or the fill value if it is missing."""
        is_nan = isinstance(value, float) and math.isnan(value)
        return filled(None if is_nan else value, self.fill_value, self.column)

    def _text(self, value: Any) -> str:
        """Return a value as the string that pandas converts it to."""
        value = self._given(value)
        return checked_text(value if isinstance(value, str) else _scalar_text(value, self.column), self.column)


class NumberInput(PlainInput, frozen=True, kw_only=True, tag="number"):
    """A number: float32, (batch,).

    A number that is more than `outlier_threshold` deviations from the mean becomes `outlier_fill`.
    """

    normalization: AnyNormalization
    outlier_mean: float = 0.0
    outlier_deviation: float = 1.0
    outlier_threshold: float | None = None
    outlier_fill: float = 0.0

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        numbers = float32(self._number(value) for value in values)
        if self.outlier_threshold is not None:
            (limit,) = float32([self.outlier_threshold])
            distances = scaled(numbers, self.outlier_mean, self.outlier_deviation)
            numbers = [
                self.outlier_fill if abs(distance) > limit else number
                for number, distance in zip(numbers, distances, strict=True)
            ]
        try:
            normalized = self.normalization.apply(float32(numbers))
        except ValueError as error:
            raise RequestError(f"{self.column!r} cannot be used: {error}.") from None
        return Tensor.of("float32", _finite(normalized, self.column))

    def _number(self, value: Any) -> float:
        number = _parsed_number(self._given(value))
        # Like pandas, Ludwig treats anything that is not a number as missing.
        return _parsed_number(self._given(None)) if math.isnan(number) else number


class BinaryInput(PlainInput, frozen=True, kw_only=True, tag="binary"):
    """A Boolean: bool, (batch,). `meanings` maps the words of the training data, if it had words."""

    meanings: dict[str, bool] | None = None

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        return Tensor.of("bool", [self._truth(self._given(value)) for value in values])

    def _truth(self, value: Any) -> bool:
        try:
            return bool(float(value))
        except OverflowError:
            return True  # an integer beyond the largest float is not zero
        except (TypeError, ValueError):
            word = checked_text(value, self.column)
        if word.lower() in {"true", "false"}:
            return word.lower() == "true"
        if self.meanings is not None and word in self.meanings:
            return self.meanings[word]
        if self.meanings is None and word.lower() in TRUE_WORDS | FALSE_WORDS:
            return word.lower() in TRUE_WORDS
        known = sorted(self.meanings) if self.meanings else ["true", "false"]
        raise RequestError(f"{self.column!r} is {word[:40]!r}; expected one of {known}.")


class LabeledInput(PlainInput, frozen=True, kw_only=True, dict=True):
    """An input whose values are looked up among labels."""

    labels: list[str]

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each label: its index."""
        return {label: index for index, label in enumerate(self.labels)}


class CategoryInput(LabeledInput, frozen=True, kw_only=True, tag="category"):
    """One of a fixed set of labels, stripped of white space: int32, (batch,). An unseen label becomes `other_id`."""

    other_id: int

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        return Tensor.of("int32", [self.ids.get(self._text(value).strip(), self.other_id) for value in values])


class TokensInput(LabeledInput, frozen=True, kw_only=True):
    """The tokens of a text, without their order, as one number per label. Unknown tokens count as `unknown_id`."""

    unknown_id: int
    tokenizer: SplittingTokenizer

    def counts(self, values: Sequence[Any], empty: "array[Any]") -> Iterator["array[Any]"]:
        """Yield the number of tokens of each label in each row.

        Args:
            values: The texts; None is a missing value.
            empty: A row of zeros.

        Yields:
            A copy of `empty` for each text, with its counts.
        """
        for value in values:
            row = empty[:]
            for token, count in Counter(self.tokenizer.split(self._text(value))).items():
                row[self.ids.get(token, self.unknown_id)] += count
            yield row


class SetInput(TokensInput, frozen=True, kw_only=True, tag="set"):
    """Which tokens occur: bool, (batch, labels). Ludwig lowercases the vocabulary, but not the tokens to look up."""

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        empty = array("L", [0]) * len(self.labels)
        return Tensor.of("bool", (map(bool, row) for row in self.counts(values, empty)), len(self.labels))


class BagInput(TokensInput, frozen=True, kw_only=True, tag="bag"):
    """How often each token occurs: float32, (batch, labels)."""

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        return Tensor.of("float32", self.counts(values, array("f", [0]) * len(self.labels)), len(self.labels))


class VectorInput(PlainInput, frozen=True, kw_only=True, tag="vector"):
    """Numbers separated by white space, or a JSON list of numbers: float32, (batch, size)."""

    size: int

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        return Tensor.of("float32", (self._vector(self._given(value)) for value in values), self.size)

    def _vector(self, value: Any) -> Sequence[float]:
        numbers = value.split() if isinstance(value, str) else value
        try:
            # Iterating over the object of a JSON body would give its keys.
            vector = float32(map(float, () if isinstance(numbers, Mapping) else numbers))
        except OverflowError:
            raise RequestError(_too_large(self.column)) from None
        except (TypeError, ValueError):
            raise RequestError(f"{self.column!r} must be {self.size} numbers separated by spaces.") from None
        if len(vector) != self.size:
            raise RequestError(f"{self.column!r} must be {self.size} numbers, found {len(vector)}.")
        return _finite(vector, self.column)


class DateInput(PlainInput, frozen=True, kw_only=True, tag="date"):
    """The year, month, day, weekday, day of the year, hour, minute, second and second of the day: int32, (batch, 9).

    A text is parsed with `format` (for `datetime.strptime`), then by dateutil, then as a Unix time in seconds,
    milliseconds and so on. If all fail, the fill value is parsed instead.
    """

    format: str | None = None

    @override
    def encode(self, values: Sequence[Any]) -> Tensor:
        return Tensor.of("int32", (self._parts(self._text(value)) for value in values), PARTS)

    def _parts(self, text: str) -> list[int]:
        for candidate in (text, self.fill_value):
            moment = None if candidate is None else read_date(str(candidate), self.format)
            if moment is not None:
                return parts_of(moment)
        raise RequestError(f"{self.column!r} is not a date that can be read: {text[:40]!r}.")


AnyText = TextInput | FastTextInput
InputFeature = AnyText | NumberInput | BinaryInput | CategoryInput | SetInput | BagInput | VectorInput | DateInput


def _parsed_number(value: Any) -> float:
    """Return a number as pandas reads it, and NaN for anything else."""
    if isinstance(value, str) and "_" in value:
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer beyond the largest float
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        return math.nan


def _finite(numbers: Sequence[float], column: str) -> Sequence[float]:
    """Return numbers unchanged. Raises RequestError if one is NaN or infinite."""
    if not all(map(math.isfinite, numbers)):
        raise RequestError(_too_large(column))
    return numbers


def _too_large(column: str) -> str:
    return f"{column!r} must be finite, with no number beyond {LARGEST_NUMBER:.1e} after normalization."


def _scalar_text(value: Any, column: str) -> str:
    if isinstance(value, (bool, int, float)):
        try:
            return str(value)
        except ValueError:  # Python does not convert integers of more than 4300 digits
            raise RequestError(f"{column!r} is a number with too many digits.") from None
    raise RequestError(f"{column!r} must be a string or a number, found {type(value).__name__}.")
