"""Make saved models loadable where Ludwig cannot load them, and correct outputs that fail to predict.

Source: `ludwig/schema/encoders/` and `ludwig/features/category_feature.py` of Ludwig 0.17.10.
"""

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.pretrained import with_installed

if TYPE_CHECKING:
    import torch
    from ludwig.api import LudwigModel

Encoder = dict[str, Any]

HYPERPARAMETERS, METADATA = "model_hyperparameters.json", "training_set_metadata.json"


@contextmanager
def readable_folder(folder: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    """Yield a folder that Ludwig can load.

    Args:
        folder: The model folder.
        config: The content of its `model_hyperparameters.json`.

    Yields:
        The model folder itself if it needs no fix, else a temporary folder of links with fixed files.

    Raises:
        ModelError: The model was trained from a package that is not installed.
    """
    fixed = with_installed(copy.deepcopy(dict(config)))
    for feature in fixed.get("input_features", ()):
        encoder = feature.get("encoder") or {}
        FIXES.get(encoder.get("type"), _leave)(encoder)
    if fixed == config:
        yield folder
        return
    contents = {HYPERPARAMETERS: fixed}
    if (folder / METADATA).is_file():
        contents[METADATA] = with_installed(json.loads((folder / METADATA).read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as temporary:
        for path in folder.iterdir():
            if path.name not in contents:
                Path(temporary, path.name).symlink_to(path.resolve())
        for name, content in contents.items():
            Path(temporary, name).write_text(json.dumps(content), encoding="utf-8")
        yield Path(temporary)


def keep_labels_in_range(ludwig_model: "LudwigModel") -> None:
    """Clamp predictions of ordinal outputs to the last label: Ludwig goes one past it if all levels are exceeded."""
    for feature in ludwig_model.model.output_features.values():
        if getattr(feature.prediction_module, "use_cumulative_probs", False):
            feature.prediction_module.register_forward_hook(_clamp)


def _clamp(_module: "torch.nn.Module", _inputs: Any, answer: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    last = int(answer["probabilities"].shape[-1]) - 1
    return {**answer, "predictions": answer["predictions"].clamp(max=last)}


def _leave(encoder: Encoder) -> None:
    pass


def _set_empty_embeddings(encoder: Encoder) -> None:
    """Set an empty path: the schema rejects its own default, and these encoders do not read embeddings."""
    encoder["pretrained_embeddings"] = encoder.get("pretrained_embeddings") or ""


def _round_frequencies(encoder: Encoder) -> None:
    """Set the integers that the schema expects: the encoder reads the real values from the weights."""
    encoder["str2idf"] = dict.fromkeys(encoder.get("str2idf") or {}, 0)


FIXES: dict[str | None, Callable[[Encoder], None]] = {
    "mamba2": _set_empty_embeddings,
    "jamba": _set_empty_embeddings,
    "tf_idf": _round_frequencies,
}
