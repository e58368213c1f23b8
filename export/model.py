"""A model folder that Ludwig wrote, loaded."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ModelError
from export.legacy import check_tokenizers, legacy_tokenizers
from export.ludwig_fixes import keep_labels_in_range, readable_folder
from export.ludwig_library import import_ludwig, on_cpu
from export.rows import with_affix_columns

if TYPE_CHECKING:
    import pandas as pd
    from ludwig.api import LudwigModel

WEIGHTS = "model_weights.safetensors"
PICKLED_WEIGHTS = "model_weights"
NEEDED = ("model_hyperparameters.json", "training_set_metadata.json")
TRAINING_RECORD = "training.json"
NETWORKS = "ecd"
"""Ludwig's name of models with an encoder, a combiner and a decoder: all others are of another kind altogether."""
ADAPTERS_LIBRARY = "peft"
MOST_CHARACTERS = 600
"""Of what Ludwig says when it cannot load a model, which can be a line for each of the network's tensors."""


@dataclass(frozen=True)
class SourceModel:
    """What Ludwig trained: the loaded model, its full configuration and its metadata by feature."""

    folder: Path
    ludwig_model: "LudwigModel"
    config: dict[str, Any]
    metadata: dict[str, Any]
    ludwig_version: str
    weights_sha256: str
    training: dict[str, Any] | None
    architectures: Mapping[str, str] = field(default_factory=dict)
    """Hugging Face's name of the network in an input's encoder, by feature, where there is one."""

    def predict(self, rows: "pd.DataFrame") -> list[dict[str, Any]]:
        """Return Ludwig's own answers on the CPU, a record a row."""
        with on_cpu(), legacy_tokenizers(self.config):
            predictions, _ = self.ludwig_model.predict(self._complete(rows), skip_save_predictions=True)
        records: list[dict[str, Any]] = predictions.to_dict("records")
        return records

    def encode(self, rows: "pd.DataFrame") -> dict[str, Any]:
        """Return the arrays that Ludwig's own preprocessing makes of rows, by input feature."""
        from ludwig.data.preprocessing import preprocess_for_prediction

        with on_cpu(), legacy_tokenizers(self.config):
            dataset, _ = preprocess_for_prediction(
                self.ludwig_model.config_obj,
                dataset=self._complete(rows),
                training_set_metadata=self.metadata,
                include_outputs=False,
                backend=self.ludwig_model.backend,
            )
        arrays = dataset.dataset
        return {feature["name"]: arrays[feature["proc_column"]] for feature in self.config["input_features"]}

    def _complete(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """Return a copy of rows, which Ludwig may change, with all that the model reads."""
        return with_affix_columns(rows.copy(), self.config)


def find_model_folder(path: Path, *, allow_pickle: bool = False) -> Path:
    """Return the folder that holds the model: the path itself, or `model` in it, as a run folder has it.

    allow_pickle: take weights that are pickled, too. Raises ModelError if neither is a model that can be loaded safely.
    """
    for folder in (path, path / "model"):
        if all((folder / name).is_file() for name in NEEDED):
            _check_type(folder)
            _check_weights(folder, allow_pickle=allow_pickle)
            return folder
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) if path.is_dir() else "no such folder"
    raise ModelError(
        f"{path} is not a Ludwig model: expected {' and '.join(NEEDED)} in it, or in its folder `model`; "
        f"found {found or 'nothing'}. Give the folder that `ludwig-serverless fit` or `ludwig train` wrote."
    )


