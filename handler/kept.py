"""Keep what a function returns for a word, since most words of a message were in earlier messages."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

WORDS = 1024
"""How many words each function keeps in memory."""
LONGEST = 24
"""The length in characters of the longest words that are kept. Longer ones are rare, and their results are large."""


def kept_by_word[Result](function: Callable[..., Result]) -> Callable[..., Result]:
    """Keep the results of a pure function for the words of the last calls.

    Args:
        function: A function of a word and of other hashable arguments. Its result must not change.

    Returns:
        The same function, faster for words that it has seen.
    """
    kept = lru_cache(WORDS)(function)

    @wraps(function)
    def call(word: str, *others: Any) -> Result:
        return kept(word, *others) if len(word) <= LONGEST else function(word, *others)

    return call
