"""Clean the labels of examples, and convert slots to one tag per word."""

import re
from collections.abc import Sequence

from export.labels import clean_label
from training.imports.examples import INTENT, LANGUAGE, Example, ImportedVocabulary, SourceFile
from training.imports.hexabot import are_shifted, slots_written_by_helper
from training.imports.options import ImportOptions
from training.imports.report import Report, identical_examples
from training.imports.spans import UNKNOWN_SLOTS, UNREADABLE, Note, place_entities
from training.imports.tags import read_tags, tags_of

NO_LABEL = "no label: neither intent, language, slots nor a trait"
DUPLICATE = "the same text and labels as an earlier row"
NONE_INTENT = "intent 'none', which Hexabot ignores; the row has no intent now (--keep-none keeps it as a class)"
QUALIFIED = "role or group of an entity, which a dataset cannot store; use it as the entity name, as in [Paris](origin)"
BLANKS = "white space around a label, which was removed; a blank label counts as missing"
SHIFTED = "Hexabot's tags belong to other words because of repeated white space; export with offsets"
NO_CODE = "language that is not a code such as en or pt-BR; Hexabot will not recognize it"
LANGUAGE_CODE = re.compile("[a-z]{2,3}([-_][A-Za-z0-9]+)*")


def clean(example: Example, report: Report) -> None:
    """Clean the labels of an example as Ludwig reads them, and report changes. A blank label is unknown."""
    example.split = clean_label(example.split)
    for name in (INTENT, LANGUAGE):
        given = getattr(example, name)
        setattr(example, name, clean_label(given))
        if clean_label(given) != given:
            report.note(BLANKS, example, f"{name} {given!r}")
    if changed := [f"{name} {given!r}" for name, given in example.traits.items() if clean_label(given) != given]:
        report.note(BLANKS, example, ", ".join(changed))
        traits = {name: clean_label(given) for name, given in example.traits.items()}
        example.traits = {name: label for name, label in traits.items() if label}


def labeled(
    sources: Sequence[SourceFile], vocabulary: ImportedVocabulary, options: ImportOptions, report: Report
) -> list[Example]:
    """Tag the examples, and drop those without a label.

    Args:
        sources: The files; their examples are changed in place.
        vocabulary: Synonyms and lookup tables of values.
        options: The options of the user.
        report: Records changed and dropped rows.

    Returns:
        The examples that have a label, with their tags.
    """
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
    """Fill in a missing language. Report one that Hexabot would not recognize."""
    if example.language and not LANGUAGE_CODE.fullmatch(example.language):
        report.note(NO_CODE, example, example.language)
    example.language = example.language or language


def _tag(example: Example, source: SourceFile, vocabulary: ImportedVocabulary, report: Report) -> None:
    """Set the tags of an example; "" if they are unknown."""
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


def _given_tags(example: Example, source: SourceFile, note: Note) -> list[str]:
    """Return the tags of the file, or an empty list if they do not match the words."""
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
