"""A model folder that Ludwig wrote, loaded."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.errors import ModelError
from export.ludwig_library import import_ludwig

if TYPE_CHECKING:
    import pandas as pd
    from ludwig.api import LudwigModel

WEIGHTS = "model_weights.safetensors"
PICKLED_WEIGHTS = "model_weights"
NEEDED = ("model_hyperparameters.json", "training_set_metadata.json")
TRAINING_RECORD = "training.json"


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

    def predict(self, rows: "pd.DataFrame") -> list[dict[str, Any]]:
        """Return Ludwig's own answers, a record a row."""
        predictions, _ = self.ludwig_model.predict(rows.copy(), skip_save_predictions=True)
        records: list[dict[str, Any]] = predictions.to_dict("records")
        return records

    def encode(self, rows: "pd.DataFrame") -> dict[str, Any]:
        """Return the arrays that Ludwig's own preprocessing makes of rows, by input feature."""
        from ludwig.data.preprocessing import preprocess_for_prediction

        dataset, _ = preprocess_for_prediction(
            self.ludwig_model.config_obj,
            dataset=rows.copy(),
            training_set_metadata=self.metadata,
            include_outputs=False,
            backend=self.ludwig_model.backend,
        )
        arrays = dataset.dataset
        return {feature["name"]: arrays[feature["proc_column"]] for feature in self.config["input_features"]}


def find_model_folder(path: Path) -> Path:
    """Return the folder that holds the model: the path itself, or `model` in it, as a run folder has it.

    Raises ModelError if neither is a model that can be loaded safely.
    """
    for folder in (path, path / "model"):
        if all((folder / name).is_file() for name in NEEDED):
            _check_weights(folder)
            return folder
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) if path.is_dir() else "no such folder"
    raise ModelError(
        f"{path} is not a Ludwig model: expected {' and '.join(NEEDED)} in it, or in its folder `model`; "
        f"found {found or 'nothing'}. Give the folder that `python -m training fit` or `ludwig train` wrote."
    )


def load_model(path: Path) -> SourceModel:
    """Load a model on the CPU. Raises ModelError if Ludwig cannot."""
    folder = find_model_folder(path)
    api = import_ludwig(cpu_only=True)
    import ludwig

    try:
        ludwig_model = api.LudwigModel.load(str(folder), backend="local")
    except Exception as error:
        raise ModelError(
            f"Ludwig {ludwig.__version__} cannot load {folder}: {type(error).__name__}: {error}"
        ) from error
    with (folder / WEIGHTS).open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    return SourceModel(
        folder=folder,
        ludwig_model=ludwig_model,
        config=ludwig_model.config_obj.to_dict(),
        metadata=ludwig_model.training_set_metadata,
        ludwig_version=_trained_with(folder),
        weights_sha256=digest,
        training=_training_record(folder),
    )


def _check_weights(folder: Path) -> None:
    if (folder / WEIGHTS).is_file():
        return
    if (folder / PICKLED_WEIGHTS).exists():
        raise ModelError(
            f"The weights in {folder} are pickled ({PICKLED_WEIGHTS}), and a pickle can run code when it is read. "
            f"Load the model with the Ludwig that trained it, if you trust it, and save it as {WEIGHTS}."
        )
    raise ModelError(f"{folder} has no {WEIGHTS}: the training broke off, or the copy is incomplete.")


def _trained_with(folder: Path) -> str:
    config = json.loads((folder / NEEDED[0]).read_text(encoding="utf-8"))
    return str(config.get("ludwig_version", "unknown"))


def _training_record(folder: Path) -> dict[str, Any] | None:
    """Return what `training fit` wrote beside the model, if it did."""
    path = folder.parent / TRAINING_RECORD
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
