"""Augment training rows: add copies with typos, other case or punctuation, dropped words, or swapped slot values.

Only training rows are copied, after the split. A copy never equals a validation or test text, so nothing leaks.
Words keep their tags. A slot's value is replaced by a value of the same slot: one of another training row, or one of
the vocabulary of entities, which `import` makes of lookup tables, lists of values and synonyms.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from export.console import say
from export.features import column_of, is_tagger, tagged_text
from handler.decoding import BEGIN, INSIDE, OUTSIDE
from handler.vocabulary import EntityWords
from training.config import SPLIT, Config, columns
from training.dataset import TRAIN, text_key
from training.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

MOST = 20
"""Maximum number of copies per row; more would repeat each other."""
TRIES = 5
"""Number of attempts to make a copy that differs from all texts."""
SHORTEST_TYPO = 4
"""Minimum length of a word that gets a typo, in letters."""
FEWEST_WORDS = 4
"""Minimum length of a text from which a word is dropped, in words."""


class Word(NamedTuple):
    """A word and its tag.

    Attributes:
        text: The word.
        tag: Its BIO tag; `OUTSIDE` if the rows have no tags.
    """

    text: str
    tag: str


class Taken(NamedTuple):
    """Texts that a copy must not repeat.

    Attributes:
        exact: The texts of all rows and copies.
        held: The texts of validation and test rows, in lower case.
    """

    exact: set[str]
    held: set[str]


Values = Mapping[str, Sequence[tuple[str, ...]]]
"""The known values of each slot, as words."""
Change = Callable[[list[Word], Values, np.random.Generator], list[Word]]


def with_copies(
    config: Config, rows: "pd.DataFrame", copies: int, seed: int, entities: bytes | None = None
) -> "pd.DataFrame":
    """Add changed copies of the training rows, and print the number of copies of each kind.

    Args:
        config: A configuration with one input text; columns that it does not read are ignored.
        rows: Rows with a column `split` and, if the configuration learns slots, one tag per word.
        copies: Maximum number of copies per training row; copies that equal another row are skipped.
        seed: Seed of the changes.
        entities: The vocabulary of entities as JSON, whose words are further values of the slots of the same names.

    Returns:
        The rows, followed by the copies.

    Raises:
        ConfigError: The configuration reads more than one column, or the number of copies is not allowed.
    """
    import pandas as pd

    if not 1 <= copies <= MOST:
        raise ConfigError(f"--augment is {copies}: expected 1 to {MOST} copies of each training row.")
    inputs = columns(config, "input_features")
    if len(inputs) != 1:
        raise ConfigError(
            f"--augment needs a single input text, but the configuration reads {inputs}: remove --augment."
        )
    text, slots = inputs[0], _slots_column(config)
    random, counts, train = np.random.default_rng(seed), Counter[str](), rows[rows[SPLIT] == TRAIN]
    held = [each for each in rows.loc[rows[SPLIT] != TRAIN, text] if isinstance(each, str)]
    taken = Taken({*rows[text]}, {*map(text_key, held)})
    originals = [(row, _words(row[text], row[slots] if slots else None)) for row in train.to_dict("records")]
    values = with_listed(slot_values([words for _, words in originals]), entities)
    made: list[dict[Any, Any]] = []
    for row, words in originals:
        for _ in range(copies if words else 0):
            kind, changed = _new(words, values, taken, random)
            if kind:
                counts[kind] += 1
                tags = {slots: " ".join(word.tag for word in changed)} if slots else {}
                made.append(row | {text: " ".join(word.text for word in changed)} | tags)
    listed = ", ".join(f"{number} with {kind}" for kind, number in sorted(counts.items()))
    say(f"Augmented {len(train)} training rows with {len(made)} copies: {listed or 'no row can be changed'}.")
    return pd.concat([rows, pd.DataFrame(made, columns=rows.columns, dtype=object)], ignore_index=True).astype(
        {SPLIT: int}
    )


def slot_values(texts: Sequence[Sequence[Word]]) -> Values:
    """Return the distinct values of each slot, in the order of the texts."""
    values: dict[str, dict[tuple[str, ...], None]] = {}
    for words in texts:
        for first, last in _spans(words):
            value = tuple(word.text for word in words[first:last])
            values.setdefault(words[first].tag[len(BEGIN) :], {})[value] = None
    return {slot: list(found) for slot, found in values.items()}


def with_listed(values: Values, entities: bytes | None) -> Values:
    """Return the values of each slot, and those that a vocabulary of entities lists for it.

    Args:
        values: The values of each slot in the training rows. Entities that are no slot of these rows are left out.
        entities: The vocabulary as JSON, or None.
    """
    listed: dict[str, list[tuple[str, ...]]] = {}
    for entity in msgspec.json.decode(entities, type=list[EntityWords]) if entities else ():
        words = [tuple(word.split()) for value in entity.values for word in value.words]
        listed.setdefault(entity.name, []).extend(filter(None, words))
    return {slot: list(dict.fromkeys([*found, *listed.get(slot, ())])) for slot, found in values.items()}


def _slots_column(config: Config) -> str | None:
    """Return the column of the tags, if the configuration learns slots."""
    tagged = [column_of(feature) for feature in config["output_features"] if is_tagger(feature)]
    if len(tagged) > 1 or (tagged and tagged_text(config) is None):
        raise ConfigError(f"--augment supports a single column of tags, but found {tagged}: remove --augment.")
    return tagged[0] if tagged else None


def _words(text: object, tags: object) -> list[Word]:
    """Return the words of a text with their tags; an empty list if their numbers differ."""
    found = text.split() if isinstance(text, str) else []
    labels = tags.split() if isinstance(tags, str) else [OUTSIDE] * len(found)
    return [Word(*each) for each in zip(found, labels, strict=True)] if len(found) == len(labels) else []


def _new(words: list[Word], values: Values, taken: Taken, random: np.random.Generator) -> tuple[str, list[Word]]:
    """Return the kind of a change and the changed words, which no row has; "" if none was found."""
    kinds = list(CHANGES)
    for _ in range(TRIES):
        kind = kinds[random.integers(len(kinds))]
        changed = CHANGES[kind](words, values, random)
        key = " ".join(word.text for word in changed)
        if changed != words and key not in taken.exact and text_key(key) not in taken.held:
            taken.exact.add(key)
            return kind, changed
    return "", words


def _typo(words: list[Word], values: Values, random: np.random.Generator) -> list[Word]:
    """Swap two adjacent letters of a word, or drop or double one."""
    places = [index for index, word in enumerate(words) if len(word.text) >= SHORTEST_TYPO and word.text.isalpha()]
    if not places:
        return words
    index = places[random.integers(len(places))]
    letters = words[index].text
    at = int(random.integers(len(letters) - 1))
    pair = letters[at : at + 2]
    typo = letters[:at] + (pair[::-1], pair[1], pair[0] + pair)[random.integers(3)] + letters[at + 2 :]
    return [*words[:index], words[index]._replace(text=typo), *words[index + 1 :]]


def _case(words: list[Word], values: Values, random: np.random.Generator) -> list[Word]:
    """Change a text to lower case, upper case, or an initial capital."""
    change = (str.lower, str.upper, str.capitalize)[random.integers(3)]
    if change is str.capitalize:
        return [words[0]._replace(text=words[0].text[:1].upper() + words[0].text[1:]), *words[1:]]
    return [word._replace(text=change(word.text)) for word in words]


def _punctuation(words: list[Word], values: Values, random: np.random.Generator) -> list[Word]:
    """Remove or replace the punctuation at the end of a text. A slot's last word keeps its spelling."""
    last = words[-1]
    bare = last.text.rstrip(".!?؟。")
    if last.tag != OUTSIDE or not bare:
        return words
    return [*words[:-1], last._replace(text=bare + ("", ".", "!", "?")[random.integers(4)])]


