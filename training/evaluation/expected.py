"""What a model answers to rows that it was not trained on: the reference that drift is measured against.

`expected.json`, by output feature (only categories):

    labels      how often each label was predicted
    edges       the inner edges of the bins of the confidence: its deciles, rounded, each once
    confidence  the number of rows in each bin

Labels are counted as predicted, not as annotated, because only predictions are known of the messages of production.
Export copies the file into the bundle (`export/expected.py`); `handler/drift.py` compares with it.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from handler.drift import BINS
from training.dataset import VALIDATION
from training.evaluation.answers import Records, answer_rows
from training.evaluation.predictions import predictions_of

if TYPE_CHECKING:
    from training.evaluation.crossed import Crossed
    from training.evaluation.trained import Training

STEPS = 100
"""Edges are multiples of 1 / STEPS. The deciles of a sure model are so close together, such as 0.9991 and 0.9995, that
the small differences of an int8 graph, or of a model that was trained on all rows, would count as drift."""


def expected_answers(training: "Training", crossed: "Crossed | None" = None) -> dict[str, Any]:
    """Return the content of `expected.json`.

    Args:
        training: The trained model and its rows. The validation split is used.
        crossed: Cross-validated predictions to use instead of the validation split.

    Returns:
        The expected answers by category; {} if there are no such rows.
    """
    names = [feature["name"] for feature in training.config["output_features"] if feature["type"] == "category"]
    if not names:
        return {}
    if crossed is not None:
        records = crossed.records
    else:
        records = answer_rows(predictions_of(training.model), training.config, training.part(VALIDATION))
    return {name: expected_of(name, records) for name in names} if records else {}


def expected_of(name: str, records: Records) -> dict[str, Any]:
    """Count the answers of one category.

    Args:
        name: The output's name.
        records: At least one result of `answer_rows`.

    Returns:
        `labels`, `edges` and `confidence` (see the module's docstring).
    """
    confidence = np.array([record[f"{name}_probability"] for record in records], dtype=float)
    # Deciles, as PSI usually takes them: bins of equal width would put nearly all rows of a good model into one.
    deciles = np.quantile(confidence, np.arange(1, BINS) / BINS, method="higher")
    # A decile is the confidence of a row. Rounded down, that row is in the bin above the edge, so no bin is empty; an
    # edge at the smallest confidence would leave the first bin empty. An edge at 1 would separate 1 from 0.9999999.
    edges = np.unique(np.minimum(np.floor(deciles * STEPS), STEPS - 1) / STEPS)
    edges = edges[edges > confidence.min()]
    counts = np.bincount(np.searchsorted(edges, confidence, side="right"), minlength=len(edges) + 1)
    return {
        "labels": dict(Counter(record[f"{name}_predictions"] for record in records).most_common()),
        "edges": edges.tolist(),
        "confidence": counts.tolist(),
    }
