"""Settings that are `auto` depend on the rows."""

from typing import Any

import pandas as pd
import pytest

from training.sizing import epochs_for, sized


def config(**preprocessing: Any) -> dict[str, Any]:
    feature = {"name": "text", "type": "text", "column": "text", "preprocessing": preprocessing}
    return {"input_features": [feature], "output_features": [{"name": "intent", "type": "category"}]}


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"), [(100, 32, 30), (1600, 32, 20), (3200, 32, 10), (10**6, 32, 8)]
)
def test_small_datasets_get_more_epochs(rows: int, batch_size: int, epochs: int) -> None:
    assert epochs_for(rows, batch_size) == epochs


def test_the_length_fits_nearly_all_rows_and_ignores_an_outlier() -> None:
    texts = ["five words in each row"] * 999 + ["word " * 500]
    made = sized(config(tokenizer="space", max_sequence_length="auto"), pd.DataFrame({"text": texts}))
    assert made["input_features"][0]["preprocessing"]["max_sequence_length"] == 8


def test_a_derived_column_is_measured_as_its_tokens() -> None:
    given = config(tokenizer="space", max_sequence_length="auto")
    given["input_features"][0]["column"] = "text+ngrams33"
    made = sized(given, pd.DataFrame({"text": ["hi you", None]}))
    assert made["input_features"][0]["preprocessing"]["max_sequence_length"] == 11


def test_given_numbers_stay() -> None:
    given = {**config(tokenizer="space", max_sequence_length=40), "trainer": {"epochs": 3, "batch_size": "auto"}}
    assert sized(given, pd.DataFrame({"text": ["hi"]})) == given
