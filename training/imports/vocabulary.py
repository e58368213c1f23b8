"""The vocabulary of entities that an import writes next to the dataset: synonyms, keywords and patterns.

A synonym belongs to each entity that has its main value: in its lookup table, or in a text. Words of a lookup table are
keywords, which the handler finds without a model, unless the entity is a trait, another entity has the same word, or
people left the word unmarked in the texts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from handler.pattern_syntax import PatternError
from handler.vocabulary import FILE, EntityVocabulary, EntityWords, Pattern, Value, folded, read_entities
from training.errors import DatasetError
from training.imports.examples import INTENT, LANGUAGE, Example, ImportedVocabulary
from training.imports.tags import spans_of

MARKED_SHARE = 0.9
"""A keyword must be marked in at least this share of its occurrences in texts."""


def entities_path(dataset: Path) -> Path:
    """Return the path of the vocabulary of a dataset: `data.entities.json` next to `data.csv`."""
    return dataset.with_suffix(f".{FILE}")


def entity_words(examples: Sequence[Example], vocabulary: ImportedVocabulary) -> list[EntityWords]:
    """Return the vocabulary of each entity.

    Args:
        examples: The rows, with their tags.
        vocabulary: What the files say.

    Returns:
        Entities with a value that has synonyms, with keywords or with patterns, in alphabetical order.
    """
    traits = {INTENT, LANGUAGE, *(name for example in examples for name in example.traits)}
    seen: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        for entity in example.entities or ():
            seen[entity.name].append(entity.value)
    names = {*vocabulary.lookups, *vocabulary.marked, *vocabulary.keywords, *vocabulary.patterns, *seen} - traits
    names = {name for name in names if name and is_unicode(name)}
    values = {name: _values(name, seen[name], vocabulary) for name in sorted(names)}
    keywords = _keywords(values, examples, vocabulary)
    found = [
        EntityWords(
            name=name,
            values=values[name],
            keywords=keywords.get(name, []),
            patterns=_distinct(vocabulary.patterns.get(name, ())),
        )
        for name in sorted(names)
    ]
    return [each for each in found if each.keywords or each.patterns or any(value.synonyms for value in each.values)]


def without_refused_patterns(vocabulary: ImportedVocabulary) -> list[str]:
    """Leave out patterns that the handler cannot run in linear time. Returns a line for each, for the report."""
    refused = []
    for name, patterns in vocabulary.patterns.items():
        for pattern in list(patterns):
            try:
                pattern.program  # noqa: B018
            except PatternError as error:
                patterns.remove(pattern)
                refused.append(f"The pattern {pattern.pattern!r} of {name!r} was left out: {error}.")
    return refused


def write_entities(dataset: Path, entities: Sequence[EntityWords]) -> None:
    """Write the vocabulary next to a dataset, or delete an old one if there is nothing to write.

    Raises:
        DatasetError: The file cannot be written.
    """
    path = entities_path(dataset)
    try:
        if entities:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(entities), indent=1) + b"\n")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(f"Cannot write {path}: {error.strerror or error}.") from None


def entities_of(dataset: Path) -> bytes | None:
    """Return the vocabulary next to a dataset as JSON, or None if it has none.

    Raises:
        DatasetError: The file is invalid.
    """
    path = entities_path(dataset)
    if not path.is_file():
        return None
    try:
        read_entities(path)
        return path.read_bytes()
    except (ValueError, OSError) as error:
        raise DatasetError(f"{path} cannot be used: {error}. Import the data again, or delete the file.") from None


def described(entities: Iterable[EntityWords]) -> list[str]:
    """Return a line for each entity, for the report."""
    return [
        f"{each.name}: {sum(len(value.synonyms) for value in each.values)} synonyms of {len(each.values)} values, "
        f"{len(each.keywords)} keywords, {len(each.patterns)} patterns"
        for each in entities
    ]


def _values(name: str, seen: Sequence[str], vocabulary: ImportedVocabulary) -> list[Value]:
    """Return the main values of an entity with their synonyms.

    A word that stands for two main values is no synonym: nobody could tell which one is meant.
    """
    marked = vocabulary.marked.get(name, ())
    with_synonyms = [value for value in seen if value in vocabulary.main_values]
    table = [*vocabulary.lookups.get(name, ()), *with_synonyms, *(value for value, _ in marked)]
    synonyms: dict[str, list[str]] = {}
    canonical: dict[str, str] = {}
    for value in filter(is_unicode, table):
        main = canonical.setdefault(folded(value), value)
        synonyms.setdefault(main, []).extend(vocabulary.main_values.get(value, ()))
    for value, words in marked:
        if is_unicode(value):
            synonyms[canonical[folded(value)]].append(words)
    meanings = Counter(word for words in synonyms.values() for word in {folded(each) for each in words})
    # A lookup table lists synonyms among its values, too.
    is_synonym = {folded(word) for main, words in synonyms.items() for word in words if folded(word) != folded(main)}
    return [
        Value(value=main, synonyms=unique)
        for main, words in synonyms.items()
        if main.strip() and (words or folded(main) not in is_synonym)
        for unique in [_unique(main, (word for word in words if meanings[folded(word)] == 1))]
    ]


def is_unicode(value: str) -> bool:
    """Return whether a value has no half of a surrogate pair, which UTF-8 cannot hold."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _distinct(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return patterns in their order, each once."""
    return list({repr(pattern): pattern for pattern in patterns if is_unicode(pattern.pattern)}.values())


def _unique(main: str, words: Iterable[str]) -> list[str]:
    """Return words in their order, without repetitions and without the main value."""
    others = [word for word in words if word.strip() and is_unicode(word) and folded(word) != folded(main)]
    unique = {folded(word): word for word in reversed(others)}
    return list(reversed(unique.values()))


def _keywords(
    values: dict[str, list[Value]], examples: Sequence[Example], vocabulary: ImportedVocabulary
) -> dict[str, list[str]]:
    """Return the words of each entity that are found without a model."""
    words = {name: list(dict.fromkeys(word for each in known for word in each.words)) for name, known in values.items()}
    named = {name: words[name] for name in words if name in vocabulary.keywords}
    owners = Counter(word for found in words.values() for word in {folded(each) for each in found})
    tables = {
        name: [word for word in words[name] if owners[folded(word)] == 1]
        for name in words
        if name in vocabulary.lookups and name not in named
    }
    doubted = _unmarked(tables, examples)
    return named | {
        name: [word for word in found if (name, folded(word)) not in doubted] for name, found in tables.items()
    }


def _unmarked(keywords: dict[str, list[str]], examples: Sequence[Example]) -> set[tuple[str, str]]:
    """Return the keywords that people left unmarked in texts where they marked other values of the entity."""
    finder = EntityVocabulary(EntityWords(name=name, keywords=words) for name, words in keywords.items())
    marked: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    taught: set[str] = set()
    for example in examples:
        if not example.tags:
            continue
        spans = spans_of(example.text, example.tags.split())
        taught |= {span.name for span in spans}
        for match in finder.keywords_in(example.text):
            word = (match.entity, folded(example.text[match.start : match.end]))
            found[word] += 1
            marked[word] += any(
                span.name == match.entity and span.start < match.end and match.start < span.end for span in spans
            )
    return {word for word, count in found.items() if word[0] in taught and marked[word] < MARKED_SHARE * count}
