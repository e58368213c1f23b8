"""Decide whether a text contains enough evidence to trust the predicted language.

A language model answers every text, and is often confident about a booking code, a name, or a word that several
languages share. So its answer counts only if the text contains enough of the language: words that training saw in no
other language, letters of a script that no other language uses, or else many letters together with a confident answer.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, cached_property

import msgspec

from handler.described import Described

LONGEST = 1_000
"""How many characters of a text to examine. They are more than enough evidence for any language."""

CODE = re.compile(r"[\d@/\\_#]|\w\.\w")
"""What occurs in booking codes, times, email addresses, URLs and file names, but not in ordinary words."""

WORD = re.compile(r"[^\W\d_]+")
WITHOUT_SPACES = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
"""Scripts without spaces between words. Each of their letters counts as a word."""
LATIN = "LATIN"
"""The script of all letters in ASCII."""


class Evidence(Described, frozen=True, kw_only=True, dict=True):
    """What counts as evidence of a language.

    Attributes:
        letters: How many letters in ordinary words are enough if the model is confident.
        words: Words that training saw in one language only, in the form of `words_of`: by label, joined by spaces.
        scripts: The labels of the languages that training saw in each script, such as {"ARABIC": ["ar"]}. If empty,
            scripts are not evidence.
    """

    letters: int
    words: dict[str, str] = msgspec.field(default_factory=dict)
    scripts: dict[str, list[str]] = msgspec.field(default_factory=dict)

    @cached_property
    def languages(self) -> dict[str, str]:
        """The language of each known word."""
        return {word: label for label, words in self.words.items() for word in words.split()}

    def judge(self, text: str, label: str) -> bool | None:
        """Return whether a text is evidence of a language.

        Args:
            text: What the user wrote.
            label: The language that the model predicts.

        Returns:
            True if the text alone proves the language, False if it is no evidence of it, and None if the model's
            confidence must decide.
        """
        words = words_of(text)
        # A text of codes and numbers is no evidence of any language.
        if not words:
            return False
        # A script that training never saw in this language rules it out; one that only this language uses proves it.
        if self.scripts:
            written_so = self.scripts.get(main_script(words), [])
            if label not in written_so:
                return False
            if len(written_so) == 1:
                return True
        # Known words prove the language if they all belong to it.
        known = self.languages
        if {known[word] for word in words if word in known} == {label}:
            return True
        # Otherwise a long text leaves the decision to the confidence, and a short one is too little.
        return None if sum(map(len, words)) >= self.letters else False


def words_of(text: str) -> list[str]:
    """Return the ordinary words of a text in a normalized form.

    Args:
        text: Any text. Only the first `LONGEST` characters count.

    Returns:
        The words in NFKC form and casefolded, without codes and combining marks, such as the vowel signs of Arabic. An
        accented letter that is one character, such as `é`, keeps its accent.
    """
    folded = unicodedata.normalize("NFKC", text[:LONGEST]).casefold()
    if folded.isascii() and not CODE.search(folded):
        return WORD.findall(folded)  # the same, and fast
    if not folded.isascii():
        folded = "".join(character for character in folded if not unicodedata.category(character).startswith("M"))
    found = [word for token in folded.split() if not CODE.search(token) for word in WORD.findall(token)]
    return [part for word in found for part in (word if script_of(word[0]) in WITHOUT_SPACES else [word])]


def main_script(words: Sequence[str]) -> str:
    """Return the script of most letters in some words.

    Args:
        words: At least one word. All letters of a word count as the script of its first letter.

    Returns:
        The script, as `script_of` names it.
    """
    if all(map(str.isascii, words)):
        return LATIN
    letters: Counter[str] = Counter()
    for word in words:
        letters[script_of(word[0])] += len(word)
    return letters.most_common(1)[0][0]


@cache
def script_of(letter: str) -> str:
    """Return the script of a letter, such as LATIN or ARABIC: the first word of the letter's Unicode name."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
