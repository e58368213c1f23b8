"""JSON with a list of intents and their examples, as in Watson Assistant and many chatbot tutorials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.cells import cell
from training.imports.examples import SourceFile, example_of
from training.imports.nested import objects_in, take_values

NAMES = ("intent", "tag", "name")
EXAMPLES = ("examples", "patterns", "utterances", "text")
NO_TEXT = "no text"


def is_intent_list(data: Any) -> bool:
    """Return whether JSON has a list of intents, each with a name and a list of examples."""
    intents = data.get("intents") if isinstance(data, Mapping) else None
    return isinstance(intents, list) and any(_named(intent) and _examples(intent) is not None for intent in intents)


def read_intent_list(path: Path, data: Mapping[str, Any]) -> SourceFile:
    """Read the examples of all intents.

    Args:
        path: The file, for messages.
        data: The content: `intents`, each with `intent`, `tag` or `name`, and `examples`, `patterns`, `utterances` or
            `text`; an example is a text, or an object with a `text` and Watson's `mentions` of entities.

    Returns:
        The examples; the values of Watson's entities are synonyms and lookup tables.
    """
    source, row = SourceFile(path, "JSON, a list of intents"), 0
    language = cell(data.get("language"))
    for intent in data["intents"]:
        examples = _examples(intent)
        if not examples:
            source.notes.append(f"An intent has no examples: {str(intent)[:60]}.")
        for example in examples or ():
            row += 1
            record = {"text": example} if isinstance(example, str) else _record(example)
            if record is None:
                source.dropped.append((f"{path} example", row, NO_TEXT, str(example)[:60]))
            else:
                record |= {"intent": _named(intent), "language": language}
                source.examples.append(example_of(record, f"{path} example", row))
    for entity in objects_in(data, "entities"):
        take_values(source.vocabulary, cell(entity.get("entity")), entity, "values")
    return source


def _record(example: Any) -> dict[str, Any] | None:
    """Return the text and entities of an example, or None if it has no text."""
    if not isinstance(example, Mapping) or not isinstance(example.get("text"), str):
        return None
    record: dict[str, Any] = {"text": example["text"]}
    mentions = example.get("mentions", example.get("entities"))
    if isinstance(mentions, list):
        record["entities"] = [_mention(each) for each in mentions]
    return record


def _mention(found: Any) -> Any:
    """Return an entity with Watson's `location`, a start and an end, as two values."""
    location = found.get("location") if isinstance(found, Mapping) else None
    if isinstance(location, list) and len(location) == 2:
        return {**found, "start": location[0], "end": location[1]}
    return found


def _named(intent: Any) -> str:
    names = (intent.get(name) for name in NAMES) if isinstance(intent, Mapping) else ()
    return next((name for name in names if isinstance(name, str) and name.strip()), "")


def _examples(intent: Any) -> list[Any] | None:
    found = (intent.get(name) for name in EXAMPLES) if isinstance(intent, Mapping) else ()
    return next((examples for examples in found if isinstance(examples, list)), None)
