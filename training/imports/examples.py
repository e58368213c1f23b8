"""What an import reads from every format: examples, and the vocabulary of their slot values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.cells import cell
from handler.vocabulary import Pattern
from training.imports.entities import ImportedEntity, read_entities
from training.imports.provenance import PROVENANCE

TEXT, INTENT, SLOTS, LANGUAGE, ENTITIES = "text", "intent", "slots", "language", "entities"


@dataclass(slots=True)
class Example:
    """One utterance with its labels. An unknown label is "".

    Attributes:
        place: The file and the name of its rows, such as "data.csv line".
        row: The row number, starting at 1.
        text: The utterance.
        intent: The intent.
        language: The language code.
        split: The split as the file names it.
        tags: The BIO tags of the file, and later of the dataset; "" if unknown.
        entities: The entities, or None if the file has no information about slots.
        traits: Other labels, by name.
        broken: Why the entities are unreadable; "" if they are readable.
        part: The split of the row's file (--validation, --test), or None for rows to split.
        provenance: Where the row comes from, by the columns of `provenance.PROVENANCE`.
    """

    place: str
    row: int
    text: str
    intent: str = ""
    language: str = ""
    split: str = ""
    tags: str = ""
    entities: list[ImportedEntity] | None = None
    traits: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    part: int | None = None
    provenance: dict[str, str] = field(default_factory=dict)


@dataclass
class ImportedVocabulary:
    """Synonyms of values, and the values of each entity.

    Attributes:
        synonyms: The other ways to write a value, in both directions, by the folded value.
        lookups: The values of each entity.
        main_values: The synonyms of each main value.
        marked: What texts have in place of a main value, by entity: main value and text.
        keywords: Entities whose values are to be found without a model.
        patterns: Regular expressions, by entity.
    """

    synonyms: dict[str, list[str]] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    main_values: dict[str, list[str]] = field(default_factory=dict)
    marked: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    keywords: set[str] = field(default_factory=set)
    patterns: dict[str, list[Pattern]] = field(default_factory=dict)

    def add_synonyms(self, value: str, others: Sequence[str]) -> None:
        """Make the value and its synonyms interchangeable. The value comes first."""
        known = self.synonyms.setdefault(value.casefold(), [])
        known += [other for other in others if other and other not in known]
        for other in others:
            back = self.synonyms.setdefault(other.casefold(), [])
            if value not in back:
                back.insert(0, value)
        self.main_values.setdefault(value, []).extend(other for other in others if other)

    def add_lookup(self, name: str, elements: Sequence[str]) -> None:
        """Add values of an entity."""
        self.lookups.setdefault(name, []).extend(element for element in elements if element)

    def add_pattern(self, name: str, pattern: Pattern) -> None:
        """Add a regular expression of an entity."""
        self.patterns.setdefault(name, []).append(pattern)

    def add_marked(self, name: str, value: str, words: str) -> None:
        """Add words that a text has for an entity.

        Args:
            name: The entity.
            value: Its main value.
            words: The words in the text.
        """
        self.marked.setdefault(name, []).append((value, words))

    def add(self, other: "ImportedVocabulary") -> None:
        """Add the vocabulary of another file."""
        for value, words in other.synonyms.items():
            known = self.synonyms.setdefault(value, [])
            known += [word for word in words if word not in known]
        for name, elements in other.lookups.items():
            self.add_lookup(name, elements)
        for value, words in other.main_values.items():
            self.main_values.setdefault(value, []).extend(words)
        for name, pairs in other.marked.items():
            self.marked.setdefault(name, []).extend(pairs)
        for name, patterns in other.patterns.items():
            self.patterns.setdefault(name, []).extend(patterns)
        self.keywords |= other.keywords

    def words_for(self, value: str) -> list[str]:
        """Return the value and its synonyms."""
        return [value, *self.synonyms.get(value.casefold(), ())]


@dataclass
class SourceFile:
    """The content of one file.

    Attributes:
        path: The file.
        kind: The format, for the report.
        examples: The examples.
        vocabulary: The synonyms and lookup tables.
        dropped: Rows without an example: place, row number, reason, and what was found.
        notes: Messages about skipped content.
        units: The units of offsets: `characters`, or `utf-16` for offsets from JavaScript.
        rewritten_tags: Whether the BIO tags have the errors of Hexabot's helper.
    """

    path: Path
    kind: str
    examples: list[Example] = field(default_factory=list)
    vocabulary: ImportedVocabulary = field(default_factory=ImportedVocabulary)
    dropped: list[tuple[str, int, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    units: str = "characters"
    rewritten_tags: bool = False


def example_of(record: Mapping[str, Any], place: str, row: int) -> Example:
    """Convert a record of columns or JSON values to an example. Unknown keys become traits, except provenance.

    Args:
        record: The values, by the dataset's column names.
        place: The file and the name of its rows, such as "data.csv line".
        row: The row number, starting at 1.

    Returns:
        The example. If its entities are unreadable, `broken` has the reason.
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
        elif found := cell(value):
            (example.provenance if name in PROVENANCE else example.traits)[name] = found
    return example


def _take_entities(example: Example, value: object) -> None:
    """Read a list of entities into an example. Hexabot also writes the language of a sample as an entity."""
    found, problem = read_entities(value)
    example.broken = example.broken or problem
    for entity in found or ():
        if entity.name in (LANGUAGE, INTENT):
            setattr(example, entity.name, getattr(example, entity.name) or entity.value)
    if found is not None:
        example.entities = [entity for entity in found if entity.name not in (LANGUAGE, INTENT)]
