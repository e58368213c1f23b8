"""Texts in parts, some of which are entities, as in Snips and Dialogflow."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from export.cells import cell


def joined(parts: Iterable[Mapping[str, Any]], name_of: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    """Join the parts of an utterance.

    Args:
        parts: Objects with a `text`.
        name_of: Returns the entity name of a part, or "".

    Returns:
        `text`, and `entities` with offsets in characters.
    """
    text, entities = "", []
    for part in parts:
        words = cell(part.get("text"))
        if name := name_of(part):
            entities.append({"entity": name, "value": words, "start": len(text), "end": len(text) + len(words)})
        text += words
    return {"text": text, "entities": entities}
