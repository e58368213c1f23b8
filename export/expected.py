"""Copy the expected answers from a run's folder into the bundle, so that the service can measure drift."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from export.errors import ModelError
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
    path = model_folder.parent / EXPECTED
    if not path.is_file():
        return list(outputs)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Expected])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is broken: {error}. Train again, or delete it to export without it.") from None
    categories = {output.name: output for output in outputs if isinstance(output, CategoryOutput)}
    for name, expected in found.items():
        unknown = sorted(set(expected.labels) - set(categories[name].labels)) if name in categories else [name]
        if unknown:
            raise ModelError(
                f"{path} counts answers of {unknown}, which the model does not have. Train again, or delete the file "
                "to export without it."
            )
    return [
        msgspec.structs.replace(output, expected=found[output.name])
        if isinstance(output, CategoryOutput) and output.name in found
        else output
        for output in outputs
    ]
