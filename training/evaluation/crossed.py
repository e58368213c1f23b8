"""Cross-validated predictions, to evaluate a model that is trained on all rows.

A small dataset has no rows to spare for validation. It is divided into folds; for each fold, a model with the same
configuration is trained on the other folds and predicts this one. These predictions provide the metrics, the
calibration temperature and the thresholds. They are not optimistic: their models see fewer rows than the final one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from training.config import Config
from training.evaluation.answers import SOFTENED, SOFTNESS, Records
from training.evaluation.calibration import fit_temperature, scaled

LOGS, INDEX = "logs", "index"
"""Suffixes of the columns `<output>_logs`, the log-probabilities of all labels, and `<output>_index`, the index of the
expected label; None if the fold's model does not know that label."""


@dataclass(frozen=True)
class Crossed:
    """Cross-validated predictions.

    Attributes:
        records: Result of `answer_rows` for each predicted row, with the columns LOGS and INDEX of each category.
        baselines: Prediction of the baseline for each row, fitted on the same folds, by output.
        description: A description of the rows, for the report.
        choice: How the configuration was chosen.
        temperatures: Temperature of each calibrated output.
    """

    records: Records
    baselines: Mapping[str, list[str]]
    description: str
    choice: dict[str, Any]
    temperatures: Mapping[str, float] = field(default_factory=dict)

    def calibrated(self, config: Config) -> "Crossed":
        """Return the predictions without LOGS and INDEX, and with scaled probabilities for calibrated outputs.

        Args:
            config: The configuration, with Ludwig's defaults filled in. An output with `calibration: true` gets a
                temperature.
        """
        records, temperatures = [dict(record) for record in self.records], {}
        for feature in config["output_features"]:
            name = feature["name"]
            logs = [record.pop(f"{name}_{LOGS}", None) for record in records]
            right = [record.pop(f"{name}_{INDEX}", None) for record in records]
            if feature["type"] != "category" or not feature.get("calibration"):
                continue
            found = temperatures[name] = fit_temperature(logs, right)
            for record, each in zip(records, logs, strict=True):
                record[f"{name}_uncalibrated"] = record[f"{name}_probability"]
                record[f"{name}_probability"] = _largest(each, found)
                record[f"{name}_{SOFTENED}"] = _largest(each, found * SOFTNESS)
        return replace(self, records=records, temperatures=temperatures)


def _largest(logs: list[float], temperature: float) -> float:
    """Return the largest probability after temperature scaling."""
    return round(float(np.exp(scaled(logs, temperature)).max()), 6)
