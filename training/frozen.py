"""Frozen encoders: their answers are computed once before training, and the finished model has its encoder back.

With `cache_encoder_embeddings: true` Ludwig trains on the answers of an encoder in place of texts. The model that it
then saves has no encoder in front (`PassthroughInputFeature` of `ludwig.features.passthrough_feature`), so it can
neither be exported nor answer a text that was not encoded first. The weights of the encoder never changed: putting it
back gives the same answers.
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
    """Tell whether an input of a configuration, with Ludwig's defaults, trains on cached answers of its encoder."""
    return any((feature.get("preprocessing") or {}).get(CACHED) for feature in config["input_features"])


def encode_in_small_batches(model: "LudwigModel") -> None:
    """Let Ludwig encode 64 rows at once: otherwise it first times ever larger batches, for minutes on a CPU."""
    model.backend.tune_batch_size = lambda *_: ROWS_AT_ONCE


def with_encoders(api: Any, model: "LudwigModel", folder: Path) -> "LudwigModel":
    """Put the encoders back in front of a trained model, in its folder, and return it as Ludwig loads it from there.

    Args:
        api: The module `ludwig.api`.
        model: A model that was trained on cached answers.
        folder: Where Ludwig saved it; the weights and the two descriptions are replaced.
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
