"""Convert the graph's arrays to Ludwig's columns."""

import math

import numpy as np
import pytest

from handler.outputs import CategoryOutput, SequenceOutput, merged

INTENT = CategoryOutput(name="intent", labels=["<UNK>", "greeting", "book flight"])
SLOTS = SequenceOutput(name="slots", labels=["<SOS>", "O", "B-city"], special_labels=["<SOS>"])


def test_a_category_has_ludwigs_columns() -> None:
    rows = list(
        INTENT.rows(
            {
                "intent::predictions": np.array([2, 1]),
                "intent::probabilities": np.array([[0.125, 0.25, 0.625], [0.0, 1.0, 0.0]], dtype=np.float32),
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
                "slots::predictions": np.array([[0, 1, 2], [1, 1, 1]]),
                "slots::probabilities": np.array([[1.0, 0.5, 0.25], [1.0, 1.0, 0.0]], dtype=np.float32),
            }
        )
    )
    assert rows[0]["slots_predictions"] == ["<SOS>", "O", "B-city"]
    assert rows[0]["slots_probabilities"] == [1.0, 0.5, 0.25]
    assert rows[0]["slots_probability"] == pytest.approx(math.log(0.5) + math.log(0.25))
    assert rows[1]["slots_probability"] == pytest.approx(math.log(1e-10), rel=1e-6)


def test_rows_are_plain_python_values() -> None:
    arrays = {"intent::predictions": np.array([0]), "intent::probabilities": np.zeros((1, 3), dtype=np.float32)}
    (row,) = INTENT.rows(arrays)
    assert {type(value) for value in row.values()} == {str, list, float}


@pytest.mark.parametrize("output", [INTENT, SLOTS], ids=["category", "sequence"])
def test_an_output_lists_the_tensors_that_it_reads(output: CategoryOutput | SequenceOutput) -> None:
    assert output.tensors == [f"{output.name}::predictions", f"{output.name}::probabilities"]


def test_a_different_number_of_labels_is_an_error() -> None:
    arrays = {"intent::predictions": np.array([0]), "intent::probabilities": np.zeros((1, 2), dtype=np.float32)}
    with pytest.raises(ValueError, match="zip"):
        list(INTENT.rows(arrays))


def test_columns_of_several_outputs_are_merged() -> None:
    assert merged({"a": {"a_predictions": 1}, "b": {"b_predictions": 2}}) == {"a_predictions": 1, "b_predictions": 2}
