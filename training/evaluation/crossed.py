"""Answers to rows by models that were not trained on them, for a model that is trained on all rows.

Where rows are few, none is set aside for validation. The rows are dealt into folds; for each fold, a model of the same
configuration is trained on the other folds and answers this one. These answers say how good the model is, which
temperature calibrates it, and which thresholds fit: models of slightly fewer rows gave them, so they flatter nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from training.config import Config
from training.evaluation.answers import Records
from training.evaluation.calibration import fit_temperature, scaled

LOGS, INDEX = "logs", "index"
"""A record's columns `<output>_logs`, the logarithms of all probabilities, and `<output>_index`, where in them the
right label is; None if the model of the fold does not know it."""


@dataclass(frozen=True)
class Crossed:
    """Cross-validated answers.

    Attributes:
        records: What `answer_rows` returns for each row that was answered, with the columns LOGS and INDEX of labels.
        baselines: By output, the baseline's answer to each of the rows, fitted on the same folds.
        told: The rows, in words.
        choice: How the configuration was chosen.
        temperatures: By output, of those that are calibrated.
    """

    records: Records
    baselines: Mapping[str, list[str]]
    told: str
    choice: dict[str, Any]
    temperatures: Mapping[str, float] = field(default_factory=dict)

    def calibrated(self, config: Config) -> "Crossed":
        """Return the same without the columns LOGS and INDEX, with the probabilities of calibrated outputs scaled.

        Args:
            config: With Ludwig's defaults; an output with `calibration: true` gets a temperature.
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
                record[f"{name}_probability"] = round(float(np.exp(scaled(each, found)).max()), 6)
        return replace(self, records=records, temperatures=temperatures)
