"""What an import reads from any file: examples, and the words by which the values of their slots are known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXT, INTENT, SLOTS, LANGUAGE, ENTITIES = "text", "intent", "slots", "language", "entities"
KNOWN_COLUMNS = (TEXT, "utterance", INTENT, SLOTS, LANGUAGE, "split")


@dataclass(slots=True)
class Entity:
    """A value in a text.

    start and end: in units that the file chose, end exclusive; None where the file gives none. qualifier: Rasa's role
    and group, for which a dataset has no place.
    """

    name: str
    value: str
    start: int | None = None
    end: int | None = None
    qualifier: str = ""

    def __post_init__(self) -> None:
        """Make the name a tag's: a space in it would end the tag."""
        self.name = "_".join(self.name.split())


@dataclass(slots=True)
class Example:
    """One utterance with its labels; "" is a label that is not known.

    place: the file and what its rows are called ("data.csv line"); row: counted from 1. entities: None where the file
    says nothing of slots. tags: the file's own BIO tags, later the dataset's; "" is not known. broken: why the entities
    could not be read.
    """

    place: str
    row: int
    text: str
    intent: str = ""
    language: str = ""
    split: str = ""
    tags: str = ""
    entities: list[Entity] | None = None
    traits: dict[str, str] = field(default_factory=dict)
    broken: str = ""


@dataclass
class Vocabulary:
    """Other words for values, and the values that an entity may have."""

    synonyms: dict[str, list[str]] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    patterns: int = 0

    def add_synonyms(self, value: str, others: Sequence[str]) -> None:
        """Let every one of these words stand for each of the others. The value itself comes first among them."""
        known = self.synonyms.setdefault(value.casefold(), [])
        known += [other for other in others if other and other not in known]
        for other in others:
            back = self.synonyms.setdefault(other.casefold(), [])
            if value not in back:
                back.insert(0, value)

    def add_lookup(self, name: str, elements: Sequence[str]) -> None:
        """Add values that an entity may have."""
        self.lookups.setdefault(name, []).extend(element for element in elements if element)

    def add(self, other: "Vocabulary") -> None:
        """Add what another file knows."""
        for value, words in other.synonyms.items():
            known = self.synonyms.setdefault(value, [])
            known += [word for word in words if word not in known]
        for name, elements in other.lookups.items():
            self.add_lookup(name, elements)
        self.patterns += other.patterns

    def words_for(self, value: str) -> list[str]:
        """Return the value, and the other words for it."""
        return [value, *self.synonyms.get(value.casefold(), ())]


@dataclass
class Source:
    """What one file holds.

    dropped: rows that hold no example: place, row, reason and what was found. notes: what was passed over. units:
    "utf-16" where JavaScript counted the offsets. rewritten_tags: the BIO tags have the mistakes of Hexabot's helper.
    """

    path: Path
    kind: str
    examples: list[Example] = field(default_factory=list)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    dropped: list[tuple[str, int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    units: str = "characters"
    rewritten_tags: bool = False


def example_of(record: Mapping[str, Any], place: str, row: int) -> Example:
    """Return the example that a record of columns or JSON values is. Other keys than the known ones are traits.

    Entities that cannot be read make `broken` say so.
    """
    text = record.get(TEXT)
    example = Example(place, row, "" if isinstance(text, list | dict) else cell(text))
    for name, value in record.items():
        if name == TEXT or not name:
            continue
        if name == ENTITIES and not isinstance(value, str):
            _take_entities(example, value)
        elif name == SLOTS:
            example.tags = " ".join(map(cell, value)) if isinstance(value, list | tuple) else cell(value)
        elif name in (INTENT, LANGUAGE, "split"):
            setattr(example, name, cell(value).strip())
        elif trait := cell(value).strip():
            example.traits[name] = trait
    return example


def cell(value: object) -> str:
    """Return a value as the text of a dataset's cell; missing values are empty."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _take_entities(example: Example, value: object) -> None:
    """Read a list of entities into an example. `language` is a trait wherever Hexabot writes it as an entity."""
    if value is None:
        return
    if not isinstance(value, list | tuple):
        example.broken = f"expected a list of entities, found {str(value)[:60]}"
        return
    example.entities = []
    for found in value:
        name = cell(found.get("entity")).strip() if isinstance(found, Mapping) else ""
        if not name:
            example.broken = f"expected an entity with a name, found {str(found)[:60]}"
            continue
        given = cell(found.get("value"))
        if name in (LANGUAGE, INTENT):
            setattr(example, name, getattr(example, name) or given.strip())
        else:
            start, end = _offset(found.get("start")), _offset(found.get("end"))
            if start is not None and end is None and given:
                end = start + len(given)
            example.entities.append(Entity(name, given, start, end, qualifier_of(found)))


def qualifier_of(entity: Mapping[str, Any]) -> str:
    """Return the role and the group that Rasa gives an entity, for a person to read."""
    return ", ".join(f"{key} {cell(entity[key])}" for key in ("role", "group") if cell(entity.get(key)))


def _offset(value: object) -> int | None:
    """Return a position; None for what is none, be it missing or nonsense."""
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
