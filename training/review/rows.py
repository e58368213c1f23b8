"""The desk of suspicious rows of a dataset: a model's surest mistakes, and similar texts with different intents."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.cells import cell
from export.rows import read_rows, with_named_columns
from training.errors import DatasetError, EvaluationError
from training.evaluation.answers import Records
from training.evaluation.evaluate import FOLDER, METRICS, read_evaluation
from training.evaluation.metrics import text_column_of
from training.imports.examples import INTENT, LANGUAGE, SLOTS, TEXT
from training.imports.spans import Span
from training.imports.tags import read_tags, spans_of, tags_of
from training.imports.writing import write_table
from training.review.desk import Choice, Desk, Item
from training.review.grouping import contradictory
from training.review.journal import Decision, Journal, Mark
from training.review.messages import journal_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 200
"""The most mistakes and the most groups of similar texts."""
NEAR = 0.85
"""The cosine similarity of character n-grams from which two texts count as nearly identical."""


def row_desk(dataset: Path, output: Path, runs: Sequence[Path] = ()) -> Desk:
    """Return a desk for the suspicious rows of a dataset. The dataset itself stays unchanged.

    Args:
        dataset: The rows: CSV, TSV, JSON, JSON Lines or Parquet, with the columns `text` and `intent`.
        output: The corrected dataset: .csv, .jsonl or .parquet. The journal is beside it.
        runs: Runs of `fit`, or folders that `evaluate` wrote, whose mistakes come first.

    Raises:
        DatasetError: A column is missing.
        EvaluationError: A run has no evaluation of intents or slots.
        ReviewError: The journal cannot be read or written.
    """
    rows = with_named_columns(read_rows(dataset), [TEXT, INTENT, SLOTS, LANGUAGE])
    if missing := [name for name in (TEXT, INTENT) if name not in rows]:
        raise DatasetError(
            f"{dataset} lacks the columns {missing}; it has {list(rows.columns)}. Convert it with `ludwig-serverless "
            "import`."
        )
    items = _items(rows)
    mistakes = _mistakes(items, runs)
    twins = contradictory([item.text for item in items], [item.choices[0].label for item in items], NEAR)[:SHOWN]
    grouped = {items[position].id for group in twins for position in group}
    groups = [[item] for item in mistakes.values() if item.id not in grouped]
    groups += [[_twin(items, group, position, mistakes) for position in group] for group in twins]
    journal = Journal(journal_of(output))
    known = sorted({item.choices[0].label for item in items})

    def write(path: Path, decisions: Sequence[Decision]) -> None:
        write_corrected(path, rows, [item.id for item in items], decisions)

    return Desk(groups, journal, {output: write}, known)


def row_ids(texts: Sequence[str], intents: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Return an id for each row that survives added and moved rows: a digest of its content and of its repetition.

    Args:
        texts: The text of each row.
        intents: The intent of each row.
        tags: The slot tags of each row.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    ids = []
    for row in zip(texts, intents, tags, strict=True):
        content = "\0".join((*row, str(seen[row])))
        ids.append(hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24])
        seen[row] += 1
    return ids


def write_corrected(output: Path, rows: "pd.DataFrame", ids: Sequence[str], decisions: Sequence[Decision]) -> None:
    """Write a dataset with the corrections, in its own order and with all of its columns.

    Args:
        output: The corrected dataset.
        rows: The original rows.
        ids: The id of each row.
        decisions: All decisions that hold. Rows without one stay as they are.

    Raises:
        DatasetError: The file cannot be written.
    """
    decided = {decision.id: decision for decision in decisions}
    names = [str(name) for name in rows.columns]
    corrected = []
    for name, record in zip(ids, rows.to_dict("records"), strict=True):
        decision = decided.get(name)
        if decision is None or decision.kind == "skip":
            corrected.append([record[column] for column in names])
        elif decision.kind == "label":
            changed = record | _changes(decision, record)
            corrected.append([changed[column] for column in names])
    write_table(output, names, corrected)


def _changes(decision: Decision, record: dict[Any, Any]) -> dict[str, str]:
    """Return the cells that a decision changes, as far as the dataset has their columns."""
    changes = {INTENT: decision.intent, LANGUAGE: decision.language}
    if decision.marks is not None:
        spans = [Span(mark.start, mark.end, mark.name) for mark in decision.marks]
        changes[SLOTS] = " ".join(tags_of(decision.text, spans, lambda *_: None))
    return {name: value for name, value in changes.items() if name in record}


def _items(rows: "pd.DataFrame") -> list[Item]:
    """Return an item for each row of a dataset. Its only choice is its intent."""
    columns = {
        name: [cell(value) for value in rows[name]] if name in rows else [""] * len(rows)
        for name in (TEXT, INTENT, LANGUAGE)
    }
    tags = [_tags(value) for value in rows[SLOTS]] if SLOTS in rows else [""] * len(rows)
    ids = row_ids(columns[TEXT], columns[INTENT], tags)
    return [
        Item(name, text, [Choice(intent)], language, _marks(text, tagged))
        for name, text, intent, language, tagged in zip(
            ids, columns[TEXT], columns[INTENT], columns[LANGUAGE], tags, strict=True
        )
    ]


def _tags(value: Any) -> str:
    return " ".join(map(cell, value)) if isinstance(value, list | tuple) else cell(value)


def _marks(text: str, tags: str) -> list[Mark] | None:
    """Return the slots of a row; None if they are unknown."""
    read = read_tags(text, tags) if tags else None
    return None if read is None else [Mark(span.start, span.end, span.name) for span in spans_of(text, read)]


def _mistakes(items: Sequence[Item], runs: Sequence[Path]) -> dict[str, Item]:
    """Return the rows that models answer differently, by id, the surest answers first."""
    by_text: dict[str, list[Item]] = {}
    for item in items:
        by_text.setdefault(item.text, []).append(item)
    found: dict[str, Item] = {}
    for run in runs:
        metrics, records = read_evaluation(run / FOLDER if not (run / METRICS).is_file() else run)
        outputs = [name for name in (INTENT, SLOTS) if name in metrics["outputs"]]
        if not outputs:
            raise EvaluationError(f"{run} measures {sorted(metrics['outputs'])}; expected a model for intent or slots.")
        for name in outputs:
            for record in _surest(records, name)[:SHOWN]:
                for item in by_text.get(str(record[text_column_of(metrics)]), ()):
                    noted = (_wrong_intent if name == INTENT else _wrong_slots)(found.get(item.id, item), record)
                    if noted is not None:
                        found[item.id] = noted
                        break
    return found


def _surest(records: Records, name: str) -> Records:
    wrong = [record for record in records if record[name] != record[f"{name}_predictions"]]
    return sorted(wrong, key=lambda record: -record[f"{name}_probability"])


def _wrong_intent(item: Item, record: dict[str, Any]) -> Item | None:
    """Return an item with the intent that the model answers; None if the record is about another row."""
    if record[INTENT] != item.choices[0].label.strip():
        return None
    answered, confidence = record[f"{INTENT}_predictions"], float(record[f"{INTENT}_probability"])
    return _noted(item, [Choice(answered, confidence)], f"the model answers {answered} with {confidence:.0%}")


def _wrong_slots(item: Item, record: dict[str, Any]) -> Item | None:
    """Return an item with the slots that the model marks; None if the record is about another row."""
    expected, answered = (_marks(item.text, _tags(record[name])) for name in (SLOTS, f"{SLOTS}_predictions"))
    if expected is None or expected != item.marks:
        return None
    marked = ", ".join(f"{mark.name}: {item.text[mark.start : mark.end]}" for mark in answered or ()) or "no slots"
    return _noted(item, [], f"the model marks {marked}")


def _twin(items: Sequence[Item], group: Sequence[int], position: int, mistakes: dict[str, Item]) -> Item:
    """Return the item of a row with similar texts of other intents."""
    item, own = items[position], items[position].choices[0].label
    others = dict.fromkeys(items[each].choices[0].label for each in group if items[each].choices[0].label != own)
    note = f"similar texts have: {', '.join(others)}"
    return _noted(mistakes.get(item.id, item), [Choice(label) for label in others], note)


def _noted(item: Item, choices: Sequence[Choice], note: str) -> Item:
    """Return an item with more choices and another reason."""
    known = {choice.label for choice in item.choices}
    more = [choice for choice in choices if choice.label not in known]
    notes = "; ".join(filter(None, (item.note, note)))
    return Item(item.id, item.text, [*item.choices, *more], item.language, item.marks, notes)
