"""An import: files of any kind to one dataset that training takes, and a report of every row."""

import csv
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config import SPLIT
from training.errors import DatasetError
from training.imports.entities import Entity
from training.imports.examples import INTENT, LANGUAGE, SLOTS, TEXT, Example, Source, Vocabulary
from training.imports.hexabot import are_shifted, slots_written_by_helper
from training.imports.report import Report, identical_examples
from training.imports.spans import UNKNOWN_SLOTS, UNREADABLE, Note, occurrences, place_entities
from training.imports.splits import own_splits, read_fractions, spread
from training.imports.tables import read_source
from training.imports.tags import read_tags, tags_of

DEFAULT_FRACTIONS = "0.8,0.1,0.1"
SAMPLE = 1000
"""Values of a column that are looked for in the texts before it is called a slot."""
OWN_SPLIT = "the files' own"
NO_TEXT = "no text"
NO_UNICODE = "text that is not Unicode: half of a character"
NO_LABEL = "no label: neither intent, language, slots nor a trait"
DUPLICATE = "the same text and labels as an earlier row"
NONE_INTENT = "intent 'none', which Hexabot passes over; the row has no intent now (--keep-none keeps it as a class)"
QUALIFIED = "role or group of an entity, which a dataset has no place for; name the entity by it, as [Paris](origin)"
SHIFTED = "Hexabot's tags are of other words, since white space is doubled; export with offsets"
NO_CODE = "language that is no code, as en or pt-BR are; Hexabot will not know it"
LANGUAGE_CODE = re.compile("[a-z]{2,3}([-_][A-Za-z0-9]+)*")
ENDINGS = (".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class ImportOptions:
    """What the user decides about an import.

    split: fractions of train, validation and test; "" keeps the files' own split, or else takes the default; None
    writes no split. slots and traits: names of columns or entities that are surely one or the other. columns: the
    dataset's name for a column, by the file's.
    """

    language: str = ""
    split: str | None = ""
    seed: int = 42
    keep_none: bool = False
    drop_duplicates: bool = False
    slots: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    columns: Mapping[str, str] = field(default_factory=dict)


def import_files(paths: Sequence[Path], output: Path, options: ImportOptions) -> Report:
    """Read files, write one dataset, and return what happened to each row.

    Raises DatasetError, naming file and row, if a file cannot be read or no row is left.
    """
    if output.suffix.lower() not in ENDINGS:
        raise DatasetError(f"{output} has the ending {output.suffix!r}; expected one of {', '.join(ENDINGS)}.")
    if options.language and not LANGUAGE_CODE.fullmatch(options.language):
        raise DatasetError(f"--language is {options.language!r}; expected a code, as in --language en or pt-BR.")
    fractions = read_fractions(options.split or DEFAULT_FRACTIONS)
    report = Report()
    sources = [read_source(path, options.columns) for path in paths]
    vocabulary = Vocabulary()
    for source in sources:
        report.add_source(source)
        vocabulary.add(source.vocabulary)
        source.examples = [example for example in source.examples if _is_usable(example, report)]
    _decide_roles(sources, vocabulary, options, report)
    examples = _labelled(sources, vocabulary, options, report)
    if not examples:
        raise DatasetError(f"No row is left: {_reasons(report)}.")
    report.vocabulary = {
        "synonyms": len(vocabulary.synonyms),
        "lookup tables": len(vocabulary.lookups),
        "regular expressions (not used: Ludwig has no place for them)": vocabulary.patterns,
    }
    report.count(examples)
    write_dataset(output, examples, _split(examples, fractions, options, report))
    return report


def write_dataset(output: Path, examples: Sequence[Example], splits: Sequence[int] | None) -> None:
    """Write a dataset under a temporary name, and then under its own."""
    traits = list(dict.fromkeys(name for example in examples for name in example.traits))
    names = [TEXT, INTENT, SLOTS, LANGUAGE, *traits, *([SPLIT] if splits else [])]
    rows = (
        [each.text, each.intent, each.tags, each.language, *(each.traits.get(name, "") for name in traits)]
        + ([splits[position]] if splits else [])
        for position, each in enumerate(examples)
    )
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    write = {".csv": _write_csv, ".jsonl": _write_json_lines, ".parquet": _write_parquet}[output.suffix.lower()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write(temporary, names, rows)
        temporary.replace(output)
    except OSError as error:
        raise DatasetError(f"{output} cannot be written: {error.strerror or error}.") from None
    finally:
        temporary.unlink(missing_ok=True)


def _is_usable(example: Example, report: Report) -> bool:
    """Tell whether a row has a text that can be written; record why not."""
    if not example.text.strip():
        report.drop(NO_TEXT, example)
        return False
    values = "".join((example.text, example.intent, example.language, *example.traits, *example.traits.values()))
    if not values.isascii() and not _is_unicode(values):
        report.drop(NO_UNICODE, example)
        return False
    return True


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _decide_roles(sources: Sequence[Source], vocabulary: Vocabulary, options: ImportOptions, report: Report) -> None:
    """Make slots of columns whose values stand in the texts, and traits of entities whose values do not."""
    tables = [source for source in sources if not any(each.tags or each.entities for each in source.examples)]
    cells: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for source in tables:
        for example in source.examples:
            for name, value in example.traits.items():
                if len(cells[name]) < SAMPLE:
                    cells[name].append((example.text, value))
    slots = {name for name, values in cells.items() if _is_slot(name, values, vocabulary, options, report)}
    for source in tables:
        if any(slots & example.traits.keys() for example in source.examples):
            _make_slots(source.examples, slots)
    _make_traits([example for source in sources for example in source.examples], vocabulary, options, report)


def _is_slot(
    name: str, values: Sequence[tuple[str, str]], vocabulary: Vocabulary, options: ImportOptions, report: Report
) -> bool:
    """Tell whether at least half of the values stand in their texts, unless the user has said it."""
    found = sum(bool(occurrences(text, value, vocabulary)) for text, value in values)
    slot = name in options.slots or (name not in options.traits and 2 * found >= len(values))
    other = f"--trait {name}" if slot else f"--slot {name}"
    report.columns[name] = (
        f"a {'slot' if slot else 'trait'}: {found} of {len(values)} values stand in the text ({other} says otherwise)"
    )
    return slot


def _make_slots(examples: Iterable[Example], slots: set[str]) -> None:
    """Turn the values of some columns into entities that have to be found in the texts."""
    for example in examples:
        entities = example.entities or []
        entities += [Entity(name, value) for name, value in example.traits.items() if name in slots]
        example.entities = entities
        example.traits = {name: value for name, value in example.traits.items() if name not in slots}


def _make_traits(examples: Sequence[Example], vocabulary: Vocabulary, options: ImportOptions, report: Report) -> None:
    """Turn entities into traits that never have offsets and whose values are not in the texts."""
    placed: set[str] = set()
    values: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for example in examples:
        for entity in example.entities or ():
            if entity.start is not None and entity.name not in options.traits:
                placed.add(entity.name)
            elif len(values[entity.name]) < SAMPLE:
                values[entity.name].append((example.text, entity.value))
    undecided = values.keys() - placed - report.columns.keys()
    traits = {name for name in sorted(undecided) if not _is_slot(name, values[name], vocabulary, options, report)}
    for example in examples if traits else ():
        for entity in example.entities or ():
            if entity.name in traits:
                example.traits.setdefault(entity.name, entity.value)
        if example.entities:
            example.entities = [entity for entity in example.entities if entity.name not in traits]


def _labelled(
    sources: Sequence[Source], vocabulary: Vocabulary, options: ImportOptions, report: Report
) -> list[Example]:
    """Return the examples that have a label, with their tags."""
    examples = []
    for source in sources:
        for example in source.examples:
            if qualified := [f"{each.name} ({each.qualifier})" for each in example.entities or () if each.qualifier]:
                report.note(QUALIFIED, example, ", ".join(qualified))
            _tag(example, source, vocabulary, report)
            if example.intent == "none" and not options.keep_none:
                report.note(NONE_INTENT, example, example.text)
                example.intent = ""
            if example.intent or example.language or example.tags or example.traits:
                _complete_language(example, options.language, report)
                examples.append(example)
            else:
                report.drop(NO_LABEL, example)
    if options.drop_duplicates:
        repeated = {id(each) for alike in identical_examples(examples) for each in alike[1:]}
        for example in examples:
            if id(example) in repeated:
                report.drop(DUPLICATE, example)
        examples = [example for example in examples if id(example) not in repeated]
    return examples


def _complete_language(example: Example, language: str, report: Report) -> None:
    """Fill a missing language; report one that Hexabot would not know."""
    if example.language and not LANGUAGE_CODE.fullmatch(example.language):
        report.note(NO_CODE, example, example.language)
    example.language = example.language or language


def _tag(example: Example, source: Source, vocabulary: Vocabulary, report: Report) -> None:
    """Give an example the tags of its words; none if they cannot be known."""
    unknown = False

    def note(finding: str, found: str) -> None:
        nonlocal unknown
        unknown = unknown or finding in UNKNOWN_SLOTS
        report.note(finding, example, found)

    if example.broken:
        note(UNREADABLE, example.broken)
    elif example.entities or (example.entities is not None and not example.tags):
        spans = place_entities(example.text, example.entities, vocabulary, source.units, note)
        example.tags = " ".join(tags_of(example.text, spans, note))
    elif example.tags:
        example.tags = " ".join(_given_tags(example, source, note))
    if unknown:
        example.tags = ""


def _given_tags(example: Example, source: Source, note: Note) -> list[str]:
    """Return the tags that a file gives; none if they do not fit."""
    if source.rewritten_tags:
        spans = slots_written_by_helper(example.text, example.tags)
        if spans is not None:
            return tags_of(example.text, spans, note)
        if are_shifted(example.text):
            note(UNREADABLE, f"{SHIFTED}: {example.text[:60]!r}")
            return []
    tags = read_tags(example.text, example.tags)
    if tags is None:
        words = len(example.text.split())
        note(UNREADABLE, f"expected {words} BIO tags for {example.text[:60]!r}, found {example.tags[:60]!r}")
    return tags or []


def _split(
    examples: Sequence[Example], fractions: Sequence[float], options: ImportOptions, report: Report
) -> Sequence[int] | None:
    """Return the split of each row, or None where there is none to write."""
    if options.split is None:
        return None
    splits, origin = (None if options.split else own_splits(examples)), OWN_SPLIT
    if splits is None:
        splits, origin = spread(examples, fractions, options.seed), "by intent, templates and duplicates together"
        if any(example.split for example in examples) and not options.split:
            report.notes.append("The files' own split was replaced: expected 0, 1 or 2 in each row, with some 0 and 1.")
    if splits is None:
        report.notes.append("The rows are too few or too alike to be split: training will split them at random.")
    else:
        report.count_splits(examples, splits, origin)
        if origin == OWN_SPLIT:
            report.count_shared(examples, splits)
    return splits


def _reasons(report: Report) -> str:
    dropped = [f"{len(rows)} dropped: {reason} ({rows[0]['place']})" for reason, rows in report.dropped.items()]
    return "; ".join(dropped + [note.removesuffix(".") for note in report.notes]) or "the files hold no examples"


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for row in rows:  # a carriage return ends a row for readers, but is not quoted for that by the writer
            (quoting if any("\r" in str(value) for value in row) else writer).writerow(row)


def _write_json_lines(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")


def _write_parquet(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import pandas as pd

    pd.DataFrame(list(rows), columns=list(names)).to_parquet(path, index=False)
