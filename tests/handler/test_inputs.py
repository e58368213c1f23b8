"""Values of every kind for inputs of every type are encoded as finite numbers or refused as the caller's error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.errors import RequestError
from handler.inputs import BinaryInput, CategoryInput, DateInput, NumberInput, PlainInput, SetInput, VectorInput
from handler.numbers import Linear, Log1p, Normalization
from handler.tokenizers import SpaceTokenizer

NUMBER = NumberInput(name="x", column="x", normalization=Normalization())
VECTOR = VectorInput(name="x", column="x", size=2)
DATE = DateInput(name="x", column="x")
CATEGORY = CategoryInput(name="x", column="x", labels=["a"], other_id=0)
FEATURES: list[PlainInput] = [
    NUMBER,
    NumberInput(name="x", column="x", normalization=Linear(offset=-3e38, scale=1e-9), fill_value=0.0),
    NumberInput(name="x", column="x", normalization=Log1p(), outlier_threshold=3.0),
    BinaryInput(name="x", column="x"),
    BinaryInput(name="x", column="x", meanings={"yes": True, "no": False}),
    CATEGORY,
    SetInput(name="x", column="x", labels=["a"], unknown_id=0, tokenizer=SpaceTokenizer()),
    VECTOR,
    DATE,
    DateInput(name="x", column="x", format="%Y-%m-%d", fill_value="2020-01-01"),
]
HUGE = [10**309, -(10**309), 10**4400, 1e308, -1e308, 3.5e38, "1e999", "inf", "-Infinity", "1" * 400, "1" * 5000]
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from(HUGE)
    | st.sampled_from(["nan", "1_0", "١٢", "12:99", "2020-13-40", "1T000000B", "Jan 400"])
    | st.text("0123456789-:./ TZ+eE", max_size=14)
    | st.text(max_size=9)
)


@given(
    feature=st.sampled_from(FEATURES),
    value=numbers
    | st.none()
    | st.booleans()
    | st.lists(numbers, max_size=3)
    | st.dictionaries(st.text(max_size=2), numbers, max_size=1),
)
@example(feature=DATE, value="1T000000B")
@example(feature=CATEGORY, value=10**4400)
def test_any_value_is_encoded_or_refused(feature: PlainInput, value: Any) -> None:
    """A warning fails the test, because dateutil's warnings quote what it reads."""
    try:
        tensor = feature.encode([value])
    except RequestError:
        return
    assert tensor.shape[0] == 1
    assert np.isfinite(np.asarray(tensor)).all()


@pytest.mark.parametrize(
    "value",
    [10**309, -(10**309), 1e308, 3.5e38, "1e999", "-Infinity"],
    ids=["int", "-int", "1e308", "3.5e38", "1e999", "inf"],
)
@pytest.mark.parametrize("feature", [NUMBER, VECTOR], ids=["number", "vector"])
def test_a_number_that_is_not_finite_is_refused_with_its_column(feature: PlainInput, value: Any) -> None:
    given = f"{value} 1" if isinstance(value, str) else [value, 1]
    with pytest.raises(RequestError, match=r"'x' must be finite, with no number beyond 3\.4e\+38"):
        feature.encode([value if feature is NUMBER else given])


def test_an_outlier_of_any_size_is_replaced() -> None:
    feature = NumberInput(name="x", column="x", normalization=Normalization(), outlier_threshold=3.0, outlier_fill=7.0)
    assert feature.encode([10**400, -1e300, 2.0]).tolist() == [7.0, 7.0, 2.0]


def test_the_utc_offset_of_a_date_is_ignored_and_not_quoted() -> None:
    parts = DATE.encode(["2024-02-29 12:00"]).tolist()
    for zone in ("Z", "+02:00", "-0330", "UTC", "CET", "ABC"):
        assert DATE.encode([f"2024-02-29 12:00 {zone}"]).tolist() == parts
