"""Where the values of slots lie in a text, and the BIO tags of its words.

A dataset has one tag for each run of characters without white space, which is what `training.slots` learns from. Those
are the words that Hexabot counts, the elements of `text.split(" ")`, without the empty ones.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from training.imports.entities import Entity
from training.imports.examples import Vocabulary

WORD = re.compile(r"\S+")
TAG = re.compile(r"O|[BI]-.+")
OTHER_SCHEMES = {"U-": "B-", "S-": "B-", "L-": "I-", "E-": "I-"}
"""BILOU and BIOES, which say more than BIO."""
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts that put no space between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""

NOT_FOUND = "value not found in the text"
UNREADABLE = "entity or tags that cannot be read"
OVERLAP = "entities that overlap; the longer one was kept"
SHARED_WORD = "two entities in one word; the first was kept"
MENDED = "offsets that were wrong; the value was found elsewhere in the text"
OTHER_UNITS = "offsets counted in other units than characters; converted"
OTHER_VALUE = "value that differs from the text at its offsets; the offsets were taken"
PART_OF_WORD = "entity that covers part of a word; the whole word is tagged"
SEVERAL = "value that occurs several times; the first was taken"
BY_LOOKUP = "value found only by its lookup table"
UNKNOWN_SLOTS = (NOT_FOUND, UNREADABLE)
"""Findings after which the tags of a row are not known."""

Note = Callable[[str, str], None]
"""Takes a finding and what was found."""


class Span(NamedTuple):
    """Where a slot lies in a text, in characters, end exclusive."""

    start: int
    end: int
    name: str


def place_entities(text: str, entities: Sequence[Entity], vocabulary: Vocabulary, units: str, note: Note) -> list[Span]:
    """Return the spans of entities, in reading order and without overlap.

    They lie at their offsets, or where their value occurs.
    """
    given = [entity for entity in entities if entity.start is not None and entity.end is not None]
    missing = [entity for entity in entities if entity.start is None or entity.end is None]
    placed = [by_offsets(text, entity, vocabulary, units, note) for entity in given]
    spans = _without_overlaps(text, [span for span in placed if span], note)
    for entity in sorted(missing, key=lambda entity: -len(entity.value)):
        if span := by_value(text, entity, vocabulary, spans, note):
            spans.append(span)
    return sorted(spans)


def by_offsets(text: str, entity: Entity, vocabulary: Vocabulary, units: str, note: Note) -> Span | None:
    """Return where an entity's offsets mean it to be.

    The value decides between characters, UTF-16 units and bytes of UTF-8, and where it occurs if all three miss it.
    """
    readings = _readings(text, entity, units)
    words = {_folded(word) for word in vocabulary.words_for(entity.value)}
    for unit, start, end in readings:
        if not entity.value or _folded(text[start:end]) in words:
            if unit != units and (units, start, end) not in readings:
                note(OTHER_UNITS, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end}: {unit}")
            return _trimmed(text, start, end, entity.name)
    found = occurrences(text, entity.value, vocabulary)
    if found:
        start, end = min(found, key=lambda span: abs(span[0] - (entity.start or 0)))
        note(MENDED, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end}; found at {start}-{end}")
        return Span(start, end, entity.name)
    for _, start, end in readings:
        span = _trimmed(text, start, end, entity.name)
        if span and not _inside_word(text, span.start) and not _inside_word(text, span.end):
            note(OTHER_VALUE, f"{entity.name} {entity.value!r}; the text has {text[span.start : span.end]!r}")
            return span
    note(NOT_FOUND, f"{entity.name} {entity.value!r} at {entity.start}-{entity.end} of {text[:60]!r}")
    return None


def by_value(text: str, entity: Entity, vocabulary: Vocabulary, taken: Sequence[Span], note: Note) -> Span | None:
    """Return the first place of a value that no other entity has."""
    found = occurrences(text, entity.value, vocabulary)
    free = [place for place in found if not _overlaps(place, taken)]
    if len(free) > 1:
        note(SEVERAL, f"{entity.name} {entity.value!r}, {len(free)} times in {text[:60]!r}")
    if not found and (free := _of_lookup(text, entity, vocabulary, taken)):
        note(BY_LOOKUP, f"{entity.name} {entity.value!r}; taken for {text[free[0][0] : free[0][1]]!r}")
    if free:
        return Span(*free[0], entity.name)
    if found and any(
        span.name == entity.name and _overlaps((span.start, span.end), [Span(*found[0], "")]) for span in taken
    ):
        return None  # the same value, annotated twice
    if found:
        note(OVERLAP, f"{entity.name} {entity.value!r} in {text[:60]!r}")
    else:
        note(NOT_FOUND, f"{entity.name} {entity.value!r} in {text[:60]!r}")
    return None


def occurrences(text: str, value: str, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Return where a value, or else another word for it, stands as words of its own.

    It is looked for as it is written, and only then in any case.
    """
    lowered = text.casefold()
    for word in vocabulary.words_for(value):
        parts = word.split()
        if parts and parts[0].casefold() in lowered:
            exact, any_case = _patterns(" ".join(parts))
            for pattern in (exact, any_case):
                found = [match.span() for match in pattern.finditer(text)]
                if found := [(start, end) for start, end in found if _stands_alone(text, start, end)]:
                    return found
    return []


