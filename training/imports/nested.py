"""Read JSON of unknown structure: lists of objects, lists of words, and values with synonyms."""

from collections.abc import Mapping
from typing import Any

from export.cells import cell
from training.imports.examples import ImportedVocabulary


def objects_in(data: Any, section: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list in a section; an empty list if there is no such list."""
    found = data.get(section) if isinstance(data, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def words_in(found: Any) -> list[str]:
    """Return the words of a list, without other values; an empty list if `found` is not a list."""
    return [word for each in found if (word := cell(each))] if isinstance(found, list) else []


def take_values(vocabulary: ImportedVocabulary, name: str, data: Any, section: str) -> None:
    """Add the values of an entity.

    Args:
        vocabulary: The vocabulary to add them to.
        name: The entity.
        data: An object with the section.
        section: The key of a list of objects with a `value` and optional `synonyms`.
    """
    for entry in objects_in(data, section):
        value, words = cell(entry.get("value")), words_in(entry.get("synonyms"))
        if value:
            vocabulary.add_synonyms(value, [word for word in words if word != value])
            vocabulary.add_lookup(name, list(dict.fromkeys([value, *words])))
