"""Where Ludwig refuses to read what it wrote, or to answer: mended, so that it does.

Source: `ludwig/schema/encoders/` and `ludwig/features/category_feature.py` of Ludwig 0.17.10.
"""

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from ludwig.api import LudwigModel

Encoder = dict[str, Any]

HYPERPARAMETERS = "model_hyperparameters.json"


@contextmanager
def readable_folder(folder: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    """Give a model's folder, or one of links to its files with a configuration that Ludwig reads.

    config: what the folder's `model_hyperparameters.json` holds.
    """
    mended = copy.deepcopy(dict(config))
    for feature in mended.get("input_features", ()):
        encoder = feature.get("encoder") or {}
        MENDERS.get(encoder.get("type"), _leave)(encoder)
    if mended == config:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        for path in folder.iterdir():
            if path.name != HYPERPARAMETERS:
                Path(temporary, path.name).symlink_to(path.resolve())
        Path(temporary, HYPERPARAMETERS).write_text(json.dumps(mended), encoding="utf-8")
        yield Path(temporary)


def keep_labels_in_range(ludwig_model: "LudwigModel") -> None:
    """Let ordinal outputs answer the last label where Ludwig, as all levels are passed, looks for one beyond it."""
    for feature in ludwig_model.model.output_features.values():
        if getattr(feature.prediction_module, "use_cumulative_probs", False):
            feature.prediction_module.register_forward_hook(_clamp)


def _clamp(_module: "torch.nn.Module", _inputs: Any, answer: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    last = int(answer["probabilities"].shape[-1]) - 1
    return {**answer, "predictions": answer["predictions"].clamp(max=last)}


def _leave(encoder: Encoder) -> None:
    pass


def _name_no_embeddings(encoder: Encoder) -> None:
    """Write an empty path where the schema refuses its own default: these encoders read no embeddings at all."""
    encoder["pretrained_embeddings"] = encoder.get("pretrained_embeddings") or ""


def _round_frequencies(encoder: Encoder) -> None:
    """Write the integers that the schema wants: the numbers themselves are read from the weights."""
    encoder["str2idf"] = dict.fromkeys(encoder.get("str2idf") or {}, 0)


MENDERS: dict[str | None, Callable[[Encoder], None]] = {
    "mamba2": _name_no_embeddings,
    "jamba": _name_no_embeddings,
    "tf_idf": _round_frequencies,
}
