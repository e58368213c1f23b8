"""A tagger that starts from a linear model of tag sequences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from export.ludwig_library import import_ludwig
from handler.context import Context
from handler.decoding import SlotDecoder
from training import tag_vectors
from training.config import read_config
from training.errors import ConfigError
from training.evaluation.predictions import predictions_of, with_logits
from training.fit import fit
from training.tag_vectors import feature_with_context
from training.word_vectors import vectors_for

SENTENCES = [
    ("go to New York", "O O B-city I-city"),
    ("go to Cairo", "O O B-city"),
    ("fly to New Delhi monday", "O O B-city I-city B-day"),
    ("leave monday", "O B-day"),
    ("leave on\u00a0friday", "O O B-day"),
] * 8
TAGS = ["<EOS>", "<SOS>", "<PAD>", "<UNK>", "O", "B-city", "B-day", "I-city"]


@pytest.fixture
def config() -> dict[str, Any]:
    return read_config(Path("slots-light"))


def words(*texts: str) -> list[list[list[str]]]:
    """Return the words of texts, each with its two tokens."""
    return [[["*", word] for word in text.split()] for text in texts]


def test_the_sum_of_a_words_vectors_is_the_vector_of_its_logits() -> None:
    found = tag_vectors.tag_vectors(words("to rome", "to oslo"), [["O", "B-city"]] * 2, TAGS, 2)
    for word, tag in (("to", "O"), ("oslo", "B-city"), ("rome", "B-city")):
        logits = found["*"] + found[word]
        assert TAGS[int(logits.argmax())] == tag
        assert max(logits[TAGS.index(tag)] for tag in ("<PAD>", "<SOS>", "B-day")) < -10, "never learned"
    assert TAGS[int(found["<SOS>"].argmax())] == "<SOS>"
    assert TAGS[int((found["<PAD>"] * 2).argmax())] == "<EOS>"


def test_the_number_of_tokens_is_limited_so_that_bundles_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = words(*(f"to town{number} now" for number in range(30)), "to rome now", "to rome now")
    monkeypatch.setattr(tag_vectors, "VECTOR_BYTES", 6 * 4 * len(TAGS))
    found = tag_vectors.tag_vectors(texts, [["O", "B-city", "O"]] * 32, TAGS, 2)
    assert len(set(found) - {"<SOS>", "<EOS>", "<PAD>"}) == 6
    assert {"*", "to", "now", "rome"} < set(found), "those with the largest effect stay"


def test_tokens_that_ludwigs_files_cannot_hold_are_unknown() -> None:
    found = tag_vectors.tag_vectors([[["*", "a\u00a0b"], ["*", "c"]]], [["O", "B-city"]], TAGS, 2)
    assert set(found) == {"*", "c", "<SOS>", "<EOS>", "<PAD>"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "cnnrnn"}, "need the encoder `stacked_cnn` with one layer"),
        ({"conv_layers": []}, "need the encoder `stacked_cnn` with one layer"),
        ({"conv_layers": [{"filter_size": 5, "strides": 5}]}, "has 19 tokens per word: set `filter_size`"),
    ],
)
def test_encoders_that_cannot_add_up_the_tokens_of_a_word_are_rejected(
    config: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    config["input_features"][0]["encoder"] |= change
    with pytest.raises(ConfigError, match=message):
        vectors_for(config)


def test_only_a_tagger_starts_from_a_model_of_tags(config: dict[str, Any]) -> None:
    config["output_features"] = [{"name": "intent", "type": "category"}]
    with pytest.raises(ConfigError, match="needs exactly one output, a tagger"):
        feature_with_context(config)
    assert feature_with_context(read_config(Path("intent-light"))) is None


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_takes_no_steps_answers_as_the_linear_model(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pd.DataFrame(SENTENCES, columns=["text", "slots"]).assign(split=[0] * 34 + [1] * 3 + [2] * 3)
    config["trainer"] |= {"epochs": 1, "learning_rate": 1e-9}
    fitted: list[tuple[dict[str, np.ndarray], list[str]]] = []
    original = tag_vectors.tag_vectors

    def kept(texts: Any, tags: Any, labels: list[str], tokens_per_word: int) -> dict[str, np.ndarray]:
        fitted.append((original(texts, tags, labels, tokens_per_word), labels))
        return fitted[-1][0]

    monkeypatch.setattr(tag_vectors, "tag_vectors", kept)
    run = fit(config, rows, tmp_path / "run")
    ((vectors, labels),) = fitted
    model = import_ludwig().LudwigModel.load(str(run.folder / "model"), backend="local")
    assert model.training_set_metadata["slots"]["idx2str"] == labels
    text = "fly to Cairo monday"
    answer = with_logits(model, ["slots"], predictions_of(model))(pd.DataFrame({"text": [text]}))[0]
    tokens = Context(4, 3).of(text).split(" ")[18:-18]
    sums = [sum(vectors[t] for t in tokens[start : start + 19] if t in vectors) for start in range(0, len(tokens), 19)]
    assert answer["slots_logits"][1:5] == pytest.approx(np.array(sums), abs=1e-3)
    assert SlotDecoder(labels).decode(answer["slots_logits"][1:5].tolist())[0] == ["O", "O", "B-city", "B-day"]
    around = [answer["slots_predictions"][index] for index in (0, *range(5, 26))]
    assert around == ["<SOS>", *["<EOS>"] * 21], "symbols and padding have certain answers"
    hyperparameters = json.loads((run.folder / "model" / "model_hyperparameters.json").read_text(encoding="utf-8"))
    assert hyperparameters["input_features"][0]["encoder"]["pretrained_embeddings"] is None
