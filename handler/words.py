"""Word boundaries, and whether a part of a word represents the whole word.

A word is a run of letters, digits, marks and `_`. A part of a text may cut a word. Three rules apply:

* Chinese, Japanese, Thai and other scripts put no spaces between words, so nothing cuts their words. A digit
  next to a letter, as in `5pm`, is a word boundary. So is an apostrophe, as in `l'hôtel`.
* Arabic and Hebrew attach short words in front (`لل` in `للقاهرة`), and most languages attach endings (`s` in
  `pizzas`). What remains is the word's main part: it begins at the start of the word or right after such short words,
  and the ending after it is not longer than the part itself. Only Korean particles may be longer.
* Everything else, such as `par` in `comparing` or `parking`, is a fragment of another word.
"""

import re
import unicodedata

UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
HANGUL = re.compile(r"[\uac00-\ud7a3]")
CLITICS = re.compile(r"أ?[وف]?(?:[بكس]?(?:ال)?|لل?)|[ושהכלבמ]{1,4}")
"""Short words that are attached to the next word: Arabic's question particle, conjunctions, prepositions, future
particle and article, and the similar ones of Hebrew."""
TATWEEL = "\u0640"
"""Stretches an Arabic word without changing its meaning."""
LETTER_APOSTROPHE = "\u02bc"
"""A letter in Unicode, but people type it as an apostrophe."""


def stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether a part of a text is made of whole words, or is written in a script without spaces.

    Args:
        text: Any text.
        start: Index of the part's first character.
        end: Index after its last character.

    Returns:
        True if no letter, digit or mark of the same word is next to the part.
    """
    return not (_joins(text, start) or _joins(text, end))


def stands_behind_clitics(text: str, start: int, end: int) -> bool:
    """Return whether a part is a whole word except for Arabic or Hebrew clitics before or Korean particles after it."""
    whole_start = not _joins(text, start) or _follows_clitics(text, start)
    return whole_start and (not _joins(text, end) or bool(HANGUL.match(text, end - 1)))


def is_on_borders(text: str, start: int, end: int) -> bool:
    """Return whether a part begins and ends at word boundaries. Clitics before it count as separate words."""
    return may_begin(text, start) and not _cuts(text, end)


def is_main_part(text: str, start: int, end: int) -> bool:
    """Return whether a part represents all words that it touches.

    Args:
        text: Any text.
        start: Index of the part's first character.
        end: Index after its last character.

    Returns:
        Whether it begins at a word boundary and leaves out at most an ending of its last word.
    """
    return may_begin(text, start) and (not _cuts(text, end) or _is_ending(text, start, end))


def may_begin(text: str, position: int) -> bool:
    """Return whether a value may begin at a position: at a word boundary, or right after Arabic or Hebrew clitics."""
    return not _cuts(text, position) or _follows_clitics(text, position)


def touches_unspaced(text: str, start: int, end: int) -> bool:
    """Return whether a part has letters of a script without spaces."""
    return bool(UNSPACED.search(text, start, end))


def in_word(character: str) -> bool:
    """Return whether a character is part of a word: a letter, a digit, a mark or `_`."""
    if character == LETTER_APOSTROPHE:
        return False
    return character.isalnum() or character == "_" or _is_mark(character)


def _cuts(text: str, position: int) -> bool:
    """Return whether a position is within a word. A digit next to a letter is a boundary."""
    if not _joins(text, position):
        return False
    before, after = text[position - 1], text[position]
    return not ((before.isdigit() and after.isalpha()) or (before.isalpha() and after.isdigit()))


def _joins(text: str, position: int) -> bool:
    """Return whether a position is inside a run of word characters."""
    if not 0 < position < len(text) or not (in_word(text[position - 1]) and in_word(text[position])):
        return False
    if _is_mark(text[position]):
        return True  # a mark belongs to the letter before it, in every script
    return not (UNSPACED.match(text, position - 1) or UNSPACED.match(text, position))


def _follows_clitics(text: str, position: int) -> bool:
    """Return whether all letters of the word before a position are clitics."""
    first = position
    while first and in_word(text[first - 1]):
        first -= 1
    letters = "".join(each for each in text[first:position] if each != TATWEEL and not _is_mark(each))
    return bool(letters) and bool(CLITICS.fullmatch(letters))


def _is_ending(text: str, start: int, end: int) -> bool:
    """Return whether the rest of the word after a part can be an ending of the part's last word."""
    if text[end - 1].isdigit() or _is_mark(text[end]):
        return False  # half of a number, or of a character
    if HANGUL.match(text, end - 1):
        return True
    first, last = end, end
    while first > start and in_word(text[first - 1]):
        first -= 1
    while last < len(text) and in_word(text[last]):
        last += 1
    return _letters(text, end, last) <= _letters(text, first, end)


def _letters(text: str, start: int, end: int) -> int:
    """Count the characters of a part that are not marks."""
    return sum(not _is_mark(character) for character in text[start:end])


def _is_mark(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] == "M"
