"""Copy the expected answers from a run's folder into the bundle, so that the service can measure drift."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from export.run_files import read_by_output
from handler.outputs import CategoryOutput, OutputFeature
from handler.thresholds import Expected

EXPECTED = "expected.json"


def with_expected(outputs: Sequence[OutputFeature], model_folder: Path) -> list[OutputFeature]:
    """Add the expected answers that `ludwig-serverless fit` wrote next to the model, if any.

    Args:
        outputs: The outputs of the model.
        model_folder: The model folder. The file is `expected.json` in its parent folder.

    Returns:
        The outputs; the categories that the file names have expected answers.

    Raises:
        ModelError: The file is broken, or names an output or a label that the model does not have.
    """
    found = read_by_output(model_folder.parent / EXPECTED, Expected, outputs, lambda expected: expected.labels)
    return [
        msgspec.structs.replace(output, expected=found[output.name])
        if isinstance(output, CategoryOutput) and output.name in found
        else output
        for output in outputs
    ]
