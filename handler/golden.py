"""Ask every model again what Ludwig answered when it was exported: the check before a deployment takes traffic."""

from collections.abc import Mapping
from typing import Any

from handler.predictor import Predictor


def replay(predictors: Mapping[str, Predictor]) -> dict[str, Any]:
    """Answer every golden row of every bundle.

    Returns how many were `checked`, and those `changed`: model, row, column, expected, found.
    Rows are named, not quoted.
    """
    checked, changed = 0, []
    for name, predictor in predictors.items():
        golden = predictor.manifest.golden
        checked += len(golden)
        for row, columns in zip(golden, predictor.predict([row.values for row in golden]), strict=True):
            for column, expected in row.labels.items():
                found = columns.get(column)
                if found != expected:
                    changed.append(
                        {"model": name, "row": row.row, "column": column, "expected": expected, "found": found}
                    )
    return {"checked": checked, "changed": changed}
