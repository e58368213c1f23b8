"""Check every model against its golden rows before a deployment takes traffic: compare with Ludwig's answers."""

from collections.abc import Mapping
from typing import Any

from handler.predictor import Predictor

SEAL_DIGITS = 12
"""How many hex digits of a seal tell two bundles apart for a person."""


def replay(predictors: Mapping[str, Predictor]) -> dict[str, Any]:
    """Answer every golden row of every bundle.

    Args:
        predictors: The loaded bundles, by name.

    Returns:
        `checked`, the number of rows; `changed`, for each label that is not Ludwig's its model, row, column, expected
        and found; `unproven`, the models whose bundle failed its own proof, whose golden rows are only those that did
        not. Rows are named, not quoted.
    """
    unproven = [name for name, predictor in predictors.items() if not predictor.manifest.parity.passed]
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
    return {"checked": checked, "changed": changed, "unproven": unproven}


def expected_models(predictors: Mapping[str, Predictor]) -> str:
    """Return the models in the form of the template's parameter `ExpectedModels`.

    Args:
        predictors: The loaded models, by name.

    Returns:
        `name@seal` for each model, sorted, with commas between them. A seal is cut to 12 hex digits.
    """
    return ",".join(f"{name}@{seal[:SEAL_DIGITS]}" for name, seal in sorted(seals(predictors).items()))


def seals(predictors: Mapping[str, Predictor]) -> dict[str, str]:
    """Return the seal of each bundle's manifest, which covers every file of the bundle.

    Args:
        predictors: The loaded models, by name.

    Returns:
        64 hex digits for each name.
    """
    return {name: predictor.manifest.seal for name, predictor in predictors.items()}
