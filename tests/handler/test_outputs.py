"""Convert the graph's arrays to Ludwig's columns."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handler.outputs import CategoryOutput, SequenceOutput, SetOutput, merged
from handler.probabilities import SMALLEST_PROBABILITY
from handler.tensor import Tensor

INTENT = CategoryOutput(name="intent", labels=["<UNK>", "greeting", "book flight"])
SLOTS = SequenceOutput(name="slots", labels=["<SOS>", "O", "B-city"], special_labels=["<SOS>"])


def probabilities(labels: int) -> dict[str, Tensor]:
    """Return the tensors of one intent whose probabilities are all zero."""
    return {
        "intent::predictions": Tensor.of("int64", [0]),
        "intent::probabilities": Tensor.of("float32", [[0] * labels], labels),
    }


def test_a_category_has_ludwigs_columns() -> None:
    rows = list(
        INTENT.rows(
            {
                "intent::predictions": Tensor.of("int64", [2, 1]),
                "intent::probabilities": Tensor.of("float32", [[0.125, 0.25, 0.625], [0.0, 1.0, 0.0]], 3),
            }
        )
    )
    assert rows[0] == {
        "intent_predictions": "book flight",
        "intent_probabilities": [0.125, 0.25, 0.625],
        "intent_probability": 0.625,
        "intent_probabilities_<UNK>": 0.125,
        "intent_probabilities_greeting": 0.25,
        "intent_probabilities_book flight": 0.625,
    }
    assert [row["intent_predictions"] for row in rows] == ["book flight", "greeting"]


def test_a_sequence_has_ludwigs_columns_over_the_padded_length() -> None:
    rows = list(
        SLOTS.rows(
            {
                "slots::predictions": Tensor.of("int64", [[0, 1, 2], [1, 1, 1]], 3),
                "slots::probabilities": Tensor.of("float32", [[1.0, 0.5, 0.25], [1.0, 1.0, 0.0]], 3),
            }
        )
    )
    assert rows[0]["slots_predictions"] == ["<SOS>", "O", "B-city"]
    assert rows[0]["slots_probabilities"] == [1.0, 0.5, 0.25]
    assert rows[0]["slots_probability"] == pytest.approx(math.log(0.5) + math.log(0.25))
    assert rows[1]["slots_probability"] == pytest.approx(math.log(1e-10), rel=1e-6)


@given(
    values=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(0, 300)),
        elements=st.floats(0, 1, width=32) | st.sampled_from([1.0000001192092896, 0.0, 1e-10, 1e-12]),
    )
)
def test_the_probability_of_a_sequence_is_that_of_numpy(values: np.ndarray) -> None:
    labels = np.zeros(values.shape, dtype=np.int64)
    tensors = {
        name: Tensor(array.dtype.name, array.shape, array.tobytes())
        for name, array in (("slots::predictions", labels), ("slots::probabilities", values))
    }
    found = [row["slots_probability"] for row in SLOTS.rows(tensors)]
    expected = np.log(np.clip(values.astype(np.float64), SMALLEST_PROBABILITY, 1.0)).sum(axis=-1)
    assert found == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_set_has_the_labels_and_probabilities_of_float32() -> None:
    tags = SetOutput(name="tags", labels=["a", "b", "c"], threshold=0.7)
    tensors = {
        "tags::predictions": Tensor.of("bool", [[True, False, True]], 3),
        "tags::probabilities": Tensor.of("float32", [[0.7, 0.5, 0.9]], 3),
    }
    (row,) = tags.rows(tensors)
    assert row["tags_predictions"] == ["a", "c"]
    assert row["tags_probabilities"] == [np.float32(0.7), np.float32(0.9)]


def test_rows_are_plain_python_values() -> None:
    (row,) = INTENT.rows(probabilities(3))
    assert {type(value) for value in row.values()} == {str, list, float}


@pytest.mark.parametrize("output", [INTENT, SLOTS], ids=["category", "sequence"])
def test_an_output_lists_the_tensors_that_it_reads(output: CategoryOutput | SequenceOutput) -> None:
    assert output.tensors == [f"{output.name}::predictions", f"{output.name}::probabilities"]


def test_a_different_number_of_labels_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"expected the probabilities of 3 labels, found Tensor\(float32, \(1, 2\)\)"):
        list(INTENT.rows(probabilities(2)))


def test_columns_of_several_outputs_are_merged() -> None:
    assert merged({"a": {"a_predictions": 1}, "b": {"b_predictions": 2}}) == {"a_predictions": 1, "b_predictions": 2}
