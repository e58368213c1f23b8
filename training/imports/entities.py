"""Entities in files: their names, values and offsets, under any common keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from export.cells import cell

NAME_KEYS = ("entity", "label", "slot", "category", "type", "name")
"""Keys of an entity's name: Hexabot, Rasa and LUIS write `entity`; annotation tools write the others."""
VALUE_KEYS = ("value", "text", "body")
START_KEYS = ("start", "startPos", "startIndex", "start_index", "start_offset", "startOffset", "start_char", "offset")
END_KEYS = ("end", "stop", "end_index", "end_offset", "endOffset", "end_char")
LAST_KEYS = ("endPos", "endIndex")
"""LUIS stores the index of the last character. All other keys store the index after it."""
LENGTH_KEYS = ("length",)
POSITION_KEYS = frozenset((*START_KEYS, *END_KEYS, *LAST_KEYS, *LENGTH_KEYS))


@dataclass(slots=True)
class ImportedEntity:
    """A value in a text.

    Attributes:
        name: The kind of the value, such as `city`. White space becomes `_`, because a space would end the tag.
        value: The words themselves, or the main value of a synonym.
        start: Index of the first character, in the units of the file; None if the file gives none.
        end: Index after the last character, in the same units; None if the file gives none.
        qualifier: Rasa's role and group, which a dataset cannot store.
    """

    name: str
    value: str
    start: int | None = None
    end: int | None = None
    qualifier: str = ""

    def __post_init__(self) -> None:
        self.name = "_".join(self.name.split())

    @property
    def has_offsets(self) -> bool:
        """Whether the file has offsets for the entity."""
        return self.start is not None and self.end is not None


class ReadEntities(NamedTuple):
    """The result of `read_entities`.

    Attributes:
        entities: The readable entities; None if the file has no list.
        problem: What is unreadable; "" if nothing is.
    """

    entities: list[ImportedEntity] | None
    problem: str


def read_entities(found: object) -> ReadEntities:
    """Read a list of entities.

    Args:
        found: The JSON value of a record's `entities`.

    Returns:
        The entities, or None if the file has no list, and what is unreadable.
    """
    if found is None:
        return ReadEntities(None, "")
    if not isinstance(found, list | tuple):
        return ReadEntities(None, f"expected a list of entities, found {str(found)[:60]}")
    entities, problem = [], ""
    for each in found:
        entity = _entity_of(each) if isinstance(each, Mapping) else None
        if entity is None:
            problem = f"expected an entity with a name, found {str(each)[:60]}"
        else:
            entities.append(entity)
    return ReadEntities(entities, problem)


def qualifier_of(entity: Mapping[str, Any]) -> str:
    """Return Rasa's role and group of an entity as text."""
    return ", ".join(f"{key} {cell(entity[key])}" for key in ("role", "group") if cell(entity.get(key)))


def _entity_of(found: Mapping[str, Any]) -> ImportedEntity | None:
    """Return the entity that an object describes, or None if it has no name."""
    name = next((found[key] for key in NAME_KEYS if isinstance(found.get(key), str) and found[key].strip()), None)
    if name is None:
        return None
    values = (found.get(key) for key in VALUE_KEYS)
    value = next((cell(each) for each in values if not isinstance(each, Mapping | list | tuple) and cell(each)), "")
    start = _first_offset(found, START_KEYS)
    end = _first_offset(found, END_KEYS)
    if end is None and (last := _first_offset(found, LAST_KEYS)) is not None:
        end = last + 1
    if end is None and start is not None:
        length = _first_offset(found, LENGTH_KEYS)
        end = start + (length if length is not None else len(value)) if length is not None or value else None
    return ImportedEntity(name.strip(), value, start, end, qualifier_of(found))


def _first_offset(found: Mapping[str, Any], keys: Sequence[str]) -> int | None:
    """Return the first of some keys' values that is a position."""
    return next((offset for key in keys if (offset := _offset(found.get(key))) is not None), None)


def _offset(value: object) -> int | None:
    """Return a position, or None if the value is missing or not a whole number."""
    match value:
        case bool() | None:
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if value.strip().isdecimal():
            return int(value)
        case _:
            return None
