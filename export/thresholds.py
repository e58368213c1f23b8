"""Thresholds of confidence, from a run's folder into the bundle: below them, an answer counts as unknown."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from export.console import say
from export.errors import ModelError
from handler.outputs import CategoryOutput, OutputFeature, Probability, Thresholds

THRESHOLDS = "thresholds.json"


class Written(msgspec.Struct, frozen=True):
    """What a bundle takes from the file; other keys, such as how thresholds were fitted, are left out of it."""

    default: Probability
    by_label: dict[str, Probability] = {}


def with_thresholds(outputs: Sequence[OutputFeature], model_folder: Path) -> list[OutputFeature]:
    """Return outputs with the thresholds that `ludwig-serverless fit` wrote beside the model, if it did.

    Raises ModelError if the file is broken, or speaks of outputs or labels that the model does not have.
    """
    path = model_folder.parent / THRESHOLDS
    if not path.is_file():
        return list(outputs)
    try:
        written = msgspec.json.decode(path.read_bytes(), type=dict[str, Written])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is broken: {error}. Correct it, or delete it to export without thresholds.") from None
    found = {name: Thresholds(default=each.default, by_label=each.by_label) for name, each in written.items()}
    categories = {output.name: output for output in outputs if isinstance(output, CategoryOutput)}
    for name, thresholds in found.items():
        unknown = sorted(thresholds.by_label.keys() - set(categories[name].labels)) if name in categories else [name]
        if unknown:
            raise ModelError(f"{path} has thresholds for {unknown}, which the model does not know: correct the file.")
        say(f"{name}: answers below a confidence of {thresholds.default:g} will count as unknown.")
    return [
        msgspec.structs.replace(output, thresholds=found[output.name])
        if isinstance(output, CategoryOutput) and output.name in found
        else output
        for output in outputs
    ]