def _dropped(words: list[Word], values: Values, random: np.random.Generator) -> list[Word]:
    """Drop a word outside slots."""
    places = [index for index, word in enumerate(words) if word.tag == OUTSIDE]
    if len(words) < FEWEST_WORDS or not places:
        return words
    index = places[random.integers(len(places))]
    return [*words[:index], *words[index + 1 :]]


def _swapped(words: list[Word], values: Values, random: np.random.Generator) -> list[Word]:
    """Replace a slot's value by another value of the same slot, in lower case if the whole text is."""
    spans = _spans(words)
    if not spans:
        return words
    first, last = spans[random.integers(len(spans))]
    slot = words[first].tag[len(BEGIN) :]
    value = values[slot][int(random.integers(len(values[slot])))]
    if not any(word.text != word.text.lower() for word in words):
        value = tuple(text.lower() for text in value)
    replaced = [Word(text, (INSIDE if place else BEGIN) + slot) for place, text in enumerate(value)]
    return [*words[:first], *replaced, *words[last:]]


CHANGES: Mapping[str, Change] = {
    "a typo": _typo,
    "another case": _case,
    "other punctuation": _punctuation,
    "a dropped word": _dropped,
    "a swapped slot value": _swapped,
}


def _spans(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Return the first word of each slot's value, and the one after its last."""
    spans = []
    for first, word in enumerate(words):
        if word.tag.startswith(BEGIN):
            inside, last = INSIDE + word.tag[len(BEGIN) :], first + 1
            while last < len(words) and words[last].tag == inside:
                last += 1
            spans.append((first, last))
    return spans
