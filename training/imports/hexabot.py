"""Slots in the exports of Hexabot's Ludwig helper.

The helper splits a text at runs of white space, but counts one character for each run. After a longer run, its tags
belong to other words, and the last tags may be lost. It also merges two adjacent slots with the same name, which cannot
be undone, so exports with offsets are better. Source: `formatSlots` of hexabot-helper-ludwig.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from export.cells import cell
from handler.vocabulary import Change, Pattern
from training.imports.examples import INTENT, LANGUAGE, ImportedVocabulary, SourceFile
from training.imports.nested import objects_in, words_in
from training.imports.spans import Span
from training.imports.tags import read_tags

CHANGES: dict[str, Change] = {
    "removeSpaces": "remove_spaces",
    "toLowerCase": "lowercase",
    "stripDiacritics": "strip_diacritics",
}
"""Hexabot's names of what it does to the text of a match, in its order."""
LISTED = "Hexabot's entities"

BLANKS = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
"""The white space of JavaScript's `\\s`."""


def is_entity_list(data: Any) -> bool:
    """Return whether JSON is Hexabot's list of entities, `GET /nlpentity?populate=values`."""
    return (
        isinstance(data, list)
        and bool(data)
        and all(
            isinstance(each, Mapping) and isinstance(each.get("lookups"), list) and isinstance(each.get("values"), list)
            for each in data
        )
    )


def read_entity_list(path: Path, data: Sequence[Mapping[str, Any]]) -> SourceFile:
    """Read values with their synonyms, keywords and patterns. No other export of Hexabot has its patterns."""
    source = SourceFile(path, LISTED)
    vocabulary = source.vocabulary
    for entity in data:
        name, lookups = cell(entity.get("name")), entity["lookups"]
        if name in (INTENT, LANGUAGE) or "trait" in lookups:
            continue
        for value in objects_in(entity, "values"):
            main, words = cell(value.get("value")), words_in(value.get("expressions"))
            metadata = value.get("metadata")
            if "pattern" in lookups and isinstance(metadata, Mapping):
                if pattern := cell(metadata.get("pattern")):
                    changes = [change for key, change in CHANGES.items() if metadata.get(key)]
                    whole = bool(metadata.get("wordBoundary"))
                    vocabulary.add_pattern(name, Pattern(pattern=pattern, whole_words=whole, changes=changes))
            elif main:
                vocabulary.add_synonyms(main, words)
                vocabulary.add_lookup(name, [main])
        if "keywords" in lookups:
            vocabulary.keywords.add(name)
    if vocabulary == ImportedVocabulary():
        source.notes.append("It has no keywords, patterns or values of slots: skipped.")
    return source


def slots_written_by_helper(text: str, tags: str) -> list[Span] | None:
    """Return the original spans of the helper's tags, or None if they are ambiguous.

    If white space has shifted the tags, a span is accepted only if no other span produces the same tags.
    """
    given, words = tags.split(), BLANKS.split(text)
    assumed = _assumed_places(words)
    real = _real_places(text, words)
    if len(given) != len(words) or read_tags(" ".join("w" * len(words)), tags) is None:
        return None
    end = assumed[-1][1]
    if any(stop > start >= end for start, stop in real):  # the helper lost the tags of these words
        return None
    spans = []
    for first, last, name in _chunks(given):
        ranges = _ranges_seen_as(first, last, real, assumed)
        if len(ranges) != 1:
            return None
        spans.append((*ranges[0], name))
    if any(after[0] <= before[1] for before, after in pairwise(spans)):
        return None
    places = [match.span() for match in re.finditer(f"[^{BLANKS.pattern[1:-2]}]+", text)]
    shift = 1 if words[0] == "" else 0
    return [Span(places[first - shift][0], places[last - shift][1], name) for first, last, name in spans]


def are_shifted(text: str) -> bool:
    """Return whether white space shifts the helper's tags of a text."""
    words = BLANKS.split(text)
    return _assumed_places(words) != _real_places(text, words)


def _assumed_places(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of words as the helper calculates them, in UTF-16 units."""
    starts = accumulate((_units(word) + 1 for word in words), initial=0)
    return [(start, start + _units(word)) for start, word in zip(starts, words, strict=False)]


def _real_places(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the actual positions of words, in UTF-16 units."""
    places: list[tuple[int, int]] = []
    position = 0
    for word in words:
        position = text.index(word, position) if word else (len(text) if places else 0)
        places.append((_units(text[:position]), _units(text[:position]) + _units(word)))
        position += len(word)
    return places


def _chunks(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the first and last word of each slot, and its name."""
    chunks: list[tuple[int, int, str]] = []
    for position, tag in enumerate(tags):
        if tag.startswith("B-"):
            chunks.append((position, position, tag[2:]))
        elif tag.startswith("I-") and chunks:
            chunks[-1] = (chunks[-1][0], position, chunks[-1][2])
    return chunks


def _ranges_seen_as(
    first: int, last: int, real: Sequence[tuple[int, int]], assumed: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the ranges of words that the helper turns into the tags from `first` to `last`."""
    starts, ends = [start for start, _ in assumed], [end for _, end in assumed]
    heads = [i for i, (start, end) in enumerate(real) if end > start and bisect_right(ends, start) == first]
    tails = [i for i, (start, end) in enumerate(real) if end > start and bisect_left(starts, end) - 1 == last]
    return [(head, tail) for head in heads for tail in tails if head <= tail]


def _units(text: str) -> int:
    """Return the length of a text in UTF-16 units, as JavaScript counts it."""
    return len(text) + sum(character > "\uffff" for character in text)
