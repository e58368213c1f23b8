"""Compare every model's answers to its golden rows with Ludwig's, before a deployment takes traffic."""

from collections.abc import Mapping
from typing import Any

from handler.predictor import Predictor

SEAL_DIGITS = 12
"""How many hex digits of a seal are shown to people: enough to tell two bundles apart."""


def replay(predictors: Mapping[str, Predictor]) -> dict[str, Any]:
    """Answer every golden row of every bundle and compare the labels with Ludwig's.

    Args:
        predictors: The loaded models, by name.

    Returns:
        `checked`: the number of rows. `changed`: the model, row, column, expected and found value of each label that
        differs from Ludwig's. `unproven`: the models whose bundle failed its proof; their golden rows are only those
        that passed. Rows are named, not quoted.
    """
    unproven = [name for name, predictor in predictors.items() if not predictor.manifest.parity.passed]
    checked, changed = 0, []
    for name, predictor in predictors.items():
        predictor.entities  # noqa: B018 - the other part of a bundle that is only read when it is needed
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
    """Return the models in the format of the template's parameter `ExpectedModels`.

    Args:
        predictors: The loaded models, by name.

    Returns:
        `name@seal` for each model, sorted and separated by commas. Each seal is shortened to 12 hex digits.
    """
    return ",".join(f"{name}@{seal[:SEAL_DIGITS]}" for name, seal in sorted(seals(predictors).items()))


def seals(predictors: Mapping[str, Predictor]) -> dict[str, str]:
    """Return the seal of each bundle's manifest, which covers every file of the bundle.

    Args:
        predictors: The loaded models, by name.

    Returns:
        A seal of 64 hex digits for each name.
    """
    return {name: predictor.manifest.seal for name, predictor in predictors.items()}