def load_model(path: "Path | str", *, allow_pickle: bool = False) -> SourceModel:
    """Load a model on the CPU.

    Args:
        path: A run, or a folder that Ludwig wrote.
        allow_pickle: Read pickled weights too, of models that you trust.

    Returns:
        The model, with what Ludwig stored beside it.

    Raises:
        ModelError: There is no model, or Ludwig cannot load it.
        UnsupportedError: It would not answer as the Ludwig that trained it.
    """
    folder = find_model_folder(Path(path), allow_pickle=allow_pickle)
    stored = _stored_config(folder)
    check_tokenizers(stored)
    _check_adapters(stored)
    api = import_ludwig()
    import ludwig

    try:
        with on_cpu(), legacy_tokenizers(stored), readable_folder(folder, stored) as readable:
            ludwig_model = api.LudwigModel.load(str(readable), backend="local")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:MOST_CHARACTERS]
        raise ModelError(f"Ludwig {ludwig.__version__} cannot load {folder}: {reason}") from error
    keep_labels_in_range(ludwig_model)
    with _weights(folder).open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    return SourceModel(
        folder=folder,
        ludwig_model=ludwig_model,
        config=ludwig_model.config_obj.to_dict(),
        metadata=ludwig_model.training_set_metadata,
        ludwig_version=str(stored.get("ludwig_version", "unknown")),
        weights_sha256=digest,
        training=_training_record(folder),
        architectures=_architectures(ludwig_model),
    )


def _check_type(folder: Path) -> None:
    kind = _stored_config(folder).get("model_type", NETWORKS)
    if kind != NETWORKS:
        raise ModelError(
            f"{folder} holds a model of the type {kind!r}, and export takes those of the type {NETWORKS!r} only: it "
            f"writes down one pass through a network. Train with `model_type: {NETWORKS}`; for text that a large "
            "language model should understand, with the encoder `auto_transformer` or `llm`."
        )


def _check_adapters(config: Mapping[str, Any]) -> None:
    if importlib.util.find_spec(ADAPTERS_LIBRARY) is not None:
        return
    for feature in config.get("input_features", ()):
        if adapter := (feature.get("encoder") or {}).get("adapter"):
            raise ModelError(
                f"The encoder of {feature['name']!r} has an adapter ({adapter['type']}), and without "
                f"{ADAPTERS_LIBRARY!r} Ludwig cannot load it: `pip install {ADAPTERS_LIBRARY}` beside Ludwig, and "
                "export again. The bundle will not need it."
            )


def _architectures(ludwig_model: "LudwigModel") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, feature in ludwig_model.model.input_features.items():
        for module in feature.modules():
            architecture = getattr(getattr(module, "config", None), "model_type", None)
            if isinstance(architecture, str):
                found.setdefault(name, architecture)
    return found


def _check_weights(folder: Path, *, allow_pickle: bool) -> None:
    weights = _weights(folder)
    if weights.is_dir():
        raise ModelError(f"{weights} is a folder: that is a large language model or its adapter; export takes neither.")
    if not weights.is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}: the training broke off, or the copy is incomplete.")
    if weights.name == PICKLED_WEIGHTS and not allow_pickle:
        raise ModelError(
            f"The weights in {folder} are pickled ({PICKLED_WEIGHTS}), and a pickle can run code when it is read. "
            "If you trust whoever made it, give --allow-pickle: torch then reads it and lets it build nothing but "
            "tensors, a guard that has been broken before. If you do not, run `python -m export.unpickle "
            f"{folder}` where nothing of value is, such as a container, to save it as {WEIGHTS}, "
            "and copy that file here, without the pickle."
        )


def _weights(folder: Path) -> Path:
    """Return the file that Ludwig reads the weights from: the pickled one only where there is no other."""
    safe, pickled = folder / WEIGHTS, folder / PICKLED_WEIGHTS
    return pickled if pickled.exists() and not safe.exists() else safe


def _stored_config(folder: Path) -> dict[str, Any]:
    """Return the configuration as the Ludwig that trained the model wrote it."""
    path = folder / NEEDED[0]
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is broken: {error}.") from None
    return config


def _training_record(folder: Path) -> dict[str, Any] | None:
    """Return what `ludwig-serverless fit` wrote beside the model, if it did."""
    path = folder.parent / TRAINING_RECORD
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
