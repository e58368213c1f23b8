"""Replace personal data that has a recognizable form, such as e-mail addresses and phone numbers, in stored texts.

Names, street addresses and dates of birth have no such form, so they stay. Dates, amounts with thousands separators and
numbers of up to five digits stay too, because slots need them. Every pattern takes time that is linear in the length of
the text: its repeats are bounded, or a lookbehind lets a match begin only where a run of its characters begins.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Kind = Literal["url", "email", "iban", "ip", "token", "card", "phone", "number"]
Span = tuple[int, int]

URL = re.compile(
    r"[a-z]{2,12}://[^\s<>\"]+"
    r"|(?<![\w.@/-])www\.[^\s<>\"]+"
    r"|(?<![\w.@/-])(?:[a-z0-9-]+\.)+[a-z]{2,24}[/?][^\s<>\"]+",
    re.IGNORECASE,
)
"""Addresses with a scheme or with `www.`, and domains with a path or a query."""
LATIN_EMAIL = re.compile(
    r"(?<![a-z0-9._%+'\u00c0-\u024f-])[a-z0-9._%+'\u00c0-\u024f-]+ ?[@\uff20] ?(?:[a-z0-9-]+\.)+[a-z]{2,}",
    re.IGNORECASE,
)
"""Addresses in Latin letters, also between Chinese characters or Arabic letters."""
OTHER_EMAIL = re.compile(r"(?<![^\s<>])[^\s@\uff20<>]+[@\uff20][^\s@\uff20<>.]+\.[^\s@\uff20<>]+")
"""Words of any script that look like an address."""
IBAN = re.compile(r"(?<![a-z0-9])[a-z]{2}\d{2}", re.IGNORECASE | re.ASCII)
"""The country and the check digits, which begin an account number."""
GROUP = re.compile(r"[ -]?[a-z0-9]+", re.IGNORECASE | re.ASCII)
IP_4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
IP_6 = re.compile(r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
TOKEN = re.compile(r"(?<![\w.+/=-])[a-z0-9_.+/=-]{20,}", re.IGNORECASE)
"""Long words that may be keys, identifiers or JSON Web Tokens."""
PLAIN = re.compile(
    r"(?<![\d+])(?<!\d[./-])(?:"
    r"(?:19|20|١٩|٢٠|۱۹|۲۰)\d\d[./-]\d{1,2}[./-]\d{1,2}"
    r"|\d{1,2}[./-]\d{1,2}[./-](?:(?:19|20|١٩|٢٠|۱۹|۲۰)\d\d|\d\d)"
    r"|(?:19|20|١٩|٢٠|۱۹|۲۰)\d\d[\u2013-](?:19|20|١٩|٢٠|۱۹|۲۰)\d\d"
    r"|[1-9]\d{0,2}(?:\.\d{3}){1,4}"
    r")(?![./-]?\d)"
)
"""Dates, ranges of years, and amounts such as 1.500.000: digits that stay."""
DIGITS = re.compile(
    r"[+(\uff0b]?\d(?:[\s./()\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff-]{0,3}\d)+"
)
"""Digits of any script, with the spaces, signs and invisible direction marks between the groups of a phone number."""

IBAN_LENGTHS, IBAN_DIGITS = range(15, 35), 10
"""The numbers of characters of an account number, and the least digits of what counts as one."""
CARD_LENGTHS, PHONE_LENGTHS, LONG_NUMBER = range(13, 20), range(7, 16), 6
"""The numbers of digits of cards, of phone numbers, and from which on a number without separators is replaced."""
AFTER_URL = ".,;:!?)]}'\u2019\u201d\u00bb\u060c\u061b\u061f\u3002"
"""Punctuation that ends a sentence rather than a URL."""


class Replacement(NamedTuple):
    """A part of the raw text, and what replaces it.

    Attributes:
        start: Position of its first character in the raw text.
        end: Position after its last character in the raw text.
        kind: The kind of data; `<kind>` replaces it.
    """

    start: int
    end: int
    kind: Kind


class Scrubbed(NamedTuple):
    """A scrubbed text.

    Attributes:
        text: The text, in which `<email>`, `<phone>` and so on replace personal data.
        replacements: What was replaced, in reading order, without overlaps.
    """

    text: str
    replacements: Sequence[Replacement]

    def moved(self, start: int, end: int) -> tuple[Span, bool] | None:
        """Return where a span of the raw text is in the scrubbed text.

        Args:
            start: Position of its first character in the raw text.
            end: Position after its last character in the raw text.

        Returns:
            The span in the scrubbed text, and whether a replacement is inside it. None if a replacement covers only a
            part of the span, or more than the span.
        """
        shift, grown, touched = 0, 0, False
        for replaced in self.replacements:
            difference = len(replaced.kind) + 2 - (replaced.end - replaced.start)
            if replaced.end <= start:
                shift += difference
            elif start <= replaced.start and replaced.end <= end:
                grown, touched = grown + difference, True
            elif replaced.start < end:
                return None
        return (start + shift, end + shift + grown), touched


def scrub(text: str) -> Scrubbed:
    """Replace personal data that has a recognizable form.

    Args:
        text: The raw text.

    Returns:
        The scrubbed text and its replacements.
    """
    found: list[Replacement] = []
    for find in (_urls, _latin_emails, _other_emails, _ibans, _ip_4, _ip_6, _tokens, _numbers):
        # Each kind is searched only in the pieces between the parts that earlier kinds replace.
        edges = [0, *(edge for each in found for edge in (each.start, each.end)), len(text)]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            found += [Replacement(first + start, first + end, kind) for start, end, kind in find(text[first:last])]
        found.sort()
    parts, position = [], 0
    for start, end, kind in found:
        parts += [text[position:start], f"<{kind}>"]
        position = end
    return Scrubbed("".join([*parts, text[position:]]), found)


def _urls(piece: str) -> Iterator[Replacement]:
    for match in URL.finditer(piece):
        yield Replacement(match.start(), match.start() + len(match[0].rstrip(AFTER_URL)), "url")


def _latin_emails(piece: str) -> Iterator[Replacement]:
    return (Replacement(*match.span(), "email") for match in LATIN_EMAIL.finditer(piece))


def _other_emails(piece: str) -> Iterator[Replacement]:
    for match in OTHER_EMAIL.finditer(piece):
        yield Replacement(match.start(), match.start() + len(match[0].rstrip(AFTER_URL)), "email")


def _ibans(piece: str) -> Iterator[Replacement]:
    last = 0
    for match in IBAN.finditer(piece):
        if match.start() >= last and (found := _iban_end(piece, match.start())):
            last = found
            yield Replacement(match.start(), last, "iban")


def _iban_end(piece: str, start: int) -> int | None:
    """Return where an account number ends: where its check digits are right, or else after its last group."""
    position, number, longest = start, "", None
    while (group := GROUP.match(piece, position)) and len(number) + len(group[0]) <= IBAN_LENGTHS[-1] + 1:
        position, number = group.end(), number + group[0].strip(" -")
        if len(number) in IBAN_LENGTHS and sum(map(str.isdigit, number)) >= IBAN_DIGITS:
            # ISO 7064: with the first four characters at the end and letters as numbers from 10 on, it is 1 modulo 97.
            if int("".join(str(int(each, 36)) for each in number[4:] + number[:4])) % 97 == 1:
                return position
            longest = position if any(map(str.isdigit, group[0])) else longest
    return longest


def _ip_4(piece: str) -> Iterator[Replacement]:
    for match in IP_4.finditer(piece):
        if all(int(part) < 256 for part in match[0].split(".")):
            yield Replacement(*match.span(), "ip")


def _ip_6(piece: str) -> Iterator[Replacement]:
    for match in IP_6.finditer(piece):
        # A time such as 10:30:15 has neither "::" nor eight groups.
        if ("::" in match[0] or match[0].count(":") == 7) and any(map(str.isdigit, match[0])):
            yield Replacement(*match.span(), "ip")


def _tokens(piece: str) -> Iterator[Replacement]:
    for match in TOKEN.finditer(piece):
        digits = sum(map(str.isdigit, match[0]))
        if digits >= 3 and sum(map(str.isalpha, match[0])) >= 3:
            yield Replacement(match.start(), match.start() + len(match[0].rstrip(AFTER_URL)), "token")


def _numbers(piece: str) -> Iterator[Replacement]:
    plain = [match.span() for match in PLAIN.finditer(piece)]
    edges = [0, *(edge for span in plain for edge in span), len(piece)]
    # The parts between dates and amounts. A number may extend over its word, and so over the next number.
    for position, last in zip(edges[::2], edges[1::2], strict=True):
        first = position
        for match in DIGITS.finditer(piece, first, last):
            if match.start() >= first and (kind := _kind(match[0])):
                begin, first = _whole_word(piece, *match.span(), first, last)
                yield Replacement(begin, first, kind)


def _kind(found: str) -> Kind | None:
    """Return what a sequence of digits with separators is; None if it stays."""
    digits = [int(each) for each in found if each.isdecimal()]
    separated = len(digits) < len(found)
    if len(digits) in CARD_LENGTHS and _passes_luhn(digits):
        return "card"
    if len(digits) in PHONE_LENGTHS and (separated or digits[0] == 0):
        return "phone"
    return "number" if len(digits) >= (PHONE_LENGTHS[0] if separated else LONG_NUMBER) else None


def _passes_luhn(digits: Sequence[int]) -> bool:
    """Return whether the last digit is the check digit of the others, as on payment cards (ISO/IEC 7812)."""
    # Every second digit from the right, beginning before the check digit, counts twice; 16 counts as 1 + 6.
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _whole_word(text: str, start: int, end: int, lowest: int, highest: int) -> Span:
    """Extend a number by the ASCII letters and digits around it, as in `AB123456C`, but not beyond a range."""
    while start > lowest and text[start - 1].isascii() and text[start - 1].isalnum():
        start -= 1
    while end < highest and text[end].isascii() and text[end].isalnum():
        end += 1
    return start, end
