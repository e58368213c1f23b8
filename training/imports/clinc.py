"""The CLINC dataset (oos-eval): lists of texts with their intents, one list per split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.imports.examples import SourceFile, example_of

SPLITS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}
OUT_OF_SCOPE = "oos_"


def is_clinc(data: Any) -> bool:
    """Return whether JSON holds pairs of text and intent under names such as `train` and `oos_val`."""
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(name.removeprefix(OUT_OF_SCOPE) in SPLITS and isinstance(data[name], list) for name in data)
    )


def read_clinc(path: Path, data: Mapping[str, Any]) -> SourceFile:
    """Read the pairs of all splits.

    Args:
        path: The file, for messages.
        data: The content of the file.

    Returns:
        The examples. Out-of-scope texts keep their label `oos`; train with `fit --out-of-scope oos`.
    """
    source = SourceFile(path, "CLINC JSON")
    for name, pairs in data.items():
        place = f"{path} {name}"
        for row, pair in enumerate(pairs, start=1):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                source.dropped.append((place, row, "not a pair of text and intent", str(pair)[:60]))
                continue
            record = {"text": pair[0], "intent": pair[1], "split": SPLITS[name.removeprefix(OUT_OF_SCOPE)]}
            source.examples.append(example_of(record, place, row))
    return source
