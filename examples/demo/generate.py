"""Generate the demo dataset from the hand-written grammar of a trilingual travel agency bot."""

import argparse
import csv
import io
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
DATASET = HERE / "dataset.csv"
COLUMNS = ("text", "intent", "slots", "language", "split")
LANGUAGES = ("en", "fr", "ar")
TRAIN, VALIDATION, TEST = 0, 1, 2  # Ludwig's convention for the split column
SHARES = {VALIDATION: 0.12, TEST: 0.18}
RENDERINGS = 2
LOWERCASED = 0.3
SEED = "sindbad"

HEADER = re.compile(r"\[(intent|values|unseen) ([a-z_ ]+)\]")
PLACEHOLDER = re.compile(r"\{([a-z_]+)(?:=([^}]+))?\}")


class Grammar(NamedTuple):
    """One language: the templates of each intent, the values of each slot, and those that train must not contain."""

    intent: dict[str, list[str]]
    values: dict[str, list[str]]
    unseen: dict[str, list[str]]


class Row(NamedTuple):
    """A labeled text and its template."""

    text: str
    intent: str
    slots: str
    language: str
    split: int
    template: str


def read_grammar(language: str) -> Grammar:
    """Read the grammar file of a language."""
    grammar = Grammar({}, {}, {})
    sections: list[list[str]] = []
    for line in (HERE / "grammar" / f"{language}.txt").read_text("utf-8").splitlines():
        if header := HEADER.fullmatch(line):
            entries: dict[str, list[str]] = getattr(grammar, header[1])
            sections = [entries.setdefault(name, []) for name in header[2].split()]
        elif line and not line.startswith("#"):
            for section in sections:
                section.append(line)
    return grammar


def split_templates(templates: list[str], rng: random.Random) -> dict[str, int]:
    """Assign a split to each template."""
    shuffled = rng.sample(templates, len(templates))
    splits = [split for split, share in SHARES.items() for _ in range(max(1, round(share * len(templates))))]
    splits += [TRAIN] * (len(templates) - len(splits))
    drawn = dict(zip(shuffled, splits, strict=True))
    return {template: drawn[template] for template in templates}


def render(template: str, grammar: Grammar, split: int, rng: random.Random) -> tuple[str, str]:
    """Fill a template and return its text with one BIO tag per token."""
    text, *rest = PLACEHOLDER.split(template)
    spans: list[tuple[int, int, str]] = []
    for slot, fixed, literal in zip(rest[0::3], rest[1::3], rest[2::3], strict=True):
        pool = grammar.values[slot] + (grammar.unseen[slot] if split != TRAIN else [])
        value = fixed or rng.choice([value for value in pool if value not in text])
        spans.append((len(text), len(text) + len(value), slot))
        text += value + literal
    if rng.random() < LOWERCASED:
        text = text.lower()
    tags = []
    for token in re.finditer(r"[^ ]+", text):
        inside = [(start, slot) for start, end, slot in spans if start < token.end() and token.start() < end]
        tags.append(("B-" if inside[0][0] >= token.start() else "I-") + inside[0][1] if inside else "O")
    return text, " ".join(tags)


def generate() -> Iterator[Row]:
    """Yield every row of the dataset, always the same ones in the same order."""
    seen: set[str] = set()
    for language in LANGUAGES:
        grammar = read_grammar(language)
        for intent, templates in grammar.intent.items():
            # One generator per intent and language, so that an edit does not change other intents.
            rng = random.Random(f"{SEED}/{language}/{intent}")
            for template, split in split_templates(templates, rng).items():
                rows: list[Row] = []
                for _ in range(RENDERINGS if PLACEHOLDER.search(template) else 1):
                    text, slots = render(template, grammar, split, rng)
                    words = " ".join(re.findall(r"\w+", text.casefold()))
                    if words not in seen:
                        seen.add(words)
                        rows.append(Row(text, intent, slots, language, split, template))
                if not rows:
                    raise ValueError(f"{language}, {intent}: {template!r} gives no text that is not there already")
                yield from rows


def to_csv(rows: list[Row]) -> str:
    """Return the rows as CSV text."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row[: len(COLUMNS)] for row in rows)
    return target.getvalue()


def to_table(rows: list[Row]) -> str:
    """Return the counts of the rows as a Markdown table."""
    counts: Counter[tuple[str, str | int]] = Counter(
        key for row in rows for key in ((row.intent, row.language), (row.intent, row.split))
    )
    columns = (*LANGUAGES, TRAIN, VALIDATION, TEST)
    lines = ["| intent | en | fr | ar | train | validation | test | all |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for intent in dict.fromkeys(row.intent for row in rows):
        cells = [counts[intent, column] for column in columns]
        lines.append(f"| `{intent}` | " + " | ".join(map(str, [*cells, sum(cells) // 2])) + " |")
    totals = [sum(counts[key] for key in counts if key[1] == column) for column in columns]
    lines.append("| all | " + " | ".join(map(str, [*totals, len(rows)])) + " |")
    return "\n".join(lines)


def main() -> int:
    """Write the dataset, or check the committed one."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Edit grammar/*.txt, run this, commit both.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if dataset.csv is out of date")
    check: bool = parser.parse_args().check
    rows = list(generate())
    if not check:
        DATASET.write_text(to_csv(rows), encoding="utf-8", newline="\n")
        print(to_table(rows))
    elif not DATASET.exists() or DATASET.read_bytes() != to_csv(rows).encode():
        print(f"{DATASET} is out of date: run {Path(__file__).name} and commit the result", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
