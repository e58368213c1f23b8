"""Train on cached outputs of a frozen encoder, and put the encoder back into the finished model.

With `cache_encoder_embeddings: true`, Ludwig encodes all texts once and trains on the encoder's outputs. The model that
it saves has no encoder (it has a `PassthroughInputFeature` of `ludwig.features.passthrough_feature` instead), so it can
neither be exported nor answer texts. The encoder's weights never change, so the model with the encoder gives the same
answers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ludwig.api import LudwigModel

CACHED = "cache_encoder_embeddings"
HYPERPARAMETERS, METADATA = "model_hyperparameters.json", "training_set_metadata.json"
ROWS_AT_ONCE = 64


def is_cached(config: Mapping[str, Any]) -> bool:
    """Return whether any input of a configuration (with Ludwig's defaults) trains on cached encoder outputs."""
    return any((feature.get("preprocessing") or {}).get(CACHED) for feature in config["input_features"])


def encode_in_small_batches(model: "LudwigModel") -> None:
    """Let Ludwig encode 64 rows at a time; by default it first times ever larger batches, for minutes on a CPU."""
    model.backend.tune_batch_size = lambda *_: ROWS_AT_ONCE


def with_encoders(api: Any, model: "LudwigModel", folder: Path) -> "LudwigModel":
    """Put the encoders back into a trained model, and save and reload it.

    Args:
        api: The module `ludwig.api`.
        model: A model that was trained on cached encoder outputs.
        folder: The saved model's folder; its weights, hyperparameters and metadata are replaced.

    Returns:
        The model, loaded from the folder.
    """
    model.model.unskip()
    model.model.save(str(folder))
    hyperparameters = _read(folder / HYPERPARAMETERS)
    for feature in hyperparameters["input_features"]:
        feature["encoder"]["skip"] = False
        _forget_cache(feature)
    _write(folder / HYPERPARAMETERS, hyperparameters)
    metadata = _read(folder / METADATA)
    for feature in metadata.values():
        if isinstance(feature, dict):
            _forget_cache(feature)
    _write(folder / METADATA, metadata)
    return api.LudwigModel.load(str(folder), backend="local")


def _forget_cache(feature: dict[str, Any]) -> None:
    preprocessing = feature.get("preprocessing")
    if isinstance(preprocessing, dict) and CACHED in preprocessing:
        preprocessing[CACHED] = False


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
