"""A bundle's vocabulary of entities: main values, their synonyms, and keywords that are found without a model.

`ludwig-serverless import` extracts it from the training data, and export copies it into the bundle. Keywords are looked
up by their folded characters, so the time depends on the length of the text and hardly on the number of keywords.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from handler.described import Described
from handler.files import StrPath, read
from handler.pattern_syntax import PatternError
from handler.patterns import Program, compiled
from handler.tokenizers import Span
from handler.words import stands_behind_clitics

FILE = "entities.json"
"""The name of the vocabulary file in a run and in a bundle. Next to a dataset, it starts with the dataset's name."""
LONGEST_ENDING = 2
"""The length of the longest English ending after an apostrophe, in letters."""
APOSTROPHES = dict.fromkeys(map(ord, "’ʼ＇‘`´"), "'")
MARKS_OF_ARABIC = dict.fromkeys(map(ord, "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652"))
"""Tatweel and vowel marks, which users often omit."""


class Value(Described, frozen=True, kw_only=True):
    """A main value and its synonyms.

    Attributes:
        value: The main value, which clients get.
        synonyms: Other spellings and words for it.
    """

    value: str
    synonyms: list[str] = msgspec.field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """The main value and its synonyms."""
        return [self.value, *self.synonyms]


Change = Literal["remove_spaces", "lowercase", "strip_diacritics"]


class Pattern(Described, frozen=True, kw_only=True):
    """A regular expression that finds values.

    Attributes:
        pattern: The expression, in the syntax of `handler.pattern_syntax`.
        whole_words: Whether a match must consist of whole words.
        changes: How to convert the text of a match to its main value.
    """

    pattern: str
    whole_words: bool = False
    changes: list[Change] = msgspec.field(default_factory=list)

    @property
    def program(self) -> Program:
        """The compiled expression. Raises PatternError, a ValueError, if it is not supported."""
        return compiled(self.pattern, whole_words=self.whole_words)


class EntityWords(Described, frozen=True, kw_only=True):
    """The vocabulary of one entity.

    Attributes:
        name: The entity.
        values: Its main values with their synonyms.
        keywords: The words that the handler finds in a text without a model: some of `values`, or none.
        patterns: Regular expressions that find values in a text without a model.
    """

    name: str
    values: list[Value] = msgspec.field(default_factory=list)
    keywords: list[str] = msgspec.field(default_factory=list)
    patterns: list[Pattern] = msgspec.field(default_factory=list)


class Match(NamedTuple):
    """A keyword in a text, with offsets in characters."""

    start: int
    end: int
    entity: str
    canonical_value: str


