"""Input features: encode raw values as the graph's input arrays.

Each class describes an input in the manifest; its `encoder` loads the bundle's files and encodes values. To add an
input type, add a class here, register it in `InputFeature`, and describe it in `export/inputs.py`. Source of each
class: the `...InputFeature` class of the same type in `ludwig.features`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, override

import numpy as np

from handler.described import Described
from handler.errors import RequestError
from handler.fasttext import FastTextInput
from handler.numbers import AnyNormalization
from handler.text import TextInput, checked_text, filled
from handler.tokenizers import SplittingTokenizer

TRUE_WORDS = frozenset({"yes", "y", "true", "t", "1", "1.0"})
FALSE_WORDS = frozenset({"no", "n", "false", "f", "0", "0.0", "-1", "-1.0"})
LARGEST_NUMBER = float(np.finfo(np.float32).max)
SECONDS_MAGNITUDE = 9
"""The order of magnitude of today's Unix time in seconds. Larger numbers are milliseconds, microseconds and so on."""


class InputEncoder(Protocol):
    """Encode the values of one input feature as one array."""

    def encode(self, values: Sequence[Any]) -> np.ndarray:
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

    def encoder(self, folder: Path) -> InputEncoder:
        """Return this feature, which is its own encoder."""
        return self

    def encode(self, values: Sequence[Any]) -> np.ndarray:
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
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):  # `_finite` rejects what overflows
            numbers = np.array([self._number(value) for value in values], dtype=np.float64).astype(np.float32)
            if self.outlier_threshold is not None:
                distances = np.abs((numbers - self.outlier_mean) / self.outlier_deviation)
                numbers[distances > self.outlier_threshold] = self.outlier_fill
            try:
                normalized = self.normalization.apply(numbers).astype(np.float32)
            except ValueError as error:
                raise RequestError(f"{self.column!r} cannot be used: {error}.") from None
        return _finite(normalized, self.column)

    def _number(self, value: Any) -> float:
        number = _parsed_number(self._given(value))
        # Like pandas, Ludwig treats anything that is not a number as missing.
        return _parsed_number(self._given(None)) if math.isnan(number) else number


class BinaryInput(PlainInput, frozen=True, kw_only=True, tag="binary"):
    """A Boolean: bool, (batch,). `meanings` maps the words of the training data, if it had words."""

    meanings: dict[str, bool] | None = None

    @override
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return np.array([self._truth(self._given(value)) for value in values], dtype=np.bool_)

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
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return np.array([self.ids.get(self._text(value).strip(), self.other_id) for value in values], dtype=np.int32)


class TokensInput(LabeledInput, frozen=True, kw_only=True):
    """The tokens of a text, without their order, as one number per label. Unknown tokens count as `unknown_id`."""

    unknown_id: int
    tokenizer: SplittingTokenizer

    def counts(self, values: Sequence[Any]) -> np.ndarray:
        """Return the number of tokens of each label in each row, float32, (batch, labels)."""
        counts = np.zeros((len(values), len(self.labels)), dtype=np.float32)
        for row, value in enumerate(values):
            found = Counter(self.ids.get(token, self.unknown_id) for token in self.tokenizer.split(self._text(value)))
            counts[row, list(found)] = list(found.values())
        return counts


class SetInput(TokensInput, frozen=True, kw_only=True, tag="set"):
    """Which tokens occur: bool, (batch, labels). Ludwig lowercases the vocabulary, but not the tokens to look up."""

    @override
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return self.counts(values) > 0


class BagInput(TokensInput, frozen=True, kw_only=True, tag="bag"):
    """How often each token occurs: float32, (batch, labels)."""

    @override
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return self.counts(values)


class VectorInput(PlainInput, frozen=True, kw_only=True, tag="vector"):
    """Numbers separated by white space, or a JSON list of numbers: float32, (batch, size)."""

    size: int

    @override
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return np.stack([self._vector(self._given(value)) for value in values])

    def _vector(self, value: Any) -> np.ndarray:
        numbers = value.split() if isinstance(value, str) else value
        try:
            with np.errstate(over="ignore"):
                vector = np.array(numbers, dtype=np.float32)
        except OverflowError:
            raise RequestError(_too_large(self.column)) from None
        except (TypeError, ValueError):
            raise RequestError(f"{self.column!r} must be {self.size} numbers separated by spaces.") from None
        if vector.shape != (self.size,):
            raise RequestError(f"{self.column!r} must be {self.size} numbers, found {vector.size}.")
        return _finite(vector, self.column)


class DateInput(PlainInput, frozen=True, kw_only=True, tag="date"):
    """The year, month, day, weekday, day of the year, hour, minute, second and second of the day: int32, (batch, 9).

    A text is parsed with `format` (for `datetime.strptime`), then by dateutil, then as a Unix time in seconds,
    milliseconds and so on. If all fail, the fill value is parsed instead.
    """

    format: str | None = None

    @override
    def encode(self, values: Sequence[Any]) -> np.ndarray:
        return np.array([self._parts(self._moment(self._text(value))) for value in values], dtype=np.int32)

    def _moment(self, text: str) -> datetime:
        for candidate in (text, self.fill_value):
            moment = None if candidate is None else self._read(str(candidate))
            if moment is not None:
                return moment
        raise RequestError(f"{self.column!r} is not a date that can be read: {text[:40]!r}.")

    def _read(self, text: str) -> datetime | None:
        from dateutil.parser import ParserError, parse

        if self.format is not None:
            with suppress(ValueError):
                return datetime.strptime(text, self.format)
        with suppress(ParserError, OverflowError):
            # The UTC offset does not change the parts. Without `tzinfos`, dateutil's warnings quote unknown time zones.
            moment: datetime = parse(text, tzinfos=lambda name, offset: offset)
            return moment
        with suppress(ValueError, OverflowError, OSError):
            seconds = float(text)
            surplus = math.floor(math.log10(seconds)) - SECONDS_MAGNITUDE
            seconds /= 10 ** max(0, surplus)
            return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)
        return None

    @staticmethod
    def _parts(moment: datetime) -> list[int]:
        day_of_year = moment.toordinal() - date(moment.year, 1, 1).toordinal() + 1
        second_of_day = (moment.hour * 60 + moment.minute) * 60 + moment.second
        return [
            *(moment.year, moment.month, moment.day, moment.weekday(), day_of_year),
            *(moment.hour, moment.minute, moment.second, second_of_day),
        ]


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


def _finite(numbers: np.ndarray, column: str) -> np.ndarray:
    """Return numbers unchanged. Raises RequestError if one is NaN or infinite."""
    if not np.isfinite(numbers).all():
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
