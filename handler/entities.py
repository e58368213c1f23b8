"""Turn slot tags into entities: the part of the text that a person would mark, with offsets as in JavaScript.

A tag belongs to a whole word, such as `Paris.` or `l'hôtel`. An entity excludes the punctuation around its value, an
elided article before it and a possessive `'s` after it, unless the bundle's vocabulary contains the value with them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from handler.decoding import BEGIN, INSIDE, is_bio
from handler.outputs import SequenceOutput
from handler.tokenizers import Span
from handler.words import CLITICS, HANGUL, in_word

Source = Literal["model", "keyword", "pattern"]
IsKnown = Callable[[str], bool]
"""Returns whether a string is a value or synonym in the vocabulary."""

OPENING, CLOSING = "([{<«“‘„‚（【「『《〈", ")]}>»”’“‘）】」』》〉"
PARTNERS = dict(zip(")]}）】」』》〉", "([{（【「『《〈", strict=True))
"""Brackets that can be part of a value, as in `Paris (Texas)`. One without its partner is trimmed."""
BEFORE_WORDS, BEFORE_DIGITS = frozenset("#@"), frozenset("+-−$€£¥₹")
"""Symbols that can start a value: before a letter or digit, as in `#urgent`, or only before a digit, as in `-5`."""
KEPT_BEHIND = frozenset("%‰+#°$€£¥₹")
"""Symbols that can end a value after a letter or digit, as in `50%`, `5 €` or `C++`."""
ABBREVIATION = re.compile(r"(?:^|[\s(])(?:\w\.){2,}$")
"""An abbreviation with a period after every letter, such as `p.m.` or `U.S.A.`: its last period is not trimmed."""

ELISION = re.compile(
    "(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|dell|all|dall|nell|sull|un)['\u2019\u02bc\uff07]", re.IGNORECASE
)
"""Short words that French, Italian and Catalan join to the next word with an apostrophe."""
POSSESSIVE = re.compile("['\u2019\u02bc\uff07]s$", re.IGNORECASE)
APOSTROPHES = "'\u2019\u02bc\uff07"
NOUN_FOLLOWS = re.compile(
    r"[ \t]+(?!(?:a|an|the|at|in|on|for|to|from|with|near|by|and|or|but|now|today|tonight|tomorrow|please|is|was)\b)"
    r"[a-z]"
)
"""A noun, which often follows `London's` but rarely a name that ends in `'s`, such as `McDonald's`."""
LONGEST_CLITICS, LONGEST_PARTICLE = 5, 3
"""The longest Arabic or Hebrew clitics before a value and the longest Korean particle after one, in characters."""
ARABIC_AND_ARTICLE = re.compile(r"و(?=ال\w{3})")


class TaggedSpan(NamedTuple):
    """A value that consecutive tags mark.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        name: The entity.
        confidence: The probability of its least certain word, in [0, 1].
    """

    start: int
    end: int
    name: str
    confidence: float


class Entity(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A value in a text, as clients get it.

    Attributes:
        entity: The kind of the value, such as `city`.
        value: The text between `start` and `end`.
        canonical_value: The main value that `value` is a synonym of, or else `value` itself.
        start: Offset of the first character, in UTF-16 code units.
        end: Offset after the last character, in UTF-16 code units.
        confidence: In [0, 1]; 1.0 for keywords and patterns.
        source: What found the value.
    """

    entity: str
    value: str
    canonical_value: str
    start: int
    end: int
    confidence: float
    source: Source


def has_slots(output: SequenceOutput) -> bool:
    """Return whether an output tags a text with slots."""
    return output.aligned_with is not None and is_bio(set(output.labels) - set(output.special_labels))


def tagged_spans(spans: Sequence[Span], tags: Sequence[str], probabilities: Sequence[float]) -> list[TaggedSpan]:
    """Join tagged words into values.

    Args:
        spans: The span of each tagged piece of the text, in characters, in reading order.
        tags: The BIO tag of each piece. An `I-` tag without a matching tag before it begins a value.
        probabilities: The probability of each tag.

    Returns:
        The values, in reading order.
    """
    found: list[TaggedSpan] = []
    open_name = ""
    for (start, end), tag, probability in zip(spans, tags, probabilities, strict=True):
        name = tag[len(BEGIN) :] if tag.startswith((BEGIN, INSIDE)) else ""
        if name and name == open_name and tag.startswith(INSIDE):
            last = found[-1]
            found[-1] = TaggedSpan(last.start, end, name, min(last.confidence, probability))
        elif name:
            found.append(TaggedSpan(start, end, name, probability))
        open_name = name
    return found


