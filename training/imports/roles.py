"""Decide which columns and entities are slots, which are traits, and which are ignored."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from handler.words import in_word
from training.errors import DatasetError
from training.imports.entities import ImportedEntity
from training.imports.examples import ENTITIES, INTENT, LANGUAGE, SLOTS, Example, ImportedVocabulary, SourceFile
from training.imports.options import ImportOptions
from training.imports.report import Report
from training.imports.spans import occurrences

SAMPLE = 1000
"""Number of values per column that are searched in the texts to decide whether it is a slot."""
TWO_VALUES = "trait with two values; the first was kept"
NO_OFFSETS = "a trait: it never has offsets, but the file's other entities always do"
Values = list[tuple[str, str]]
"""Pairs of a text and a value."""


def decide_roles(
    sources: Sequence[SourceFile], vocabulary: ImportedVocabulary, options: ImportOptions, report: Report
) -> None:
    """Turn columns whose values occur in the texts into slots, and entities whose values do not into traits.

    Args:
        sources: The files. Their examples are changed in place; ignored columns and entities are removed.
        vocabulary: Synonyms of values.
        options: The options of the user, which take precedence.
        report: Records each decision and the option that overrides it.

    Raises:
        DatasetError: An option names a column or entity that no file has.
    """
    examples = [example for source in sources for example in source.examples]
    _check_names(examples, options)
    for example in examples if options.ignored else ():
        _leave_out(example, options.ignored)
    tables = [source for source in sources if not any(each.tags or each.entities for each in source.examples)]
    cells: dict[str, Values] = defaultdict(list)
    for source in tables:
        for example in source.examples:
            for name, value in example.traits.items():
                if len(cells[name]) < SAMPLE:
                    cells[name].append((example.text, value))
    slots = {name for name, values in cells.items() if _is_slot(name, values, vocabulary, options, report)}
    for source in tables:
        if any(slots & example.traits.keys() for example in source.examples):
            _make_slots(source.examples, slots)
    traits = _trait_entities(sources, vocabulary, options, report)
    for example in examples if traits else ():
        _make_traits(example, traits, report)


def _check_names(examples: Sequence[Example], options: ImportOptions) -> None:
    """Raise DatasetError if an option names a column or entity that no file has."""
    known = {name for example in examples for name in example.traits}
    known |= {entity.name for example in examples for entity in example.entities or ()}
    given = {"--slot": options.slots, "--trait": options.traits, "--ignore": options.ignored}
    given["--ignore"] -= {INTENT, LANGUAGE, SLOTS, ENTITIES, "split"}
    for option, names in given.items():
        if unknown := sorted(names - known):
            found = f"expected one of {', '.join(sorted(known))}" if known else "the files have only standard columns"
            raise DatasetError(f"{option} {unknown[0]}: no file has a column or entity with this name; {found}.")


def _leave_out(example: Example, ignored: frozenset[str]) -> None:
    """Remove the ignored columns and entities from an example."""
    example.traits = {name: value for name, value in example.traits.items() if name not in ignored}
    if example.entities:
        example.entities = [entity for entity in example.entities if entity.name not in ignored]
    if ENTITIES in ignored:
        example.entities, example.broken = None, ""
    if SLOTS in ignored:
        example.tags = ""
    for name in ignored & {INTENT, LANGUAGE, "split"}:
        setattr(example, name, "")


def _is_slot(name: str, values: Values, vocabulary: ImportedVocabulary, options: ImportOptions, report: Report) -> bool:
    """Return whether a column is a slot: as the user decided, else if half or more of its values occur in the texts.

    A value that is the whole text does not count: such a column repeats the text in another form.
    """
    whole = [_letters(text) == _letters(value) for text, value in values]
    found = sum(
        not same and bool(occurrences(text, value, vocabulary))
        for (text, value), same in zip(values, whole, strict=True)
    )
    slot = name in options.slots or (name not in options.traits and 2 * found >= len(values))
    repeated = f", {sum(whole)} are the whole text" if any(whole) else ""
    other = f"--trait {name}" if slot else f"--slot {name}"
    report.columns[name] = (
        f"a {'slot' if slot else 'trait'}: {found} of {len(values)} values are parts of the text{repeated} "
        f"(override with {other}, or omit it with --ignore {name})"
    )
    return slot


def _make_slots(examples: Iterable[Example], slots: set[str]) -> None:
    """Turn the values of slot columns into entities without offsets, which are later searched in the texts."""
    for example in examples:
        entities = example.entities or []
        entities += [ImportedEntity(name, value) for name, value in example.traits.items() if name in slots]
        example.entities = entities
        example.traits = {name: value for name, value in example.traits.items() if name not in slots}


def _trait_entities(
    sources: Sequence[SourceFile], vocabulary: ImportedVocabulary, options: ImportOptions, report: Report
) -> set[str]:
    """Return the names of entities that are traits.

    An entity with offsets is a slot. An entity that never has offsets, in a file whose other entities always do, is a
    trait, even if its value happens to occur in a text. In all other cases, it depends on the texts.
    """
    located: set[str] = set()
    unlocated: set[str] = set()
    values: dict[str, Values] = defaultdict(list)
    for source in sources:
        always, sometimes = _with_offsets(source, options)
        located |= sometimes
        names = {entity.name for example in source.examples for entity in example.entities or ()}
        if sometimes and always == sometimes:
            unlocated |= names - sometimes
        for example in source.examples:
            for entity in example.entities or ():
                if entity.name not in sometimes and entity.value.strip() and len(values[entity.name]) < SAMPLE:
                    values[entity.name].append((example.text, entity.value))
    undecided = sorted(values.keys() - located - report.columns.keys())
    traits = set()
    for name in undecided:
        if name in unlocated and name not in options.slots | options.traits:
            report.columns[name] = f"{NO_OFFSETS} (override with --slot {name}, or omit it with --ignore {name})"
            traits.add(name)
        elif not _is_slot(name, values[name], vocabulary, options, report):
            traits.add(name)
    return traits


def _with_offsets(source: SourceFile, options: ImportOptions) -> tuple[set[str], set[str]]:
    """Return the names of a file's entities that always have offsets, and of those that sometimes do."""
    have: dict[str, list[bool]] = defaultdict(list)
    for example in source.examples:
        for entity in example.entities or ():
            if entity.name not in options.traits:
                have[entity.name].append(entity.has_offsets)
    return {name for name, each in have.items() if all(each)}, {name for name, each in have.items() if any(each)}


def _make_traits(example: Example, traits: set[str], report: Report) -> None:
    """Turn some of an example's entities into traits."""
    for entity in example.entities or ():
        if entity.name in traits and entity.value.strip():
            kept = example.traits.setdefault(entity.name, entity.value)
            if kept != entity.value:
                report.note(TWO_VALUES, example, f"{entity.name} {kept!r} and {entity.value!r}")
    if example.entities:
        example.entities = [entity for entity in example.entities if entity.name not in traits]


def _letters(text: str) -> str:
    """Return a text without case, white space and punctuation, for comparison."""
    return "".join(character for character in text.casefold() if in_word(character))
