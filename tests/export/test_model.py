"""Model folders are found, or refused if they cannot be loaded safely. test_export.py tests loading."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from export.errors import ModelError
from export.model import find_model_folder, load_model
from tests.trained import Run

DESCRIPTION = ("model_hyperparameters.json", "training_set_metadata.json")
SAFE = (*DESCRIPTION, "model_weights.safetensors")


def write(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def test_a_model_folder_is_found(tmp_path: Path) -> None:
    assert find_model_folder(write(tmp_path / "saved", SAFE)) == tmp_path / "saved"


def test_a_run_folder_contains_its_model(tmp_path: Path) -> None:
    write(tmp_path / "run" / "model", SAFE)
    assert find_model_folder(tmp_path / "run") == tmp_path / "run" / "model"


@pytest.mark.parametrize(
    ("names", "found"),
    [([], "found nothing"), (["notes.txt", "a.onnx"], "found a.onnx, notes.txt"), (DESCRIPTION[:1], "found model_hyp")],
    ids=["empty", "other files", "half"],
)
def test_a_folder_without_a_model_is_reported_with_its_content(
    names: Sequence[str], found: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "thing", names)
    with pytest.raises(ModelError, match=f"{folder} is not a Ludwig model: .*{found}.*ludwig-serverless fit"):
        find_model_folder(folder)


def test_a_long_listing_is_shortened(tmp_path: Path) -> None:
    folder = write(tmp_path / "crowd", [f"file-{number:02}" for number in range(30)])
    with pytest.raises(ModelError) as caught:
        find_model_folder(folder)
    assert "file-07" in str(caught.value)
    assert "file-08" not in str(caught.value)


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none is not a Ludwig model: .*found no such folder"):
        find_model_folder(tmp_path / "none")


def test_a_file_instead_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_text("")
    with pytest.raises(ModelError, match=r"model\.zip is not a Ludwig model"):
        find_model_folder(tmp_path / "model.zip")


@pytest.mark.parametrize("kind", ["llm", "gbm"])
def test_a_model_of_another_type_is_refused(kind: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "other", DESCRIPTION)
    (folder / "model_weights").mkdir()
    (folder / DESCRIPTION[0]).write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ModelError, match=f"of type '{kind}', .* Train with `model_type: ecd`"):
        find_model_folder(folder)


def test_an_adapter_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "adapted", SAFE)
    encoder = {"type": "auto_transformer", "adapter": {"type": "lora"}}
    (folder / DESCRIPTION[0]).write_text(json.dumps({"input_features": [{"name": "text", "encoder": encoder}]}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"'text' has an adapter \(lora\), .* `pip install peft`"):
        load_model(folder)


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    folder = write(tmp_path / "old", [*DESCRIPTION, "model_weights"])
    with pytest.raises(
        ModelError,
        match=r"are pickled .* reading a pickle can run code.* copy the resulting model_weights\.safetensors",
    ):
        find_model_folder(folder)


def test_safetensors_win_over_pickled_weights(tmp_path: Path) -> None:
    folder = write(tmp_path / "both", [*SAFE, "model_weights"])
    assert find_model_folder(folder) == folder


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "run" / "model", DESCRIPTION)
    with pytest.raises(ModelError, match=r"has no model_weights\.safetensors: the training was interrupted"):
        find_model_folder(folder.parent)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_ludwig_cannot_load_is_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "broken", SAFE)
    with pytest.raises(ModelError, match=rf"Ludwig 0\.17\.10 cannot load {folder}: "):
        load_model(folder)


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_loaded_model_has_its_training_record(trained: Callable[[str], Run]) -> None:
    run = trained("intent-lstm").fitted
    for folder in (run.folder, run.folder / "model"):
        model = load_model(folder)
        assert model.folder == run.folder / "model"
        assert model.ludwig_version == "0.17.10"
        assert model.training is not None
        assert model.training["metrics"] == run.metrics


@pytest.mark.ludwig
@pytest.mark.filterwarnings("ignore")
def test_a_model_from_ludwig_train_has_no_record(trained: Callable[[str], Run], tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(trained("intent-lstm").fitted.folder / "model")
    assert load_model(tmp_path).training is None