def marked(text: str, span: Span, is_known: IsKnown) -> Span | None:
    """Narrow a span of whole words to what a person would mark.

    Args:
        text: The raw text.
        span: The span of the words, in characters.
        is_known: Returns whether the vocabulary contains a value. Known values, such as `Yahoo!`, are not trimmed.

    Returns:
        A span inside the given one, possibly extended by one closing bracket; None if there is only punctuation.
    """
    inner = _trimmed(text, *span, is_known)
    if inner is None or is_known(text[slice(*inner)]):
        return inner
    start, end = inner
    start = _after_clitics(text, start, end, is_known)
    return start, _before_ending(text, start, end, is_known)


def utf16_offsets(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Convert spans from characters to UTF-16 code units, which JavaScript and Java count.

    Args:
        text: The raw text.
        spans: Spans in characters.

    Yields:
        The same spans in UTF-16 code units.
    """
    if text.isascii():
        yield from spans
        return
    units = [0]
    for character in text:
        units.append(units[-1] + (2 if character > "\uffff" else 1))
    for start, end in spans:
        yield units[start], units[end]


def _trimmed(text: str, start: int, end: int, is_known: IsKnown) -> Span | None:
    """Trim punctuation, symbols, white space and invisible characters from both ends."""
    while start < end and not _begins_value(text, start, end):
        if is_known(text[start:end]):
            return start, end
        start += 1
    while start < end and not _ends_value(text, start, end):
        if is_known(text[start:end]):
            return start, end
        end -= 1
    closing = text[end : end + 1]
    if closing in PARTNERS and text.count(PARTNERS[closing], start, end) > text.count(closing, start, end):
        end += 1  # the bracket after `Paris (Texas`
    return (start, end) if any(map(str.isalnum, text[start:end])) else None


def _begins_value(text: str, start: int, end: int) -> bool:
    """Return whether a value can begin with the character at `start`."""
    character = text[start]
    if character.isalnum():
        return True
    if character in PARTNERS.values():
        closing = next(each for each, opening in PARTNERS.items() if opening == character)
        return closing in text[start + 1 : end - 1]
    following = text[start + 1 : min(start + 2, end)]
    return (character in BEFORE_WORDS and following.isalnum()) or (character in BEFORE_DIGITS and following.isdigit())


def _ends_value(text: str, start: int, end: int) -> bool:
    """Return whether a value can end with the character before `end`."""
    character = text[end - 1]
    if character.isalnum():
        return True
    if unicodedata.category(character)[0] == "M":
        # A combining mark belongs to the letter before it. The variation selector after an emoji has no letter.
        base = text[start : end - 1].rstrip(character)
        return bool(base) and in_word(base[-1])
    if character in PARTNERS:
        inner = text[start : end - 1]
        return inner.count(PARTNERS[character]) > inner.count(character)
    if character == "." and ABBREVIATION.search(text[start:end]):
        return True
    before = text[start : end - 1].rstrip(character + " ")
    return character in KEPT_BEHIND and before[-1:].isalnum()


def _after_clitics(text: str, start: int, end: int, is_known: IsKnown) -> int:
    """Return the start of a value after an elided article or clitics."""
    elided = ELISION.match(text, start, end)
    if elided and elided.end() < end and text[elided.end()].isalpha():
        # `L'Oréal` and `D'Angelo` are names, but in `L'hôtel` the article begins a sentence.
        if text[start].islower() or text[elided.end()].islower() or is_known(text[elided.end() : end]):
            return elided.end()
        return start
    for first in range(start + 1, min(start + LONGEST_CLITICS, end - 1)):
        if CLITICS.fullmatch(text[start:first]) and is_known(text[first:end]):
            return first
    conjunction = ARABIC_AND_ARTICLE.match(text, start, end)
    return conjunction.end() if conjunction else start


def _before_ending(text: str, start: int, end: int, is_known: IsKnown) -> int:
    """Return the end of a value before a possessive, or before an ending if the vocabulary has the value without it."""
    ending = max(text.rfind(apostrophe, start, end) for apostrophe in APOSTROPHES)
    if ending > start and text[ending + 1 : end].isalpha() and is_known(text[start:ending]):
        return ending  # as in `Paris's` and Turkish `Paris'te`
    if HANGUL.match(text, end - 1):
        for last in range(end - 1, max(start, end - LONGEST_PARTICLE - 1), -1):
            if is_known(text[start:last]):
                return last
    possessive = POSSESSIVE.search(text[start:end])
    if possessive and (text[start].islower() or NOUN_FOLLOWS.match(text, end)):
        return start + possessive.start()
    return end
