"""Thresholds, from the file that `fit` writes to the bundle."""

import json
from pathlib import Path

from export.thresholds import THRESHOLDS, with_thresholds
from handler.outputs import CategoryOutput, Thresholds
from training.evaluation.thresholds import Answered, ThresholdOptions, fit_thresholds, measure

OUTPUT = CategoryOutput(name="intent", labels=["greet", "leave"])


def test_what_fit_writes_is_taken(tmp_path: Path) -> None:
    """With all that `fit` writes beside the thresholds: how they were fitted, and what they do."""
    records = [
        {"intent": "greet", "intent_predictions": "greet" if sure > 0.5 else "leave", "intent_probability": sure}
        for sure in (0.9, 0.8, 0.4, 0.3)
    ]
    answered = Answered.read("intent", records, [])
    fitted = fit_thresholds(answered, ThresholdOptions(accuracy=1.0))
    written = {**fitted, "measured": {"validation": measure(answered, fitted)}}
    (tmp_path / THRESHOLDS).write_text(json.dumps({"intent": written}))
    (output,) = with_thresholds([OUTPUT], tmp_path / "model")
    assert isinstance(output, CategoryOutput)
    assert output.thresholds == Thresholds(default=fitted["default"], by_label=fitted["by_label"])
    assert 0.4 < fitted["default"] < 0.8
