"""Find and load a Ludwig model folder, and run the model on the CPU."""

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
"""Ludwig's `model_type` of networks with an encoder, a combiner and a decoder; export supports no other type."""
ADAPTERS_LIBRARY = "peft"
MOST_CHARACTERS = 600
"""Maximum length of Ludwig's load error in a message; the full error can have a line for each tensor."""


@dataclass(frozen=True)
class SourceModel:
    """A loaded Ludwig model.

    Attributes:
        folder: The model folder.
        ludwig_model: The loaded model.
        config: The complete configuration, with Ludwig's defaults.
        metadata: Ludwig's training set metadata, by feature.
        ludwig_version: The version that trained the model.
        weights_sha256: SHA-256 of the weights file, in hex.
        training: The record that `ludwig-serverless fit` wrote, or None.
        architectures: Hugging Face's `model_type` of the network in an input's encoder, by feature, if there is one.
    """

    folder: Path
    ludwig_model: "LudwigModel"
    config: dict[str, Any]
    metadata: dict[str, Any]
    ludwig_version: str
    weights_sha256: str
    training: dict[str, Any] | None
    architectures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, rows: "pd.DataFrame") -> list[dict[str, Any]]:
        """Return Ludwig's own predictions, computed on the CPU: one record per row."""
        with on_cpu(), legacy_tokenizers(self.config):
            predictions, _ = self.ludwig_model.predict(self._complete(rows), skip_save_predictions=True)
        records: list[dict[str, Any]] = predictions.to_dict("records")
        return records

    def encode(self, rows: "pd.DataFrame") -> dict[str, Any]:
        """Return the arrays of Ludwig's own preprocessing, of shape (rows, ...), by input feature."""
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
        """Return a copy of rows (Ludwig may modify it) with all columns that the model reads."""
        return with_affix_columns(rows.copy(), self.config)


def find_model_folder(path: Path, *, allow_pickle: bool = False) -> Path:
    """Find the model folder: the path itself, or its subfolder `model`, as in a run folder.

    Args:
        path: A model folder or a run folder.
        allow_pickle: Whether to accept pickled weights.

    Returns:
        The model folder.

    Raises:
        ModelError: Neither folder is a model that can be loaded safely.
    """
    for folder in (path, path / "model"):
        if all((folder / name).is_file() for name in NEEDED):
            _check_type(folder)
            _check_weights(folder, allow_pickle=allow_pickle)
            return folder
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) if path.is_dir() else "no such folder"
    raise ModelError(
        f"{path} is not a Ludwig model: expected {' and '.join(NEEDED)} in it or in its subfolder `model`; "
        f"found {found or 'nothing'}. Give the folder that `ludwig-serverless fit` or `ludwig train` wrote."
    )


def load_model(path: "Path | str", *, allow_pickle: bool = False) -> SourceModel:
    """Load a model on the CPU.

    Args:
        path: A model folder or a run folder.
        allow_pickle: Whether to read pickled weights; only for models that you trust.

    Returns:
        The loaded model.

    Raises:
        ModelError: There is no model, or Ludwig cannot load it.
        UnsupportedError: The installed Ludwig would give other answers than the Ludwig that trained the model.
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
    except ModelError:
        raise
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
    """Raise ModelError if the model is not a network that export supports."""
    kind = _stored_config(folder).get("model_type", NETWORKS)
    if kind != NETWORKS:
        raise ModelError(
            f"{folder} is a model of type {kind!r}, but export supports only type {NETWORKS!r}, a single pass through "
            f"a network. Train with `model_type: {NETWORKS}`; to use a language model, train with the encoder "
            "`auto_transformer` or `llm`."
        )


def _check_adapters(config: Mapping[str, Any]) -> None:
    """Raise ModelError if the model has an adapter and the library that loads adapters is not installed."""
    if importlib.util.find_spec(ADAPTERS_LIBRARY) is not None:
        return
    for feature in config.get("input_features", ()):
        if adapter := (feature.get("encoder") or {}).get("adapter"):
            raise ModelError(
                f"The encoder of {feature['name']!r} has an adapter ({adapter['type']}), which Ludwig cannot load "
                f"without {ADAPTERS_LIBRARY!r}: run `pip install {ADAPTERS_LIBRARY}` and export again. The bundle "
                "will not need it."
            )


def _architectures(ludwig_model: "LudwigModel") -> dict[str, str]:
    """Return Hugging Face's `model_type` of each input encoder that contains a Hugging Face network."""
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
        raise ModelError(f"{weights} is a folder, so the model is an LLM or an adapter, which export does not support.")
    if not weights.is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}: the training was interrupted, or the copy is incomplete.")
    if weights.name == PICKLED_WEIGHTS and not allow_pickle:
        raise ModelError(
            f"The weights in {folder} are pickled ({PICKLED_WEIGHTS}), and reading a pickle can run code. If you trust "
            "the author, export with --allow-pickle: torch then restricts the pickle to tensors, a guard that has been "
            f"bypassed before. If you do not, run `python -m export.unpickle {folder}` in a sandbox, such as a "
            f"container, and copy the resulting {WEIGHTS} here without the pickle."
        )


def _weights(folder: Path) -> Path:
    """Return the file from which Ludwig reads the weights: the pickle only if there is no other."""
    safe, pickled = folder / WEIGHTS, folder / PICKLED_WEIGHTS
    return pickled if pickled.exists() and not safe.exists() else safe


def _stored_config(folder: Path) -> dict[str, Any]:
    """Return the configuration that the training Ludwig wrote."""
    path = folder / NEEDED[0]
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is broken: {error}.") from None
    return config


def _training_record(folder: Path) -> dict[str, Any] | None:
    """Return the record that `ludwig-serverless fit` wrote next to the model, or None."""
    path = folder.parent / TRAINING_RECORD
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
