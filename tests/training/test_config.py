"""Configurations: read from a file or by name, and completed."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from export.features import column_of
from handler.affixes import parse_column
from tests.trained import KINDS
from training.config import (
    CONFIGS,
    MINILM,
    columns,
    minilm_folder,
    read_config,
    with_fixed_split,
    with_pretrained,
)
from training.errors import ConfigError
from training.sizing import sized

GOOD = """
input_features: [{name: text, type: text, encoder: {type: bert, pretrained_model_name_or_path: some/model}}]
output_features: [{name: intent, type: category, column: label}]
"""
MULTILINGUAL = "google-bert/bert-base-multilingual-uncased"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def features(config: dict[str, Any], section: str) -> dict[str, Any]:
    return dict(config[section][0])


def test_the_package_ships_the_configurations_that_tests_train() -> None:
    assert sorted(path.stem for path in CONFIGS.glob("*.yaml")) == sorted(KINDS)


@pytest.mark.parametrize(
    ("kind", "input_type", "encoder", "output", "output_type"),
    [
        ("intent-bert", "text", "bert", "intent", "category"),
        ("intent-minilm", "text", "auto_transformer", "intent", "category"),
        ("intent-minilm-frozen", "text", "auto_transformer", "intent", "category"),
        ("slots-bert", "text", "auto_transformer", "slots", "sequence"),
        ("slots-minilm", "text", "auto_transformer", "slots", "sequence"),
        ("intent-embed", "text", "embed", "intent", "category"),
        ("intent-light", "text", "embed", "intent", "category"),
        ("intent-light-en", "text", "embed", "intent", "category"),
        ("intent-lstm", "sequence", "rnn", "intent", "category"),
        ("language-cnn", "text", "parallel_cnn", "language", "category"),
        ("language-light", "text", "embed", "language", "category"),
        ("slots-light", "sequence", "stacked_cnn", "slots", "sequence"),
        ("slots-lstm", "sequence", "cnnrnn", "slots", "sequence"),
        ("slots-lstm-en", "sequence", "cnnrnn", "slots", "sequence"),
    ],
    ids=KINDS,
)
def test_features_of_each_kind(kind: str, input_type: str, encoder: str, output: str, output_type: str) -> None:
    config = read_config(Path(kind))
    source, target = features(config, "input_features"), features(config, "output_features")
    assert (source["name"], source["type"], source["encoder"]["type"]) == ("text", input_type, encoder)
    assert (target["name"], target["type"]) == (output, output_type)


@pytest.mark.parametrize("kind", ["intent-bert", "slots-bert"])
def test_transformers_are_multilingual_with_hexabots_settings(kind: str) -> None:
    config = read_config(Path(kind))
    encoder = features(config, "input_features")["encoder"]
    assert (encoder["pretrained_model_name_or_path"], encoder["trainable"]) == (MULTILINGUAL, True)
    trainer = config["trainer"]
    assert (trainer["epochs"], trainer["batch_size"], trainer["learning_rate"]) == (8, 32, 2e-5)


@pytest.mark.parametrize("kind", ["slots-bert", "slots-light", "slots-lstm", "slots-lstm-en", "slots-minilm"])
def test_slots_are_tagged_from_whole_sequences(kind: str) -> None:
    config = read_config(Path(kind))
    source, target = features(config, "input_features"), features(config, "output_features")
    assert source["encoder"]["reduce_output"] is None
    assert target["decoder"]["type"] == "tagger"
    if kind == "slots-minilm":
        config = with_pretrained(config, MINILM)
    config = sized(config, pd.DataFrame({"text": ["a b c"], "slots": ["O O O"]}))
    source, target = features(config, "input_features"), features(config, "output_features")
    _, affixes = parse_column(column_of(source))
    tokens_per_word = affixes.tokens_per_word if affixes else 1
    assert source["preprocessing"]["sequence_length"] == tokens_per_word * target["preprocessing"]["sequence_length"]
    for layer in source["encoder"].get("conv_layers", ()):
        assert (layer["filter_size"], layer["strides"]) == (tokens_per_word, tokens_per_word)


@pytest.mark.parametrize("kind", ["intent-embed", "intent-lstm"])
def test_light_intent_models_train_on_unknown_words(kind: str) -> None:
    config = read_config(Path(kind))
    source = features(config, "input_features")
    assert source["preprocessing"] == {"tokenizer": "space_punct", "lowercase": True, "most_common": 3000}
    assert (source["encoder"]["dropout"], config["trainer"]["early_stop"]) == (0.5, -1)


def test_light_slot_models_train_on_unknown_words() -> None:
    config = read_config(Path("slots-lstm"))
    source = features(config, "input_features")
    assert (source["preprocessing"]["most_common"], source["encoder"]["dropout"]) == (8000, 0.5)
    assert config["trainer"]["validation_metric"] == "token_accuracy"


def test_language_cnn_reads_characters() -> None:
    preprocessing = features(read_config(Path("language-cnn")), "input_features")["preprocessing"]
    assert preprocessing == {"tokenizer": "characters", "lowercase": True, "max_sequence_length": 256}


@pytest.mark.parametrize("kind", KINDS)
def test_splits_match_hexabots(kind: str) -> None:
    config = read_config(Path(kind))
    split = config["preprocessing"]["split"]
    assert split["probabilities"] == [0.85, 0.1, 0.05]
    output = features(config, "output_features")["name"]
    expected = {"type": "random"} if output == "slots" else {"type": "stratify", "column": output}
    assert {key: value for key, value in split.items() if key != "probabilities"} == expected


def test_a_file_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, GOOD))
    assert columns(config, "input_features") == ["text"]
    assert columns(config, "output_features") == ["label"]


def test_a_file_takes_precedence_over_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "intent-lstm").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert columns(read_config(Path("intent-lstm")), "output_features") == ["label"]


def test_empty_sections_are_ignored(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, GOOD + "preprocessing:\ntrainer:\n"))
    assert set(config) == {"input_features", "output_features"}


@pytest.mark.parametrize("name", ["intent-lstn", "missing/config.yaml"])
def test_a_missing_file_lists_the_built_in_names(name: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"Cannot read .*: No such file.*one of intent-bert, intent-embed, intent-light, intent-light-en, ",
    ):
        read_config(Path(name))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("input_features: [", "is not YAML"),
        (b"\xff\xfe\xfa", "is not YAML"),
        ("trainer: {}\ninput_features: []\ntrainer: {}\n", "has the key 'trainer' twice, at line 1 and at line 3"),
        ("input_features: []\n---\noutput_features: []\n", "contains 2 YAML documents, the second at line 3"),
        ("", "has no input_features"),
        ("just words", "has no input_features"),
        ("- a list", "has no input_features"),
        ("input_features: text", "has no input_features"),
        ("input_features: [text]", "has no input_features: expected a list of features, each with a name and a type"),
        ("input_features: [{name: text}]", "has no input_features"),
        ("input_features: [{name: text, type: text}]", "has no output_features"),
        ("input_features: [{name: text, type: text}]\noutput_features:", "has no output_features"),
    ],
    ids=[
        "yaml",
        "bytes",
        "twice",
        "documents",
        "empty",
        "words",
        "list",
        "text",
        "names",
        "typeless",
        "outputless",
        "null",
    ],
)
def test_an_invalid_file_is_reported_with_the_reason(tmp_path: Path, content: str | bytes, reason: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigError, match=reason) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*: Is a directory"):
        read_config(tmp_path)


def test_with_pretrained_changes_every_encoder() -> None:
    config = read_config(Path("slots-bert"))
    changed = with_pretrained(config, "some/other")
    assert features(changed, "input_features")["encoder"]["pretrained_model_name_or_path"] == "some/other"
    assert features(config, "input_features")["encoder"]["pretrained_model_name_or_path"] == MULTILINGUAL


@pytest.mark.parametrize("encoder", [{"type": "rnn"}, "rnn", None], ids=["rnn", "name", "none"])
def test_pretrained_without_a_pretrained_encoder_is_rejected(encoder: object) -> None:
    config = {"input_features": [{"name": "text", "type": "text", "encoder": encoder}], "output_features": []}
    with pytest.raises(ConfigError, match="no encoder of the configuration uses a pretrained model"):
        with_pretrained(config, "some/other")


def test_minilm_is_a_folder_with_a_model() -> None:
    folder = minilm_folder({})
    assert (folder / "config.json").is_file()
    assert (folder / "tokenizer.json").is_file()
    encoder = features(with_pretrained(read_config(Path("intent-bert")), MINILM), "input_features")["encoder"]
    assert encoder["pretrained_model_name_or_path"] == str(folder)


@pytest.mark.parametrize(
    ("name", "pooled"), [("intent-minilm", True), ("intent-minilm-frozen", True), ("slots-minilm", False)]
)
def test_minilm_computes_the_mean_for_encoders_that_return_one(name: str, pooled: bool) -> None:
    encoder = features(with_pretrained(read_config(Path(name)), MINILM), "input_features")["encoder"]
    folder = Path(encoder["pretrained_model_name_or_path"])
    assert folder == minilm_folder({"reduce_output": "mean"} if pooled else {})
    assert json.loads((folder / "config.json").read_bytes())["num_hidden_layers"] == (7 if pooled else 6)


def test_minilm_is_not_trained_in_float16() -> None:
    config = read_config(Path("intent-minilm"))
    config["trainer"]["use_mixed_precision"] = True
    with pytest.raises(ConfigError, match="`use_mixed_precision: true` computes in float16"):
        with_pretrained(config, MINILM)
    assert with_pretrained(config, "some/other")["trainer"]["use_mixed_precision"]
    slots = read_config(Path("slots-minilm"))  # whose copy of MiniLM lacks the layer
    slots["trainer"]["use_mixed_precision"] = True
    assert with_pretrained(slots, MINILM)["trainer"]["use_mixed_precision"]


def test_missing_minilm_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.pretrained.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"\[minilm\]'"):
        minilm_folder({})


def test_a_fixed_split_replaces_only_the_split() -> None:
    config = {**read_config(Path("intent-lstm")), "preprocessing": {"split": {"type": "random"}, "sample_ratio": 0.5}}
    fixed = with_fixed_split(config)
    assert fixed["preprocessing"] == {"split": {"type": "fixed", "column": "split"}, "sample_ratio": 0.5}
    assert config["preprocessing"]["split"] == {"type": "random"}
    assert with_fixed_split({})["preprocessing"] == {"split": {"type": "fixed", "column": "split"}}
