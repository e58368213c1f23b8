"""Datasets of Snips NLU, and its benchmark of 2017."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export.cells import cell
from training.imports.examples import SourceFile, example_of
from training.imports.nested import take_values
from training.imports.parts import joined

NO_PARTS = "utterance without a list of parts under `data`"


def is_snips(data: Any) -> bool:
    """Return whether JSON is a Snips dataset: intents by name, with utterances that are lists of parts."""
    intents = data.get("intents") if isinstance(data, Mapping) else None
    if isinstance(intents, Mapping):
        return all(isinstance(intent, Mapping) and "utterances" in intent for intent in intents.values())
    return bool(data) and isinstance(data, Mapping) and all(_is_benchmark(found) for found in data.values())


def read_snips(path: Path, data: Mapping[str, Any]) -> SourceFile:
    """Read the utterances and the entities of a dataset.

    Args:
        path: The file, for messages.
        data: The content of the file.

    Returns:
        The examples. The values of entities become synonyms and lookup tables.
    """
    source, place = SourceFile(path, "Snips JSON"), f"{path} utterance"
    language = cell(data.get("language")) if isinstance(data.get("intents"), Mapping) else ""
    slots: dict[str, set[str]] = {}
    for row, (intent, utterance) in enumerate(_utterances(data), start=1):
        parts = utterance.get("data") if isinstance(utterance, Mapping) else None
        if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
            source.dropped.append((place, row, NO_PARTS, str(utterance)[:60]))
            continue
        for part in parts:
            slots.setdefault(cell(part.get("entity")), set()).add(_name(part))
        record = {**joined(parts, _name), "intent": intent, "language": language}
        source.examples.append(example_of(record, place, row))
    _take_entities(source, data, slots)
    return source


def _take_entities(source: SourceFile, data: Mapping[str, Any], slots: Mapping[str, set[str]]) -> None:
    """Add the values of entities under the names of their slots."""
    entities = data.get("entities") if isinstance(data.get("intents"), Mapping) else None
    for name, entity in entities.items() if isinstance(entities, Mapping) else ():
        for slot in sorted(slots.get(name, {name})):
            take_values(source.vocabulary, slot, entity, "data")


def _utterances(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    intents = data.get("intents")
    for name, intent in (intents if isinstance(intents, Mapping) else data).items():
        found = intent.get("utterances") if isinstance(intent, Mapping) else intent
        for utterance in found if isinstance(found, list) else ():
            yield name, utterance


def _is_benchmark(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, Mapping) and isinstance(each.get("data"), list) for each in found
    )


def _name(part: Mapping[str, Any]) -> str:
    return cell(part.get("slot_name")) or cell(part.get("entity"))
