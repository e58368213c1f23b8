"""What an import reads from any file: examples, and the words by which the values of their slots are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.cells import cell
from training.imports.entities import Entity, read_entities

TEXT, INTENT, SLOTS, LANGUAGE, ENTITIES = "text", "intent", "slots", "language", "entities"


@dataclass(slots=True)
class Example:
    """One utterance with its labels; "" is a label that is not known.

    place: the file and what its rows are called ("data.csv line"); row: counted from 1. entities: None where the file
    says nothing of slots. tags: the file's own BIO tags, later the dataset's; "" is not known. broken: why the entities
    could not be read. part: the part of the split that the row's file was given for; None for a row to spread.
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
    part: int | None = None


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
            setattr(example, name, cell(value))
        elif trait := cell(value):
            example.traits[name] = trait
    return example


def _take_entities(example: Example, value: object) -> None:
    """Read a list of entities into an example. Hexabot writes a sample's language as an entity, too."""
    found, problem = read_entities(value)
    example.broken = example.broken or problem
    for entity in found or ():
        if entity.name in (LANGUAGE, INTENT):
            setattr(example, entity.name, getattr(example, entity.name) or entity.value)
    if found is not None:
        example.entities = [entity for entity in found if entity.name not in (LANGUAGE, INTENT)]
