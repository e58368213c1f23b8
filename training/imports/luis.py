"""Exports of LUIS and of its successor, Azure's Conversational Language Understanding (CLU)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export.cells import cell
from handler.vocabulary import Pattern
from training.imports.examples import SourceFile, example_of
from training.imports.nested import objects_in, words_in

NO_OBJECT = "not an object"


def is_luis(data: Any) -> bool:
    """Return whether JSON is an export of LUIS or CLU."""
    if not isinstance(data, Mapping):
        return False
    assets = data.get("assets")
    return "luis_schema_version" in data or (isinstance(assets, Mapping) and "utterances" in assets)


def read_luis(path: Path, data: Mapping[str, Any]) -> SourceFile:
    """Read the utterances and the lists of an export.

    Args:
        path: The file, for messages.
        data: The content of the file.

    Returns:
        The examples, in the language of the export. Its lists become synonyms and lookup tables.
    """
    assets = data.get("assets", data)
    kind = "LUIS JSON" if assets is data else "CLU JSON"
    source, place = SourceFile(path, kind, units="utf-16"), f"{path} utterance"
    project, utterances = data.get("metadata"), assets.get("utterances")
    language = data.get("culture") or (project.get("language") if isinstance(project, Mapping) else None)
    for row, utterance in enumerate(utterances if isinstance(utterances, list) else (), start=1):
        if not isinstance(utterance, Mapping):
            source.dropped.append((place, row, NO_OBJECT, str(utterance)[:60]))
            continue
        record = {key: utterance.get(key) for key in ("text", "intent", "entities")}
        record["entities"] = record["entities"] or []
        record["language"] = utterance.get("language") or language
        record["split"] = utterance.get("dataset")
        source.examples.append(example_of(record, place, row))
    for name, value, words in _lists(assets):
        source.vocabulary.add_synonyms(value, words)
        source.vocabulary.add_lookup(name, [value, *words])
    for found in objects_in(assets, "regex_entities"):
        if pattern := cell(found.get("regexPattern")):
            source.vocabulary.add_pattern(cell(found.get("name")), Pattern(pattern=pattern))
    if patterns := len(objects_in(assets, "patterns")):
        source.notes.append(f"Patterns are templates, not examples, and were left out: {patterns}.")
    return source


def _lists(assets: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the entity, value and synonyms of each entry in the lists of LUIS and CLU."""
    for found in objects_in(assets, "closedLists"):
        for entry in objects_in(found, "subLists"):
            yield cell(found.get("name")), cell(entry.get("canonicalForm")), words_in(entry.get("list"))
    for found in objects_in(assets, "entities"):
        for entry in objects_in(found.get("list"), "sublists"):
            words = [word for synonym in objects_in(entry, "synonyms") for word in words_in(synonym.get("values"))]
            yield cell(found.get("category")), cell(entry.get("listKey")), words
