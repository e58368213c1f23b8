"""Find the values of entities in a text.

The offsets of an entity count if they match word boundaries. Its value may differ from the text there, because Hexabot
writes the main value of a synonym. If the offsets cut a word, or there are none, the value is searched in the text. If
the result is ambiguous, the slots of the row are unknown, because a value tagged as outside would teach an error.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from handler.words import is_main_part, is_on_borders, stands_alone, stands_behind_clitics
from training.dataset import text_key
from training.imports.entities import ImportedEntity
from training.imports.examples import ImportedVocabulary

NOT_FOUND = "value not found in the text"
UNREADABLE = "entity or tags that cannot be read"
SEVERAL = "value that occurs several times, without offsets to say which one is meant"
CROSSING = "entities that partly overlap"
OVERLAP = "entities that overlap; the longer one was kept"
PIECE = "entity inside a word, as 'par' in 'comparing'; it was left out"
CORRECTED = "offsets that were wrong; the value was found elsewhere in the text"
OTHER_UNITS = "offsets in units other than characters; converted"
OTHER_VALUE = "value that differs from the text at its offsets; the offsets were taken"
BY_LOOKUP = "value found only by its lookup table"
UNKNOWN_SLOTS = (NOT_FOUND, UNREADABLE, SEVERAL, CROSSING)
"""Findings that make the tags of a row unknown."""

Note = Callable[[str, str], None]
"""Called with a finding and its details."""


class Span(NamedTuple):
    """The position of a slot in a text.

    Attributes:
        start: Index of the first character.
        end: Index after the last character.
        name: The slot's name, such as `city`.
    """

    start: int
    end: int
    name: str


class Reading(NamedTuple):
    """An interpretation of an entity's offsets.

    Attributes:
        unit: The unit of the offsets: `characters`, `utf-16` or `utf-8`.
        span: The span in characters.
    """

    unit: str
    span: Span


def place_entities(
    text: str, entities: Sequence[ImportedEntity], vocabulary: ImportedVocabulary, units: str, note: Note
) -> list[Span]:
    """Return the positions of entities in a text.

    Args:
        text: An utterance.
        entities: The entities in file order. The first one wins if two have the same position.
        vocabulary: Synonyms of values.
        units: The units of the file's offsets: "characters" or "utf-16".
        note: Called with every finding. A finding in `UNKNOWN_SLOTS` means that the spans are unreliable.

    Returns:
        Spans in characters, in reading order, without overlaps.
    """
    readings = [_readings(text, entity, units) if entity.has_offsets else [] for entity in entities]
    trusted = [_trusted(text, *each, vocabulary, units, note) for each in zip(entities, readings, strict=True)]
    spans = [span for span in trusted if span]
    missing = []
    for entity, found, span in zip(entities, readings, trusted, strict=True):
        if not span and entity.has_offsets:
            corrected = _corrected(text, entity, found, vocabulary, spans, note)
            spans += [corrected] if corrected else []
        elif not span and entity.value.strip():
            missing.append(entity)
        elif not span:
            note(UNREADABLE, f"{entity.name} without value and offsets in {text[:60]!r}")
    spans = _without_overlaps(text, spans, note)
    return sorted(_with_values(text, missing, vocabulary, spans, note))


def occurrences(text: str, value: str, vocabulary: ImportedVocabulary) -> list[tuple[int, int]]:
    """Return the positions of a value, or else of a synonym, in a text.

    The search is first case-sensitive, then case-insensitive; first for whole words, then for words behind clitics, as
    in `بالقاهرة`. The first search with a result wins.

    Args:
        text: An utterance.
        value: A value of one or more words.
        vocabulary: Synonyms of the value.

    Returns:
        Starts and ends in characters, in reading order.
    """
    lowered = text.casefold()
    for word in vocabulary.words_for(value):
        parts = word.split()
        if parts and parts[0].casefold() in lowered:
            found = [[match.span() for match in pattern.finditer(text)] for pattern in _patterns(" ".join(parts))]
            for is_whole in (stands_alone, stands_behind_clitics):
                for places in found:
                    if whole := [place for place in places if is_whole(text, *place)]:
                        return whole
    return []


def _trusted(
    text: str,
    entity: ImportedEntity,
    readings: Sequence[Reading],
    vocabulary: ImportedVocabulary,
    units: str,
    note: Note,
) -> Span | None:
    """Return the span of an entity's offsets, or None if they are unreliable.

    The value decides between the units. If it differs from the text in all units, the file's units count.
    """
    words = {text_key(word) for word in vocabulary.words_for(entity.value)}
    for unit, span in readings:
        as_written = not entity.value or text_key(text[span.start : span.end]) in words
        if as_written and is_main_part(text, span.start, span.end):
            if unit != units and (units, span) not in readings:
                note(OTHER_UNITS, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end}: {unit}")
            return span
    if readings and readings[0].unit == units and is_on_borders(text, *readings[0].span[:2]):
        return _of_other_value(text, entity, readings[0].span, vocabulary, note)
    return None


def _corrected(
    text: str,
    entity: ImportedEntity,
    readings: Sequence[Reading],
    vocabulary: ImportedVocabulary,
    taken: Sequence[Span],
    note: Note,
) -> Span | None:
    """Return the position of an entity with unreliable offsets, or None and a note if it is ambiguous."""
    found = occurrences(text, entity.value, vocabulary)
    free = [place for place in found if not _overlaps(place, taken)]
    if found:
        start, end = min(free or found, key=lambda place: abs(place[0] - (entity.start or 0)))
        note(CORRECTED, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end}; found at {start}-{end}")
        return Span(start, end, entity.name)
    words = {text_key(word) for word in vocabulary.words_for(entity.value)}
    if pieces := [span for _, span in readings if text_key(text[span.start : span.end]) in words]:
        if any(pieces[0].start == span.end for span in taken):  # another entity is the start of the same word
            return pieces[0]
        note(PIECE, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end} of {text[:60]!r}")
        return None
    for _, span in readings:
        if is_main_part(text, span.start, span.end):
            return _of_other_value(text, entity, span, vocabulary, note)
    note(NOT_FOUND, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end} of {text[:60]!r}")
    return None


def _of_other_value(text: str, entity: ImportedEntity, span: Span, vocabulary: ImportedVocabulary, note: Note) -> Span:
    vocabulary.add_marked(entity.name, entity.value, text[span.start : span.end])
    note(OTHER_VALUE, f"{entity.name} {entity.value!r}; the text has {text[span.start : span.end]!r}")
    return span


def _with_values(
    text: str, entities: Sequence[ImportedEntity], vocabulary: ImportedVocabulary, taken: list[Span], note: Note
) -> list[Span]:
    """Return the taken spans and those of entities without offsets.

    Longer values come first, because a shorter one may be a part of them.
    """
    by_value: dict[str, list[ImportedEntity]] = {}
    for entity in sorted(entities, key=lambda entity: -len(entity.value)):
        by_value.setdefault(text_key(entity.value), []).append(entity)
    for alike in by_value.values():
        found = [(alike, occurrences(text, alike[0].value, vocabulary))]
        if not found[0][1]:  # lookup tables belong to names
            found = [([entity], _of_lookup(text, entity, vocabulary, note)) for entity in alike]
        for group, places in found:
            taken = _with_places(text, group, places, taken, note)
    return taken


def _with_places(
    text: str, alike: Sequence[ImportedEntity], places: Sequence[tuple[int, int]], taken: list[Span], note: Note
) -> list[Span]:
    """Return the taken spans and those of entities with the same value, which occurs at some positions.

    The result is unambiguous if there is one position, or one per entity with the same name. With more positions, it is
    unknown which one is meant and whether the others are outside.
    """
    first, names = alike[0], {entity.name for entity in alike}
    free = [place for place in places if not _overlaps(place, taken)]
    if not places:
        note(NOT_FOUND, f"{first.name} {first.value!r} in {text[:60]!r}")
        return taken
    if not free:
        around = {span.name for span in taken if _overlaps((span.start, span.end), [Span(*places[0], "")])}
        if names <= around:  # the same value, marked twice
            return taken
        return _without_overlaps(text, [*taken, Span(*places[0], first.name)], note)
    if len(free) > 1 and (len(names) > 1 or len(free) > len(alike)):
        note(SEVERAL, f"{first.name} {first.value!r}, {len(free)} times in {text[:60]!r}")
        return taken
    spans = [Span(*place, entity.name) for entity in alike[: len(free)] for place in free]
    others = [Span(*free[0], name) for name in dict.fromkeys(each.name for each in alike) if name != first.name]
    return _without_overlaps(text, [*taken, *spans, *others], note)


def _readings(text: str, entity: ImportedEntity, units: str) -> list[Reading]:
    """Return the possible meanings of an entity's offsets in characters, the file's units first."""
    start, end = entity.start or 0, entity.end or 0
    if text.isascii():
        places = [(units, start, end)]
    else:
        places = [("characters", start, end)]
        for unit, encoding, size in (("utf-16", "utf-16-le", 2), ("utf-8", "utf-8", 1)):
            raw = text.encode(encoding)
            try:
                first, last = len(raw[: start * size].decode(encoding)), len(raw[: end * size].decode(encoding))
            except UnicodeDecodeError:
                continue
            if 0 <= end * size <= len(raw):
                places.append((unit, first, last))
    places.sort(key=lambda place: place[0] != units)
    inside = [(unit, first, last) for unit, first, last in places if 0 <= first < last <= len(text)]
    spans = [(unit, _trimmed(text, first, last, entity.name)) for unit, first, last in inside]
    return [Reading(unit, span) for unit, span in spans if span]


def _trimmed(text: str, start: int, end: int, name: str) -> Span | None:
    """Return a span without white space at its ends; None if nothing is left."""
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    return Span(start, end, name) if start < end else None


def _without_overlaps(text: str, spans: Sequence[Span], note: Note) -> list[Span]:
    """Return the longer of overlapping spans, and the first of two with the same position."""
    kept: list[Span] = []
    for span in sorted(dict.fromkeys(spans), key=lambda span: (span.start - span.end, span.start)):
        around = [other for other in kept if other.start < span.end and other.end > span.start]
        if not around:
            kept.append(span)
        elif any(other.start <= span.start and span.end <= other.end for other in around):
            note(OVERLAP, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
        else:
            note(CROSSING, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
    return kept


def _of_lookup(text: str, entity: ImportedEntity, vocabulary: ImportedVocabulary, note: Note) -> list[tuple[int, int]]:
    """Return the positions of the only value of an entity's lookup table in the text, if there is exactly one."""
    lowered, found = text.casefold(), {}
    for element in vocabulary.lookups.get(entity.name, ()):
        if element.casefold() in lowered and (places := occurrences(text, element, ImportedVocabulary())):
            found[element.casefold()] = places
    if len(found) != 1:
        return []
    element, places = next(iter(found.items()))
    note(BY_LOOKUP, f"{entity.name} {entity.value!r}; taken for {text[places[0][0] : places[0][1]]!r}")
    return places


def _overlaps(place: tuple[int, int], spans: Iterable[Span]) -> bool:
    return any(span.start < place[1] and span.end > place[0] for span in spans)


@lru_cache(maxsize=50_000)
def _patterns(words: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    source = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(source), re.compile(source, re.IGNORECASE)
