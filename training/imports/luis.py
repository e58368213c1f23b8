"""Exports of LUIS, and of Azure's Conversational Language Understanding (CLU), which follows it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export.cells import cell
from training.imports.examples import Source, example_of

NO_OBJECT = "no object"


def is_luis(data: Any) -> bool:
    """Tell whether JSON is an export of LUIS or CLU."""
    if not isinstance(data, Mapping):
        return False
    assets = data.get("assets")
    return "luis_schema_version" in data or (isinstance(assets, Mapping) and "utterances" in assets)


def read_luis(path: Path, data: Mapping[str, Any]) -> Source:
    """Read the utterances and the lists of an export.

    Args:
        path: The file, for messages.
        data: What it holds.

    Returns:
        The examples, in the language of the export; its lists are synonyms and lookup tables.
    """
    assets = data.get("assets", data)
    kind = "LUIS JSON" if assets is data else "CLU JSON"
    source, place = Source(path, kind, units="utf-16"), f"{path} utterance"
    project = data.get("metadata")
    language = data.get("culture") or (project.get("language") if isinstance(project, Mapping) else None)
    for row, utterance in enumerate(_objects(assets, "utterances"), start=1):
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
    source.vocabulary.patterns += len(_objects(assets, "regex_entities"))
    if patterns := len(_objects(assets, "patterns")):
        source.notes.append(f"Patterns are templates and no examples, and were left out: {patterns}.")
    return source


def _lists(assets: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the entity, the value and the other words for it, of each entry of LUIS's and CLU's lists."""
    for found in _objects(assets, "closedLists"):
        for entry in _objects(found, "subLists"):
            words = entry.get("list")
            yield cell(found.get("name")), cell(entry.get("canonicalForm")), _words(words)
    for found in _objects(assets, "entities"):
        for entry in _objects(found.get("list"), "sublists"):
            words = [word for synonym in _objects(entry, "synonyms") for word in _words(synonym.get("values"))]
            yield cell(found.get("category")), cell(entry.get("listKey")), words


def _objects(data: Any, section: str) -> list[Any]:
    """Return the list in a section, which may be missing."""
    found = data.get(section) if isinstance(data, Mapping) else None
    if not isinstance(found, list):
        return []
    return found if section == "utterances" else [each for each in found if isinstance(each, Mapping)]


def _words(found: Any) -> list[str]:
    return [cell(word) for word in found] if isinstance(found, list) else []
