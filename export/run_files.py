"""Read the files that `ludwig-serverless fit` writes next to a model, with an entry for each output of labels."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from export.errors import ModelError
from handler.outputs import CategoryOutput, OutputFeature


def read_by_output[Entry](
    path: Path, kind: type[Entry], outputs: Sequence[OutputFeature], labels_of: Callable[[Entry], Iterable[str]]
) -> dict[str, Entry]:
    """Read and check such a file.

    Args:
        path: The JSON file: an object with an entry for each output.
        kind: The type of an entry.
        outputs: The outputs of the model.
        labels_of: Returns the labels that an entry names.

    Returns:
        The entries by output, and {} if the file does not exist.

    Raises:
        ModelError: The file is broken, or names an output or a label that the model does not have.
    """
    if not path.is_file():
        return {}
    advice = "Train again, or delete the file to export without it."
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, kind])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is broken: {error}. {advice}") from None
    categories = {output.name: output for output in outputs if isinstance(output, CategoryOutput)}
    for name, entry in found.items():
        unknown = sorted(set(labels_of(entry)) - set(categories[name].labels)) if name in categories else [name]
        if unknown:
            raise ModelError(f"{path} names {unknown}, which the model does not have. {advice}")
    return found
