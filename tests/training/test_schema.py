"""Configurations are checked against Ludwig's schema: no key is ignored."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from export.ludwig_library import import_ludwig
from tests.trained import ROOT, demo_rows
from tests.training.tiny import tiny, tiny_config
from training.config import CONFIGS, MINILM, with_pretrained
from training.dataset import prepare
from training.errors import ConfigError, DatasetError
from training.schema import check_shape, complete_config
from training.sizing import sized

TEXT, INTENT = tiny_config()["input_features"][0], tiny_config()["output_features"][0]
OURS = [*CONFIGS.glob("*.yaml"), *(ROOT / "examples" / "demo" / "models").glob("*.yaml")]


def with_input(**keys: Any) -> dict[str, Any]:
    return tiny_config(input_features=[{**TEXT, **keys}])


def with_output(**keys: Any) -> dict[str, Any]:
    return tiny_config(output_features=[{**INTENT, **keys}])


@pytest.fixture(scope="module")
def api() -> ModuleType:
    return import_ludwig()


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("config", "key", "near"),
    [
        (tiny_config(trainr={"epochs": 2}), "trainr", "trainer"),
        (tiny_config(foo=1), "foo", None),
        (tiny_config(trainer={"epoch": 2}), "epoch", "epochs"),
        (tiny_config(trainer={"optimizer": {"type": "adam", "wait_decay": 1}}), "wait_decay", "weight_decay"),
        (tiny_config(combiner={"type": "concat", "fc_layer": []}), "fc_layer", "fc_layers"),
        (with_input(encodr={"type": "rnn"}), "encodr", "encoder"),
        (with_input(preprocesing={"tokenizer": "space"}), "preprocesing", "preprocessing"),
        (with_input(preprocessing={"tokeniser": "space"}), "tokeniser", "tokenizer"),
        (with_input(encoder={"type": "embed", "embeding_size": 8}), "embeding_size", "embedding_size"),
        (with_output(loss={"wait": 2}), "wait", "weight"),
        (with_output(decoder={"dropout": 0.5}), "dropout", "fc_dropout"),
        (tiny_config(defaults={"text": {"encoder": {"type": "embed", "dropot": 0.1}}}), "dropot", "dropout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_that_ludwig_ignores_is_rejected(
    api: ModuleType, config: dict[str, Any], key: str, near: str | None
) -> None:
    with pytest.raises(ConfigError, match=r"would ignore them|Ludwig rejects") as refused:
        complete_config(api, config)
    assert f"{key!r} in" in str(refused.value) or f"{key!r} at the top level" in str(refused.value)
    assert ("did you mean" in str(refused.value)) == (near is not None)
    assert near is None or f"did you mean {near!r}?" in str(refused.value)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_built_in_configurations_contain_only_known_keys(api: ModuleType, path: Path) -> None:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "minilm" in path.stem:  # its tokenizer counts the tokens
        config = with_pretrained(config, MINILM)
    config = sized(config, demo_rows(100))
    assert complete_config(api, config)["trainer"]["epochs"] == config["trainer"]["epochs"]


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "config",
    [
        with_input(encoder="parallel_cnn", embedding_size=8, reduce_output="sum"),
        tiny_config(trainer={"decay": True, "early_stop": 0}),
        tiny_config(
            hyperopt={"parameters": {"intent.decoder.fc_dropout": {"space": "uniform", "lower": 0, "upper": 1}}}
        ),
        tiny_config(ludwig_version="0.17.10", model_type="ecd", backend={"type": "local"}),
        with_output(loss={"type": "entropic_open_set", "background_class": 0}),  # without class_weights
    ],
)
def test_older_spellings_that_ludwig_reads_are_accepted(api: ModuleType, config: dict[str, Any]) -> None:
    assert complete_config(api, config)["output_features"][0]["name"] == "intent"


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (with_output(type="categry"), "'categry' is not known here; did you mean 'category'?"),
        (with_input(encoder={"type": "paralel_cnn"}), "'paralel_cnn' is not known here; did you mean 'parallel_cnn'?"),
        (tiny_config(trainer={"epochs": "many"}), "'many' is not of type 'integer'"),
        (tiny_config(input_features=[TEXT, TEXT]), "Feature names must be unique"),
    ],
)
def test_ludwigs_rejections_are_reported_in_one_line(api: ModuleType, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        complete_config(api, config)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (tiny_config(preprocessing=["split"]), "The section 'preprocessing' is a list: expected a mapping"),
        (tiny_config(trainer="adam"), "The section 'trainer' is a str: expected a mapping"),
        (tiny_config(preprocessing={"split": "random"}), "preprocessing.split is 'random': expected a mapping"),
        (with_output(column="text"), "The column 'text' is both an input and an output"),
    ],
)
def test_structural_mistakes_are_found_before_ludwig_loads(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_shape(config)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "split",
    [{"type": "stratify", "column": "nope"}, {"type": "fixed", "column": "nope"}, {"type": "hash", "column": "nope"}],
    ids=lambda split: str(split["type"]),
)
def test_a_split_by_a_missing_column_is_rejected(split: dict[str, Any]) -> None:
    rows = tiny().drop(columns="split")
    with pytest.raises(DatasetError, match=r"preprocessing\.split reads the column 'nope', but the dataset has"):
        prepare(tiny_config(preprocessing={"split": split}), rows)


def test_a_fixed_split_without_its_column_is_rejected() -> None:
    with pytest.raises(DatasetError, match="reads the column 'split', but the dataset has"):
        prepare(tiny_config(preprocessing={"split": {"type": "fixed"}}), tiny().drop(columns="split"))


def test_a_fixed_split_can_use_another_column_name() -> None:
    config = tiny_config(preprocessing={"split": {"type": "fixed", "column": "part"}})
    config, rows = prepare(config, tiny().rename(columns={"split": "part"}))
    assert config["preprocessing"]["split"] == {"type": "fixed", "column": "split"}
    assert list(rows["split"]) == list(tiny()["split"])