def tags_of(text: str, spans: Iterable[Span], note: Note) -> list[str]:
    """Return one BIO tag for each word of a text. A word that a span covers in part is wholly of it."""
    words = [match.span() for match in WORD.finditer(text)]
    tags = ["O"] * len(words)
    for span in sorted(spans):
        first = bisect_right(words, span.start, key=itemgetter(1))
        covered = range(first, bisect_left(words, span.end, lo=first, key=itemgetter(0)))
        free = [i for i in covered if tags[i] == "O"]
        if len(free) < len(covered):
            note(SHARED_WORD, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
        if not free:
            continue
        if len(free) == len(covered) and _cuts_words(text, span, words[free[0]][0], words[free[-1]][1]):
            note(PART_OF_WORD, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
        for position in free:
            tags[position] = f"{'B' if position == free[0] else 'I'}-{span.name}"
    return tags


def spans_of(text: str, tags: Sequence[str]) -> list[Span]:
    """Return the spans that the BIO tags of a text's words mean."""
    spans: list[Span] = []
    open_name = ""
    for match, tag in zip(WORD.finditer(text), tags, strict=True):
        prefix, name = tag[:2], tag[2:]
        if prefix == "I-" and name == open_name:
            spans[-1] = spans[-1]._replace(end=match.end())
        elif prefix in ("B-", "I-"):
            spans.append(Span(match.start(), match.end(), name))
        open_name = name if prefix in ("B-", "I-") else ""
    return spans


def read_tags(text: str, tags: str) -> list[str] | None:
    """Return the BIO tags of a file, one for each word; None if they cannot be that.

    Tags may stand for each element of `text.split(" ")` as well, between `<SOS>` and `<EOS>`, and in BILOU or BIOES. An
    `I-` that continues nothing begins a span.
    """
    found = [OTHER_SCHEMES.get(tag[:2], tag[:2]) + tag[2:] for tag in tags.split()]
    found = [tag for tag in found if tag not in ("<SOS>", "<EOS>", "<PAD>")]
    if not all(TAG.fullmatch(tag) for tag in found):
        return None
    elements = text.split(" ")
    if len(found) == len(elements) != len(text.split()):
        if any(len(element.split()) > 1 for element in elements):
            return None
        found = [tag for tag, element in zip(found, elements, strict=True) if element.strip()]
    if len(found) != len(text.split()):
        return None
    before = ["O", *found]
    return [f"B-{tag[2:]}" if tag.startswith("I-") and last[2:] != tag[2:] else tag for last, tag in pairwise(before)]


def _readings(text: str, entity: Entity, units: str) -> list[tuple[str, int, int]]:
    """Return what an entity's offsets may mean in characters, the file's own units first."""
    start, end = entity.start or 0, entity.end or 0
    if text.isascii():
        readings = [(units, start, end)]
    else:
        readings = [("characters", start, end)]
        for unit, encoding, size in (("utf-16", "utf-16-le", 2), ("utf-8", "utf-8", 1)):
            raw = text.encode(encoding)
            try:
                first, last = len(raw[: start * size].decode(encoding)), len(raw[: end * size].decode(encoding))
            except UnicodeDecodeError:
                continue
            if 0 <= end * size <= len(raw):
                readings.append((unit, first, last))
    readings.sort(key=lambda reading: reading[0] != units)
    return [(unit, first, last) for unit, first, last in readings if 0 <= first < last <= len(text)]


def _trimmed(text: str, start: int, end: int, name: str) -> Span | None:
    """Return a span without white space at its ends; None if nothing is left."""
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    return Span(start, end, name) if start < end else None


def _without_overlaps(text: str, spans: Sequence[Span], note: Note) -> list[Span]:
    """Return the longer ones of spans that overlap."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (span.start - span.end, span.start)):
        if _overlaps((span.start, span.end), kept):
            note(OVERLAP, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
        else:
            kept.append(span)
    return kept


def _of_lookup(text: str, entity: Entity, vocabulary: Vocabulary, taken: Sequence[Span]) -> list[tuple[int, int]]:
    """Return where the only value of an entity's lookup table stands that the text holds; nothing if it holds more."""
    lowered, found = text.casefold(), {}
    for element in vocabulary.lookups.get(entity.name, ()):
        if element.casefold() in lowered:
            free = [place for place in occurrences(text, element, Vocabulary()) if not _overlaps(place, taken)]
            if free:
                found[element.casefold()] = free
    return next(iter(found.values())) if len(found) == 1 else []


def _overlaps(place: tuple[int, int], spans: Iterable[Span]) -> bool:
    return any(span.start < place[1] and span.end > place[0] for span in spans)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a place is made of whole words. Scripts without spaces have no words to see."""
    return (not _inside_word(text, start) or bool(UNSPACED.match(text, start))) and (
        not _inside_word(text, end) or bool(UNSPACED.match(text, end - 1))
    )


def _inside_word(text: str, position: int) -> bool:
    """Tell whether a letter, digit or mark stands on both sides of a position."""
    return 0 < position < len(text) and _in_word(text[position - 1]) and _in_word(text[position])


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _cuts_words(text: str, span: Span, first: int, last: int) -> bool:
    """Tell whether letters of the words at a span's ends lie outside it; punctuation does not count."""
    if (first, last) == (span.start, span.end):
        return False
    return any(_in_word(character) for character in text[first : span.start] + text[span.end : last])


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


@lru_cache(maxsize=50_000)
def _patterns(words: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    source = r"\s+".join(re.escape(word) for word in words.split())
    return re.compile(source), re.compile(source, re.IGNORECASE)
