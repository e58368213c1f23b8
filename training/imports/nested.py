"""Parts of JSON that may have any shape: lists of objects, lists of words, and values with other words for them."""

from collections.abc import Mapping
from typing import Any

from export.cells import cell
from training.imports.examples import Vocabulary


def objects_in(data: Any, section: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list in a section; none if there is no such list."""
    found = data.get(section) if isinstance(data, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def words_in(found: Any) -> list[str]:
    """Return the words of a list, without what is no word; none if it is no list."""
    return [word for each in found if (word := cell(each))] if isinstance(found, list) else []


def take_values(vocabulary: Vocabulary, name: str, data: Any, section: str) -> None:
    """Add the values that an entity may have.

    Args:
        vocabulary: What they are added to.
        name: The entity.
        data: An object with the section.
        section: A list of objects with a `value`, and `synonyms`, which are other words for it.
    """
    for entry in objects_in(data, section):
        value, words = cell(entry.get("value")), words_in(entry.get("synonyms"))
        if value:
            vocabulary.add_synonyms(value, [word for word in words if word != value])
            vocabulary.add_lookup(name, list(dict.fromkeys([value, *words])))
