"""Trainings that take a moment."""

from pathlib import Path
from typing import Any

import pandas as pd

TINY_CONFIG = """
input_features: [{name: text, type: text, encoder: parallel_cnn}]
output_features: [{name: intent, type: category}]
trainer: {epochs: 5, batch_size: 64}
"""


def tiny() -> pd.DataFrame:
    """Return a few rows with a split, for fast trainings."""
    rows = pd.DataFrame({"text": ["hello there", "good bye"] * 30, "intent": ["greet", "leave"] * 30})
    return rows.assign(split=[0] * 40 + [1] * 10 + [2] * 10)


def tiny_config(**changes: Any) -> dict[str, Any]:
    return {
        "input_features": [{"name": "text", "type": "text", "encoder": {"type": "embed"}}],
        "output_features": [{"name": "intent", "type": "category"}],
        "trainer": {"epochs": 1, "batch_size": 64},
        **changes,
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
