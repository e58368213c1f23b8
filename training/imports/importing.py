"""Import files of any format into one dataset for training, with a report."""

from collections.abc import Sequence
from pathlib import Path

from training.dataset import TEST, VALIDATION
from training.errors import DatasetError
from training.imports.examples import Example, ImportedVocabulary, SourceFile
from training.imports.labels import LANGUAGE_CODE, clean, labeled
from training.imports.options import ImportOptions
from training.imports.report import PART_NAMES, Report
from training.imports.roles import decide_roles
from training.imports.sources import read_source
from training.imports.splits import own_splits, read_fractions, spread, spread_rest
from training.imports.vocabulary import described, entity_words, is_unicode, without_refused_patterns, write_entities
from training.imports.writing import ENDINGS, write_dataset

DEFAULT_FRACTIONS = "0.8,0.1,0.1"
OWN_SPLIT = "the files' own"
SPREAD = "by intent, templates and duplicates together"
BY_FILE = "by the files of --validation and --test, the other rows by intent"
NO_TEXT = "no text"
NO_SAMPLES = (
    "The file has no samples. Hexabot exports none while its list of samples shows the dataset 'all': choose train or "
    "test there, and export each"
)
NO_UNICODE = "text that is not valid Unicode: half of a surrogate pair"


def import_files(paths: Sequence[Path], output: Path, options: ImportOptions) -> Report:
    """Read files and write one dataset.

    Args:
        paths: Training data in any supported format.
        output: The path of the dataset, which ends in .csv, .jsonl or .parquet.
        options: The options of the user.

    Returns:
        The report of all rows.

    Raises:
        DatasetError: A file cannot be read, or no row remains. The message names the file and row.
    """
    if output.suffix.lower() not in ENDINGS:
        raise DatasetError(f"{output} has the extension {output.suffix!r}; expected one of {', '.join(ENDINGS)}.")
    if options.language and not LANGUAGE_CODE.fullmatch(options.language):
        raise DatasetError(f"--language is {options.language!r}; expected a code such as en or pt-BR.")
    fractions = read_fractions(options.split or DEFAULT_FRACTIONS)
    report = Report()
    sources = _read_sources(paths, options)
    vocabulary = ImportedVocabulary()
    for source in sources:
        report.add_source(source)
        vocabulary.add(source.vocabulary)
        for example in source.examples:
            clean(example, report)
        source.examples = [example for example in source.examples if _is_usable(example, report)]
    decide_roles(sources, vocabulary, options, report)
    examples = labeled(sources, vocabulary, options, report)
    if not examples:
        raise DatasetError(f"No row remains: {_reasons(report)}.")
    report.vocabulary = {
        "synonyms": len(vocabulary.synonyms),
        "lookup tables": len(vocabulary.lookups),
        "regular expressions": sum(map(len, vocabulary.patterns.values())),
    }
    report.count(examples)
    write_dataset(output, examples, _split(examples, fractions, options, report))
    report.notes += without_refused_patterns(vocabulary)
    entities = entity_words(examples, vocabulary)
    write_entities(output, entities)
    report.entities = described(entities)
    return report


def _read_sources(paths: Sequence[Path], options: ImportOptions) -> list[SourceFile]:
    """Read all files. Rows of --validation and --test files belong to that split."""
    given: list[tuple[Path, int | None]] = [(path, None) for path in paths]
    given += [
        (path, part) for part, files in ((VALIDATION, options.validation), (TEST, options.test)) for path in files
    ]
    resolved = [path.resolve() for path, _ in given]
    if options.split is None and len(given) > len(paths):
        raise DatasetError("--no-split conflicts with --validation and --test: remove one of them.")
    if twice := [path for path, _ in given if resolved.count(path.resolve()) > 1]:
        raise DatasetError(f"{twice[0]} is given twice: a row can be in only one split.")
    sources = []
    for path, part in given:
        source = read_source(path, options.columns, header=options.header)
        source.kind += f", for {PART_NAMES[part]}" if part is not None else ""
        if "Hexabot" in source.kind and not source.examples and not source.dropped:
            source.notes.append(f"{NO_SAMPLES}.")
        for example in source.examples:
            example.part = part
        sources.append(source)
    return sources


def _is_usable(example: Example, report: Report) -> bool:
    """Return whether a row has a valid text. If not, record why."""
    if not example.text.strip():
        report.drop(NO_TEXT, example)
        return False
    names = (entity.name for entity in example.entities or ())
    labels = (example.intent, example.language, example.tags, *example.traits, *example.traits.values(), *names)
    values = "".join((example.text, *labels))
    if not is_unicode(values):
        report.drop(NO_UNICODE, example)
        return False
    return True


def _split(
    examples: Sequence[Example], fractions: Sequence[float], options: ImportOptions, report: Report
) -> Sequence[int] | None:
    """Return the split of each row, or None to write no split."""
    if options.split is None:
        return None
    by_file = any(example.part is not None for example in examples)
    splits, origin = (None if options.split else own_splits(examples)), OWN_SPLIT
    if splits is None:
        spread_rows, origin = (spread_rest, BY_FILE) if by_file else (spread, SPREAD)
        splits = spread_rows(examples, fractions, options.seed)
        if any(example.split for example in examples) and not options.split:
            report.notes.append(
                "The files' own split was replaced: expected 0, 1 or 2 in every row, with at least one 0 and one 1."
            )
    if splits is None:
        report.notes.append(
            "There are too few rows, or they are too similar, to split them: training will split them at random."
        )
    else:
        report.count_splits(examples, splits, origin)
        if origin != SPREAD:
            report.count_shared(examples, splits)
    return splits


def _reasons(report: Report) -> str:
    dropped = [f"{len(rows)} dropped: {reason} ({rows[0]['place']})" for reason, rows in report.dropped.items()]
    return "; ".join(dropped + [note.removesuffix(".") for note in report.notes]) or "the files contain no examples"
