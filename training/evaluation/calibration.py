"""Temperatures, by which probabilities of labels mean what they say: read, fitted, and given to a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ludwig.api import LudwigModel

LOWEST, HIGHEST, STEPS = 0.05, 20.0, 200


def temperatures(model: "LudwigModel") -> dict[str, float]:
    """Return the temperature of each category that is calibrated."""
    types = {feature["name"]: feature["type"] for feature in model.config_obj.to_dict()["output_features"]}
    return {name: float(module.temperature) for name, module in _calibrations(model) if types[name] == "category"}


def keep_temperatures(model: "LudwigModel", folder: Path) -> None:
    """Save temperatures that Ludwig forgets: on a GPU, its parameter turns into a plain tensor."""
    import torch

    forgotten = [module for _, module in _calibrations(model) if "temperature" not in module.state_dict()]
    for module in forgotten:
        module.temperature = torch.nn.Parameter(module.temperature.detach(), requires_grad=False)
    if forgotten:
        model.model.save(str(folder))


def set_temperatures(model: "LudwigModel", temperatures: Mapping[str, float], folder: Path) -> None:
    """Give calibrated outputs their temperatures, and save the model into a folder.

    Args:
        model: The trained model.
        temperatures: By output; those that are not named keep theirs.
        folder: The folder of the model's weights.
    """
    found = [(name, module) for name, module in _calibrations(model) if name in temperatures]
    for name, module in found:
        module.temperature.data.fill_(temperatures[name])
    if found:
        model.model.save(str(folder))


def fit_temperature(logs: list[list[float]], right: list[int | None]) -> float:
    """Return the temperature by which logits are divided, so that the right labels become most probable.

    Args:
        logs: For each row, the logarithms of all probabilities.
        right: For each row, the position of the right label; rows of None do not count.

    Returns:
        A number between 0.05 and 20; 1 where nothing is known.
    """
    known = [(np.array(each), index) for each, index in zip(logs, right, strict=True) if index is not None]
    if not known:
        return 1.0
    tried = np.geomspace(LOWEST, HIGHEST, STEPS)
    losses = [-sum(scaled(each, temperature)[index] for each, index in known) for temperature in tried]
    return round(float(tried[int(np.argmin(losses))]), 4)


def scaled(logs: Any, temperature: float) -> np.ndarray:
    """Return the logarithms of probabilities whose logits are divided by a temperature."""
    scaled = np.asarray(logs, dtype=float) / temperature
    scaled -= scaled.max()
    return np.asarray(scaled - np.log(np.exp(scaled).sum()))


def _calibrations(model: "LudwigModel") -> list[tuple[str, Any]]:
    modules = ((name, feature.calibration_module) for name, feature in model.model.output_features.items())
    return [(name, module) for name, module in modules if hasattr(module, "temperature")]
