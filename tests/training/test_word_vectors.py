"""Vectors of words from MiniLM, which a tagger starts from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.config import read_config
from training.errors import ConfigError
from training.word_vectors import SIZE, feature_with_words, vectors_for, with_word_vectors, word_vectors

TEXTS = [["pa*", "paris", "*is"], ["pa*", "papaya", "*ya"], ["zq*", "zqxw", "*xw"]]


def closeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    return word_vectors(TEXTS)


def test_words_that_no_row_has_are_near_words_of_the_same_kind(vectors: dict[str, np.ndarray]) -> None:
    assert closeness(vectors["paris"], vectors["london"]) > closeness(vectors["paris"], vectors["tuesday"]) + 0.2
    assert closeness(vectors["monday"], vectors["tuesday"]) > closeness(vectors["monday"], vectors["pizza"]) + 0.2


def test_tokens_have_vectors_of_one_scale_and_what_occurs_once_stays_unknown(vectors: dict[str, np.ndarray]) -> None:
    assert "pa*" in vectors
    assert not {"zq*", "zqxw", "*xw", "papaya*"} & set(vectors)
    assert all(vector.shape == (SIZE,) and vector.dtype == np.float32 for vector in vectors.values())
    lengths = {token: np.linalg.norm(vectors[token]) / np.sqrt(SIZE) for token in ("pa*", "paris", "monday", "the")}
    # Static vectors of very frequent words, such as `the`, are shorter: they are weighted by rank.
    assert all(0.4 < length < 2 for length in lengths.values()), lengths


def test_the_configuration_reads_the_vectors_of_the_train_rows_from_files(tmp_path: Path) -> None:
    config = read_config(Path("slots-lstm-en"))
    column = config["input_features"][0]["column"]
    rows = pd.DataFrame({column: ["Qq* qqword", "qq* zz", "vv vv"], "split": [0, 0, 1]})
    assert vectors_for(config) is with_word_vectors
    made = with_word_vectors(config, rows, tmp_path / "vectors")["input_features"][0]
    vocabulary = Path(made["preprocessing"]["vocab_file"]).read_text(encoding="utf-8").split("\n")
    assert "qq*" in vocabulary, "lower case, as Ludwig reads the text"
    assert "vv" not in vocabulary, "validation rows give no vocabulary"
    lines = Path(made["encoder"]["pretrained_embeddings"]).read_text(encoding="utf-8").splitlines()
    assert {len(line.split(" ")) for line in lines} == {SIZE + 1}


@pytest.mark.parametrize("change", [{"tokenizer": "space_punct"}, {"lowercase": False}])
def test_a_text_that_minilm_does_not_read_word_by_word_is_refused(change: dict[str, Any]) -> None:
    config = read_config(Path("slots-lstm-en"))
    config["input_features"][0]["preprocessing"] |= change
    with pytest.raises(ConfigError, match="tokenizer: space, lowercase: true"):
        feature_with_words(config)
    assert feature_with_words(read_config(Path("slots-lstm"))) is None
