"""Decide whether a text contains enough evidence to trust the predicted language.

A language model answers every text, and is often sure of a booking code, of a name, or of a word that several languages
share. So its answer is believed only where the text holds enough of a language: words that training saw in this
language alone, or letters of a script that only this language has, or else many letters and a sure answer.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache, cached_property

import msgspec

from handler.described import Described

LONGEST = 1_000
"""Characters of a text that are looked at: they hold more evidence than any language needs."""

CODE = re.compile(r"[\d@/\\_#]|\w\.\w")
"""What booking codes, times, addresses of mail and of pages, and names of files hold, and ordinary words do not."""

WORD = re.compile(r"[^\W\d_]+")
WITHOUT_SPACES = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"})
"""Scripts that put no spaces between words; each of their letters counts as a word."""


class Evidence(Described, frozen=True, kw_only=True, dict=True):
    """What counts as evidence of a language.

    letters: this many letters in ordinary words are enough, if the model is sure.
    words: words that training saw in one language alone, as `words_of` writes them, by label, joined by spaces.
    scripts: the labels of the languages that training saw in each script, such as {"ARABIC": ["ar"]}; where there are
        none, no text is judged by its script.
    """

    letters: int
    words: dict[str, str] = msgspec.field(default_factory=dict)
    scripts: dict[str, list[str]] = msgspec.field(default_factory=dict)

    @cached_property
    def languages(self) -> dict[str, str]:
        """The label of each known word."""
        return {word: label for label, words in self.words.items() for word in words.split()}

    def judge(self, text: str, label: str) -> bool | None:
        """Judge whether a text is evidence enough for a language.

        Args:
            text: What a person wrote.
            label: The language that the model answers.

        Returns:
            True where the text itself proves the language, False where it shows nothing, and None where the model's
            confidence decides.
        """
        words = words_of(text)
        if not words:
            return False
        if self.scripts:
            written_so = self.scripts.get(main_script(words), [])
            if label not in written_so:
                return False
            if len(written_so) == 1:
                return True
        if {self.languages[word] for word in words if word in self.languages} == {label}:
            return True
        return None if sum(map(len, words)) >= self.letters else False


def words_of(text: str) -> list[str]:
    """Return the ordinary words of a text, folded to one case and form, without codes and without marks on letters.

    Marks are the vowels of Arabic and the like. A letter with an accent, such as `é`, is one character and keeps it.
    """
    folded = unicodedata.normalize("NFKC", text[:LONGEST]).casefold()
    if not folded.isascii():
        folded = "".join(character for character in folded if not unicodedata.category(character).startswith("M"))
    found = [word for token in folded.split() if not CODE.search(token) for word in WORD.findall(token)]
    return [part for word in found for part in (word if script_of(word[0]) in WITHOUT_SPACES else [word])]


def main_script(words: Sequence[str]) -> str:
    """Return the script that most letters of some words are of. Each word counts as its first letter's."""
    letters: Counter[str] = Counter()
    for word in words:
        letters[script_of(word[0])] += len(word)
    return letters.most_common(1)[0][0]


@cache
def script_of(letter: str) -> str:
    """Return the script of a letter, such as LATIN or ARABIC: Unicode's names of letters begin with it."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
