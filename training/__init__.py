"""Train NLU models with Ludwig, and record each run.

Examples:
    >>> from training import fit_model
    >>> run = fit_model("intent-lstm", "data.csv", "runs/intent")
    >>> run.metrics["intent"]["accuracy"]
    0.97

The names in `__all__` are the public API. They are imported on first use, so importing this package stays cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.api import fit_model
    from training.errors import ConfigError, DatasetError, TrainingError
    from training.evaluation.thresholds import ThresholdOptions
    from training.fit import Fitted

__all__ = ["ConfigError", "DatasetError", "Fitted", "ThresholdOptions", "TrainingError", "fit_model"]
MODULES = {
    "training.api": ("fit_model",),
    "training.errors": ("ConfigError", "DatasetError", "TrainingError"),
    "training.evaluation.thresholds": ("ThresholdOptions",),
    "training.fit": ("Fitted",),
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    for module, names in MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
