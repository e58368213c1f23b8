"""Settings that are `auto` depend on the rows."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from training.config import CONFIGS, MINILM, read_config, with_pretrained
from training.sizing import FROM_NOTHING, ON_VECTORS, _with_epochs, sized


def config(**preprocessing: Any) -> dict[str, Any]:
    feature = {"name": "text", "type": "text", "column": "text", "preprocessing": preprocessing}
    return {"input_features": [feature], "output_features": [{"name": "intent", "type": "category"}]}


@pytest.mark.parametrize("rows", [10, 100, 770, 1600, 15_000, 10**6])
@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_configuration_that_starts_from_nothing_trains_for_enough_batches(name: str, rows: int) -> None:
    given = read_config(Path(name))
    encoder = given["input_features"][0]["encoder"]
    if encoder["type"] not in FROM_NOTHING or encoder.get("pretrained_embeddings"):
        return
    trainer = _with_epochs(given, rows)
    need = FROM_NOTHING[encoder["type"]]
    steps = trainer["epochs"] * -(-rows // trainer["batch_size"])
    assert need.fewest_epochs <= trainer["epochs"] <= need.most_epochs
    assert steps >= need.steps or trainer["epochs"] == need.most_epochs
    assert trainer["early_stop"] == -1, "early stopping can end a run that has not begun to learn"


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"), [(100, 32, 30), (1600, 32, 20), (3200, 32, 10), (10**6, 32, 8)]
)
def test_a_layer_on_vectors_sees_few_rows_more_often(rows: int, batch_size: int, epochs: int) -> None:
    assert ON_VECTORS.epochs(rows, batch_size) == epochs


@pytest.mark.parametrize(
    ("rows", "batch_size", "expected"),
    [(100, 64, 16), (100, 8, 8), (770, 64, 32), (5000, 64, 64), (100, "auto", "auto")],
)
def test_few_rows_get_small_batches_where_epochs_are_auto(rows: int, batch_size: Any, expected: Any) -> None:
    trainer = {"epochs": "auto", "batch_size": batch_size}
    made = sized({**config(), "trainer": trainer}, pd.DataFrame({"text": ["hi"] * rows}))
    assert made["trainer"]["batch_size"] == expected


def test_copies_of_rows_make_an_epoch_longer_so_that_fewer_are_needed() -> None:
    given, rows = read_config(Path("slots-lstm")), pd.DataFrame({"text": ["hi"] * 100, "slots": ["O"] * 100})
    trainer, more = (sized(given, rows, copies)["trainer"] for copies in (0, 3))
    assert more == sized(given, pd.concat([rows] * 4))["trainer"]
    assert more["epochs"] < trainer["epochs"]


@pytest.mark.parametrize(("words", "length"), [(5, 26), (30, 48), (400, 167)])
def test_a_tagged_text_has_room_for_longer_messages_than_those_of_training(words: int, length: int) -> None:
    given = read_config(Path("slots-lstm"))
    made = sized(given, pd.DataFrame({"text": ["word " * words], "slots": ["O " * words]}))
    text, slots = (made[section][0]["preprocessing"] for section in ("input_features", "output_features"))
    assert slots["sequence_length"] == length
    assert text["sequence_length"] == 5 * length, "a convolution over five tokens makes one vector for each tag"


@pytest.mark.parametrize(("words", "length"), [(5, 26), (40, 183), (400, 256)])
def test_the_tags_of_subwords_are_as_long_as_the_subwords(words: int, length: int) -> None:
    given = with_pretrained(read_config(Path("slots-minilm")), MINILM)
    made = sized(given, pd.DataFrame({"text": ["björk " * words], "slots": ["O " * words]}))
    text, slots = (made[section][0]["preprocessing"] for section in ("input_features", "output_features"))
    assert text["sequence_length"] == slots["sequence_length"] == length


@pytest.mark.parametrize(("rows", "epochs"), [(250, 12), (1000, 7), (13_000, 3)])
def test_a_transformer_learns_tags_for_more_epochs_than_labels(rows: int, epochs: int) -> None:
    assert _with_epochs(read_config(Path("slots-minilm")), rows)["epochs"] == epochs


def transformer(*, trainable: bool, **trainer: Any) -> dict[str, Any]:
    given = {**config(), "trainer": {"batch_size": 32, **trainer}}
    given["input_features"][0]["encoder"] = {"type": "auto_transformer", "trainable": trainable}
    return given


@pytest.mark.parametrize(
    ("trainable", "rows", "epochs"), [(True, 100, 5), (True, 15_000, 5), (True, 10**5, 3), (False, 100, 30)]
)
def test_a_transformer_that_is_trained_gets_fewer_epochs(trainable: bool, rows: int, epochs: int) -> None:
    made = sized(transformer(trainable=trainable, epochs="auto"), pd.DataFrame({"text": ["hi"] * rows}))
    assert made["trainer"]["epochs"] == epochs


@pytest.mark.parametrize(("rows", "rate"), [(10, 1e-4), (1500, 1e-4), (6000, 2e-4), (15_000, 3e-4), (10**5, 3e-4)])
def test_the_learning_rate_of_a_transformer_grows_with_the_number_of_rows(rows: int, rate: float) -> None:
    made = sized(transformer(trainable=True, learning_rate="auto"), pd.DataFrame({"text": ["hi"] * rows}))
    assert made["trainer"]["learning_rate"] == rate


@pytest.mark.parametrize(("trainable", "rate"), [(True, 0.5), (False, "auto")])
def test_a_given_learning_rate_and_that_of_other_networks_stay(trainable: bool, rate: Any) -> None:
    made = sized(transformer(trainable=trainable, learning_rate=rate), pd.DataFrame({"text": ["hi"] * 15_000}))
    assert made["trainer"]["learning_rate"] == rate


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
    given = {**config(tokenizer="space", max_sequence_length=40), "trainer": {"epochs": 3, "batch_size": 64}}
    assert sized(given, pd.DataFrame({"text": ["hi"]})) == given
