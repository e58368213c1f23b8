"""The dataset of CLINC (oos-eval): lists of a text and its intent, for each split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.imports.examples import Source, example_of

SPLITS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}
OUT_OF_SCOPE = "oos_"


def is_clinc(data: Any) -> bool:
    """Tell whether JSON holds pairs of text and intent under names such as `train` and `oos_val`."""
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(name.removeprefix(OUT_OF_SCOPE) in SPLITS and isinstance(data[name], list) for name in data)
    )


def read_clinc(path: Path, data: Mapping[str, Any]) -> Source:
    """Read the pairs of all splits.

    Args:
        path: The file, for messages.
        data: What it holds.

    Returns:
        The examples. Texts out of scope keep their label, `oos`, which `training fit --out-of-scope oos` refuses.
    """
    source = Source(path, "CLINC JSON")
    for name, pairs in data.items():
        place = f"{path} {name}"
        for row, pair in enumerate(pairs, start=1):
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                source.dropped.append((place, row, "no pair of text and intent", str(pair)[:60]))
                continue
            record = {"text": pair[0], "intent": pair[1], "split": SPLITS[name.removeprefix(OUT_OF_SCOPE)]}
            source.examples.append(example_of(record, place, row))
    return source
