"""The report of an import: a summary on stderr, and every row as JSON."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.console import say
from training.dataset import SMALLEST_STRATUM, tell_near_equal, text_key
from training.errors import DatasetError
from training.imports.examples import INTENT, LANGUAGE, SLOTS, Example, SourceFile
from training.imports.spans import UNKNOWN_SLOTS
from training.imports.splits import PARTS, template

SHOWN = 5
PART_NAMES = ("train", "validation", "test")
COUNTED = (INTENT, LANGUAGE, "entity")
Rows = list[dict[str, Any]]


@dataclass
class Report:
    """What an import did with its rows. Each row is identified by its file and row number.

    Attributes:
        files: Path, format and number of rows of each file.
        notes: Messages about skipped content.
        dropped: Rows that the dataset lacks, by reason.
        findings: Rows that the dataset has but the import changed or doubts, by finding.
        columns: For each extra column or entity, whether it is a slot or a trait, and why.
        vocabulary: Number of synonyms, lookup tables and regular expressions.
        entities: What the vocabulary for the bundles has, a line for each entity.
        read: Number of rows read.
        kept: Number of rows in the dataset.
        counts: Number of rows per label, by column.
        small: Labels with fewer than ten rows, by column.
        without: Number of rows without a label, by column.
        conflicts: Texts that have different labels in different rows.
        duplicates: Rows with the same text and labels.
        splits: Origin and sizes of the split.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dropped: dict[str, Rows] = field(default_factory=lambda: defaultdict(list))
    findings: dict[str, Rows] = field(default_factory=lambda: defaultdict(list))
    columns: dict[str, str] = field(default_factory=dict)
    vocabulary: dict[str, int] = field(default_factory=dict)
    entities: list[str] = field(default_factory=list)
    read: int = 0
    kept: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    small: dict[str, dict[str, int]] = field(default_factory=dict)
    without: dict[str, int] = field(default_factory=dict)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    splits: dict[str, Any] = field(default_factory=dict)

    def add_source(self, source: SourceFile) -> None:
        """Record a file and its rows without an example."""
        rows = len(source.examples) + len(source.dropped)
        self.files.append({"file": str(source.path), "kind": source.kind, "rows": rows})
        self.notes += [f"{source.path}: {note}" for note in source.notes]
        self.read += rows
        for place, row, reason, found in source.dropped:
            self.dropped[reason].append({"place": f"{place} {row}", "found": found})

    def drop(self, reason: str, example: Example) -> None:
        """Record that a row is dropped."""
        self.dropped[reason].append({"place": place_of(example), "found": printable(example.text)})

    def note(self, finding: str, example: Example, found: str) -> None:
        """Record a finding about a row that is kept.

        Args:
            finding: The kind of finding.
            example: The row.
            found: Details.
        """
        self.findings[finding].append({"place": place_of(example), "found": printable(found)})

    def count(self, examples: Sequence[Example]) -> None:
        """Count the rows of the dataset: labels, small classes, duplicates, and texts with different labels."""
        self.kept = len(examples)
        entities = Counter(tag[2:] for example in examples for tag in example.tags.split() if tag.startswith("B-"))
        labels = (
            Counter(example.intent for example in examples),
            Counter(example.language for example in examples),
            entities,
        )
        for name, counter in zip(COUNTED, labels, strict=True):
            self.counts[name] = {label: count for label, count in counter.most_common() if label}
            self.small[name] = {label: n for label, n in self.counts[name].items() if n < SMALLEST_STRATUM}
        self.without = {
            INTENT: labels[0][""],
            LANGUAGE: labels[1][""],
            SLOTS: sum(not example.tags for example in examples),
        }
        self._compare(examples)

    def count_splits(self, examples: Sequence[Example], splits: Sequence[int], origin: str) -> None:
        """Count the rows of each part, and record which intents a part lacks.

        Args:
            examples: The rows of the dataset.
            splits: 0, 1 or 2 for each row.
            origin: Where the split comes from, for the report.
        """
        parts_of: dict[str, set[int]] = defaultdict(set)
        for example, part in zip(examples, splits, strict=True):
            parts_of[example.intent].add(part)
        sizes = Counter(splits)
        self.splits = {
            "origin": origin,
            "rows": {PART_NAMES[part]: sizes[part] for part in PARTS},
            "intents_without": {
                PART_NAMES[part]: sorted(label for label, parts in parts_of.items() if label and part not in parts)
                for part in PARTS
                if sizes[part]
            },
            "templates_in_two_parts": 0,
        }

    def count_shared(self, examples: Sequence[Example], splits: Sequence[int]) -> None:
        """Count the templates (including plain texts) with rows in more than one part."""
        shared: dict[str, set[int]] = defaultdict(set)
        for example, part in zip(examples, splits, strict=True):
            shared[template(example)].add(part)
        self.splits["templates_in_two_parts"] = sum(len(parts) > 1 for parts in shared.values())

    def trainable(self) -> list[str]:
        """Return the columns that a model can be trained on: labels with at least two values, and slots if any."""
        enough = {INTENT: len(self.counts[INTENT]) > 1, LANGUAGE: len(self.counts[LANGUAGE]) > 1}
        return [name for name, found in {**enough, SLOTS: bool(self.counts["entity"])}.items() if found]

    def as_json(self) -> str:
        """Return the full report, with all rows, as JSON."""
        return json.dumps(
            {
                "files": self.files,
                "rows": {"read": self.read, "kept": self.kept, "dropped": sum(map(len, self.dropped.values()))},
                "dropped": _listed(self.dropped),
                "findings": _listed(self.findings),
                "columns": self.columns,
                "vocabulary": self.vocabulary,
                "entities": self.entities,
                "counts": self.counts,
                "fewer_than": {"rows": SMALLEST_STRATUM, "labels": self.small},
                "rows_without": self.without,
                "same_text_under_two_labels": self.conflicts,
                "duplicates": self.duplicates,
                "splits": self.splits,
                "notes": self.notes,
            },
            indent=1,
            ensure_ascii=False,
        )

    def write(self, path: Path) -> None:
        """Write the full report as JSON.

        Raises:
            DatasetError: The file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.as_json() + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise DatasetError(f"Cannot write {path}: {error.strerror or error}.") from None

    def tell(self, *, quotes: bool = True) -> None:
        """Print a summary to stderr.

        Args:
            quotes: Whether to quote the first rows of each finding.
        """
        for file in self.files:
            say(f"Read {file['rows']} rows from {printable(file['file'])} ({file['kind']}).")
        dropped = sum(map(len, self.dropped.values()))
        say(f"Kept {self.kept} rows, dropped {dropped}.")
        for reason, rows in self.dropped.items():
            _tell_rows(f"Dropped {len(rows)}: {reason}", rows, quotes=quotes)
        for name, why in self.columns.items():
            say(f"{name!r} is {why}.")
        for finding, rows in self.findings.items():
            lost = "; these rows now have no slots" if finding in UNKNOWN_SLOTS else ""
            _tell_rows(f"Found {len(rows)}: {finding}{lost}", rows, quotes=quotes)
        self._tell_comparison(quotes=quotes)
        self._tell_counts()
        self._tell_splits()
        for note in self.notes:
            say(f"Note: {printable(note)}")

    def _compare(self, examples: Sequence[Example]) -> None:
        """Find duplicates and texts with different labels."""
        same: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            same[text_key(example.text)].append(example)
        for alike in same.values():
            if len(alike) == 1:
                continue
            for column in (INTENT, LANGUAGE, "tags"):
                labels: dict[str, list[str]] = defaultdict(list)
                for example in alike:
                    if label := getattr(example, column):
                        labels[label].append(place_of(example))
                if len(labels) > 1:
                    name = SLOTS if column == "tags" else column
                    self.conflicts.append({"text": alike[0].text, "column": name, "labels": dict(labels)})
            for identical in identical_examples(alike):
                self.duplicates.append({"text": identical[0].text, "places": [place_of(each) for each in identical]})

    def _tell_comparison(self, *, quotes: bool) -> None:
        for column in (INTENT, LANGUAGE, SLOTS):
            found = [conflict for conflict in self.conflicts if conflict["column"] == column]
            rows = [{"place": _first_places(each["labels"]), "found": printable(each["text"])} for each in found]
            if rows:
                _tell_rows(f"Texts with more than one {column}: {len(rows)}", rows, quotes=quotes)
        if self.duplicates:
            rows = [
                {"place": ", ".join(each["places"][:2]), "found": printable(each["text"])} for each in self.duplicates
            ]
            more = sum(len(each["places"]) - 1 for each in self.duplicates)
            _tell_rows(f"Duplicate rows: {more} (drop them with --drop-duplicates)", rows, quotes=quotes)

    def _tell_counts(self) -> None:
        for name in COUNTED:
            if counted := self.counts.get(name):
                say(f"Rows per {name}: {_first(f'{label} {count}' for label, count in counted.items())}.")
                tell_near_equal(name, counted)
            if small := self.small.get(name):
                say(f"  Fewer than {SMALLEST_STRATUM}: {_first(f'{label} {count}' for label, count in small.items())}.")
        for column, count in self.without.items():
            advice = " (set it with --language CODE)" if column == LANGUAGE else ""
            if count:
                say(f"{count} rows have no {column}{advice}: `fit` skips them when it learns {column}.")
        if any(self.vocabulary.values()):
            say("Used " + ", ".join(f"{count} {kind}" for kind, count in self.vocabulary.items()) + ".")
        if self.entities:
            say(f"For the bundles: {_first(self.entities)}.")

    def _tell_splits(self) -> None:
        if not self.splits:
            return
        rows = ", ".join(f"{count} {part}" for part, count in self.splits["rows"].items())
        say(f"Split ({self.splits['origin']}): {rows}.")
        for part, labels in self.splits["intents_without"].items():
            if labels:
                say(f"  Intents without {part} rows: {_first(labels)}.")
        if shared := self.splits["templates_in_two_parts"]:
            say(f"  {shared} templates are in more than one part, so the test metrics will be too optimistic.")


def identical_examples(examples: Sequence[Example]) -> list[list[Example]]:
    """Return groups of two or more examples with the same text and labels."""
    same: dict[tuple[Any, ...], list[Example]] = defaultdict(list)
    for example in examples:
        labels = (example.text, example.intent, example.language, example.tags, *sorted(example.traits.items()))
        same[labels].append(example)
    return [alike for alike in same.values() if len(alike) > 1]


def place_of(example: Example) -> str:
    """Return the file and row of an example."""
    return f"{example.place} {example.row}"


def printable(text: str) -> str:
    """Return a text as one line that any terminal can print."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")


def _listed(rows_by_name: Mapping[str, Rows]) -> list[dict[str, Any]]:
    return [{"what": name, "count": len(rows), "rows": rows} for name, rows in rows_by_name.items()]


def _tell_rows(title: str, rows: Rows, *, quotes: bool) -> None:
    say(f"{title}.")
    if not quotes:
        return
    for row in rows[:SHOWN]:
        say(f"  {row['place']}: {row['found'][:160]}")
    if len(rows) > SHOWN:
        say(f"  ... and {len(rows) - SHOWN} more (list all with --report FILE)")


def _first_places(labels: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{label!r} at {places[0]}" for label, places in list(labels.items())[:2])


def _first(words: Any) -> str:
    words = list(words)
    return ", ".join(words[: 4 * SHOWN]) + (f" and {len(words) - 4 * SHOWN} more" if len(words) > 4 * SHOWN else "")
