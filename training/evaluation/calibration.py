"""Temperature scaling of label probabilities: read, fit and set the temperatures of a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ludwig.api import LudwigModel

LOWEST, HIGHEST, STEPS = 0.05, 20.0, 200


def temperatures(model: "LudwigModel") -> dict[str, float]:
    """Return the temperature of each calibrated category, by output name."""
    types = {feature["name"]: feature["type"] for feature in model.config_obj.to_dict()["output_features"]}
    return {name: float(module.temperature) for name, module in _calibrations(model) if types[name] == "category"}


def keep_temperatures(model: "LudwigModel", folder: Path) -> None:
    """Save calibration temperatures that Ludwig loses: on a GPU, its parameter becomes a plain tensor.

    Args:
        model: The trained model.
        folder: Ludwig's model folder; its weights are saved again if a temperature was missing.
    """
    import torch

    forgotten = [module for _, module in _calibrations(model) if "temperature" not in module.state_dict()]
    for module in forgotten:
        module.temperature = torch.nn.Parameter(module.temperature.detach(), requires_grad=False)
    if forgotten:
        model.model.save(str(folder))


def set_temperatures(model: "LudwigModel", temperatures: Mapping[str, float], folder: Path) -> None:
    """Set the temperatures of calibrated outputs and save the model.

    Args:
        model: The trained model.
        temperatures: Temperature by output; other outputs keep theirs.
        folder: Ludwig's model folder.
    """
    found = [(name, module) for name, module in _calibrations(model) if name in temperatures]
    for name, module in found:
        module.temperature.data.fill_(temperatures[name])
    if found:
        model.model.save(str(folder))


def fit_temperature(logs: list[list[float]], right: list[int | None]) -> float:
    """Return the temperature that minimizes the cross-entropy of the expected labels (grid search).

    Args:
        logs: Log-probabilities of all labels, one list per row.
        right: Index of the expected label of each row; rows with None are ignored.

    Returns:
        The temperature, in [0.05, 20]; 1 if no row has an expected label.
    """
    known = [(np.array(each), index) for each, index in zip(logs, right, strict=True) if index is not None]
    if not known:
        return 1.0
    tried = np.geomspace(LOWEST, HIGHEST, STEPS)
    losses = [-sum(scaled(each, temperature)[index] for each, index in known) for temperature in tried]
    return round(float(tried[int(np.argmin(losses))]), 4)


def scaled(logs: Any, temperature: float) -> np.ndarray:
    """Return the log-probabilities after temperature scaling.

    Args:
        logs: Log-probabilities before scaling, shape (labels,).
        temperature: The divisor of the logits.

    Returns:
        Log-probabilities, float64, shape (labels,).
    """
    scaled = np.asarray(logs, dtype=float) / temperature
    scaled -= scaled.max()
    return np.asarray(scaled - np.log(np.exp(scaled).sum()))


def _calibrations(model: "LudwigModel") -> list[tuple[str, Any]]:
    modules = ((name, feature.calibration_module) for name, feature in model.model.output_features.items())
    return [(name, module) for name, module in modules if hasattr(module, "temperature")]