class EntityVocabulary:
    """The vocabularies of all loaded bundles."""

    def __init__(self, entities: Iterable[EntityWords]) -> None:
        """Index the words of all entities. If a word of an entity has several main values, the first one wins."""
        self._main: dict[tuple[str, str], str] = {}
        self._keywords: dict[str, dict[str, str]] = {}
        self._lengths: dict[str, set[int]] = {}
        self._patterns: list[tuple[str, Pattern]] = []
        unique: list[EntityWords] = []
        for entity in entities:  # all bundles of a bot may have the same
            if entity not in unique:
                unique.append(entity)
        for entity in unique:
            for value in entity.values:
                self._main.setdefault((entity.name, folded(value.value)), value.value)
        for entity in unique:
            for value in entity.values:
                for word in value.synonyms:
                    self._main.setdefault((entity.name, folded(word)), value.value)
            for keyword in entity.keywords:
                self._add_keyword(entity.name, keyword)
            self._patterns += [(entity.name, pattern) for pattern in entity.patterns]

    def __bool__(self) -> bool:
        return bool(self._main or self._keywords or self._patterns)

    def main_value(self, entity: str, value: str) -> str | None:
        """Return the main value of a value or synonym, or None if the vocabulary does not contain it.

        Args:
            entity: The entity.
            value: The value, in any case and spacing.

        Returns:
            The main value.
        """
        return self._main.get((entity, folded(value)))

    def keywords_in(self, text: str) -> list[Match]:
        """Find keywords in a text: whole words, in any case and with any white space between them.

        Args:
            text: The raw text.

        Returns:
            The longest match of each entity at each position, in reading order. Matches of one entity do not overlap.
        """
        if not self._keywords:
            return []
        characters, origins = _folded_characters(text)
        found: list[Match] = []
        ends: dict[str, int] = {}
        for first, origin in enumerate(origins):
            if first and origins[first - 1] == origin:
                continue  # inside a character that folds to several characters
            for entity, (last, main) in self._longest(characters, first, text, origins).items():
                if origin >= ends.get(entity, 0):
                    ends[entity] = last
                    found.append(Match(origin, last, entity, main))
        return found

    def patterns_in(self, text: str) -> list[Match]:
        """Find patterns in a text.

        Args:
            text: The raw text.

        Returns:
            The matches of all patterns. Those of different patterns may overlap.
        """
        return [
            Match(start, end, entity, self.main_value(entity, text[start:end]) or _changed(text[start:end], pattern))
            for entity, pattern in self._patterns
            for start, end in pattern.program.find(text)
        ]

    def _add_keyword(self, entity: str, keyword: str) -> None:
        words = folded(keyword)
        if any(map(str.isalnum, words)):
            self._keywords.setdefault(words, {}).setdefault(entity, self.main_value(entity, keyword) or keyword.strip())
            self._lengths.setdefault(words[0], set()).add(len(words))

    def _longest(self, characters: str, first: int, text: str, origins: Sequence[int]) -> dict[str, tuple[int, str]]:
        """Return the longest keyword of each entity that begins at `first`: its end in the text and its main value."""
        found: dict[str, tuple[int, str]] = {}
        for length in sorted(self._lengths.get(characters[first], ())):
            last = first + length
            keyword = self._keywords.get(characters[first:last])
            if keyword is None or last > len(characters):
                continue
            end = origins[last - 1] + 1
            while end < len(text) and not _fold(text[end]):
                end += 1  # a vowel mark that people may leave out
            is_cut = last < len(characters) and origins[last] < end
            if not is_cut and _is_whole(text, (origins[first], end)):
                found |= {entity: (end, main) for entity, main in keyword.items()}
        return found


@lru_cache(maxsize=4096)
def folded(value: str) -> str:
    """Return a value without differences in case, white space, Unicode form and Arabic vowel marks."""
    if value.isascii() and value.isprintable() and "`" not in value:
        return " ".join(value.casefold().split())  # the same, and fast
    return _folded_characters(value.strip())[0]


def read_entities(path: StrPath) -> list[EntityWords]:
    """Read a vocabulary file.

    Args:
        path: The JSON file.

    Returns:
        The vocabulary of each entity.

    Raises:
        ValueError: The file is malformed, or a pattern is not supported.
    """
    entities = msgspec.json.decode(read(path), type=list[EntityWords])
    for entity in entities:
        for pattern in entity.patterns:
            try:
                pattern.program  # noqa: B018
            except PatternError as error:
                raise PatternError(f"the pattern {pattern.pattern!r} of {entity.name!r}: {error}") from None
    return entities


def _changed(value: str, pattern: Pattern) -> str:
    """Apply the changes of a pattern to the text of a match, in Hexabot's order."""
    if "remove_spaces" in pattern.changes:
        value = "".join(value.split())
    if "lowercase" in pattern.changes:
        value = value.lower()
    if "strip_diacritics" in pattern.changes:
        decomposed = unicodedata.normalize("NFD", value)
        value = "".join(each for each in decomposed if unicodedata.category(each) != "Mn")
    return value


def _is_whole(text: str, span: Span) -> bool:
    """Return whether a keyword is made of whole words. Arabic and Hebrew clitics and Korean particles may adjoin it."""
    start, end = span
    if end - start <= LONGEST_ENDING and _fold(text[start - 1 : start]) == "'":
        return False  # part of `it's` or `I'll`
    return stands_behind_clitics(text, start, end)


def _folded_characters(text: str) -> tuple[str, list[int]]:
    """Return the folded characters of a text, and the index in the text that each one comes from."""
    characters: list[str] = []
    origins: list[int] = []
    for position, character in enumerate(text):
        for each in _fold(character):
            if each == " " and (not characters or characters[-1] == " "):
                continue
            characters.append(each)
            origins.append(position)
    return "".join(characters), origins


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """Fold one character, so that `É` equals `é`, and a composed letter equals a decomposed one."""
    if character.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", character.translate(APOSTROPHES))
    return plain.casefold().translate(MARKS_OF_ARABIC)
