"""Convert BIO tags from and to spans, and read tags as other tools write them.

A dataset has one tag for each run of characters without white space, which is what `training.slots` learns from. These
are the words that Hexabot counts, the elements of `text.split(" ")`, without the empty ones.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter

from handler.entities import tagged_spans
from handler.words import in_word, touches_unspaced
from training.imports.spans import Note, Span

WORD = re.compile(r"\S+")
TAG = re.compile(r"O|[BI]-.+")
OTHER_SCHEMES = {"U-": "B-", "S-": "B-", "L-": "I-", "E-": "I-"}
"""Prefixes of BILOU and BIOES, and their BIO equivalents."""

SHARED_WORD = "two entities in one word; the first was kept"
PART_OF_WORD = "entity that covers part of a word; the whole word is tagged"
UNSPACED_RUN = (
    "entity in a text without spaces between words (as in Chinese, Japanese or Thai); all characters up to the next "
    "space are tagged, so a slot model would answer whole sentences: put spaces between the words of such texts"
)


def tags_of(text: str, spans: Iterable[Span], note: Note) -> list[str]:
    """Return the tags of a text.

    Args:
        text: Any text.
        spans: The slots, in characters, without overlaps.
        note: Called with every loss of information.

    Returns:
        One BIO tag per word, `len(text.split())` in total. A partly covered word belongs to its span entirely.
    """
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
        if len(free) == len(covered) and (finding := _partly(text, span, words[free[0]][0], words[free[-1]][1])):
            note(finding, f"{span.name} {text[span.start : span.end]!r} in {text[:60]!r}")
        for position in free:
            tags[position] = f"{'B' if position == free[0] else 'I'}-{span.name}"
    return tags


def spans_of(text: str, tags: Sequence[str]) -> list[Span]:
    """Return the spans of the BIO tags of a text."""
    words = [match.span() for match in WORD.finditer(text)]
    return [Span(each.start, each.end, each.name) for each in tagged_spans(words, tags, [1.0] * len(words))]


def read_tags(text: str, tags: str) -> list[str] | None:
    """Return the BIO tags of a file, one per word, or None if they do not match the words.

    The tags may also be one per element of `text.split(" ")`, between `<SOS>` and `<EOS>`, and in BILOU or BIOES. An
    `I-` that does not continue a span begins one.
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


def _partly(text: str, span: Span, first: int, last: int) -> str:
    """Return the finding for a span that does not cover its words, which reach from first to last; "" if it does.

    Punctuation beside a span does not count.
    """
    outside = ((first, span.start), (span.end, last))
    if not any(in_word(character) for start, end in outside for character in text[start:end]):
        return ""
    return UNSPACED_RUN if any(touches_unspaced(text, start, end) for start, end in outside) else PART_OF_WORD
