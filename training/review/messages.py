"""The desk of captured messages: what is reviewed, with the models' guesses, and the dataset that it becomes."""

from collections.abc import Sequence
from pathlib import Path

from handler.captured import CapturedMessage, CapturedVerdict
from training.imports.examples import INTENT, LANGUAGE, Example
from training.imports.provenance import ID, REASON, REVIEWED, TIME, VERSION
from training.imports.spans import Span
from training.imports.tags import tags_of
from training.imports.writing import write_dataset
from training.review.desk import Choice, Desk, Item
from training.review.grouping import grouped
from training.review.hexabot import write_hexabot
from training.review.journal import Decision, Journal, Mark

NEWEST = 2000
"""The most messages of a session: the groups' memory grows with the square of their number."""
REASONS = {
    "below_threshold": "below the threshold",
    "small_margin": "two intents are close",
    "fallback": "no model answered",
    "sample": "random sample",
    "shadow": "the shadow model disagrees",
}


def message_desk(
    messages: Sequence[CapturedMessage],
    output: Path,
    *,
    known: Sequence[str] = (),
    hexabot: Path | None = None,
    newest: int = NEWEST,
) -> Desk:
    """Return a desk for captured messages. Decisions of earlier sessions hold.

    Args:
        messages: The messages, the oldest first.
        output: The dataset to write: .csv, .jsonl or .parquet. The journal is beside it.
        known: Intents of the bot, besides those that a model answered.
        hexabot: Hexabot's CSV of samples to write from the same decisions.
        newest: How many messages to review at most; the newest ones.

    Raises:
        BusyError: Another review writes the same output.
        ReviewError: The journal cannot be read or written.
    """
    journal = Journal(journal_of(output))
    decided = journal.decisions
    reviewed = {each.text for each in decided.values() if each.kind == "label"}
    waiting = [each for each in messages if each.id in decided or each.text not in reviewed]
    items = message_items(waiting)
    items = [item for item in items if decided.get(item.id) is None or decided[item.id].kind == "skip"]
    items = sorted(items, key=lambda item: (item.time, item.id))[-newest:]
    groups = [[items[position] for position in group] for group in grouped([item.text for item in items])]
    outputs = {output: write_reviewed, **({hexabot: write_hexabot} if hexabot else {})}
    return Desk(groups, journal, outputs, known)


def journal_of(output: Path) -> Path:
    """Return the path of the journal of an output."""
    return output.with_name(f"{output.name}.journal")


def message_items(messages: Sequence[CapturedMessage]) -> list[Item]:
    """Return an item for each text; messages with the same text are one item, with the first one's id.

    Args:
        messages: The messages, the oldest first.
    """
    same: dict[str, list[CapturedMessage]] = {}
    for message in messages:
        if message.text.strip():
            same.setdefault(message.text, []).append(message)
    tagged = any(message.entities for message in messages)
    return [_item(alike, tagged=tagged) for alike in same.values()]


def write_reviewed(output: Path, decisions: Sequence[Decision]) -> None:
    """Write the labeled messages as a dataset, with the columns of their provenance.

    Args:
        output: The dataset: .csv, .jsonl or .parquet.
        decisions: All decisions that hold.

    Raises:
        DatasetError: The file cannot be written.
    """
    write_dataset(output, [_example(each) for each in decisions if each.kind == "label"], None)


def _item(alike: Sequence[CapturedMessage], *, tagged: bool) -> Item:
    """Return the item of messages with one text. tagged: whether any message has slots, so that none means no slots."""
    first, newest = alike[0], alike[-1]
    end, marks = 0, []
    for entity in sorted(newest.entities, key=lambda each: (each.start, each.end)):
        if end <= entity.start < entity.end <= len(newest.text) and entity.type.split() == [entity.type]:
            marks.append(Mark(entity.start, entity.end, entity.type))
            end = entity.end
    reasons = dict.fromkeys(REASONS[message.reason] for message in alike)
    return Item(
        first.id,
        first.text,
        _choices(next((each for each in reversed(alike) if each.models), newest)),
        newest.language or "",
        marks if tagged else None,
        ", ".join(reasons),
        len(alike),
        first.time,
        first.reason,
        first.version,
    )


def _choices(message: CapturedMessage) -> list[Choice]:
    """Return the intents that the models guess, the live model's best guess first."""
    verdicts = [each for name, each in message.models.items() if _is_intent(name, each)]
    verdicts = verdicts or [each for each in message.models.values() if each.output != LANGUAGE]
    best: dict[str, Choice] = {}
    for verdict in verdicts:
        given = [(verdict.label, verdict.confidence)] if verdict.label else []
        for label, confidence in (*given, *verdict.ranking):
            best.setdefault(label, Choice(label, confidence))
    return list(best.values())


def _is_intent(name: str, verdict: CapturedVerdict) -> bool:
    return INTENT in (name, verdict.output)


def _example(decision: Decision) -> Example:
    spans = [Span(mark.start, mark.end, mark.name) for mark in decision.marks or ()]
    tags = "" if decision.marks is None else " ".join(tags_of(decision.text, spans, lambda *_: None))
    captured = {
        ID: decision.id,
        TIME: decision.time,
        REASON: decision.reason,
        VERSION: decision.version,
        REVIEWED: decision.at,
    }
    return Example(
        "", 0, decision.text, decision.intent, decision.language, tags=tags, provenance=dict(captured.items())
    )
