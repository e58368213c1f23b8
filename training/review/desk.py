"""A desk: what one tab of the page reviews, what was decided so far, and the file that the decisions become."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import msgspec

from training.errors import ReviewError
from training.review.journal import Decision, Journal, Mark
from training.review.outputs import Write, write_first


class Choice(msgspec.Struct, frozen=True):
    """A label that the page suggests.

    Attributes:
        label: The label.
        confidence: The model's confidence, in [0, 1]; None if a person chose the label.
    """

    label: str
    confidence: float | None = None


class Item(msgspec.Struct, frozen=True):
    """A message, or a row of a dataset, to decide about.

    Attributes:
        id: Its id, which decisions refer to.
        text: The text.
        choices: Suggested intents; the first one is preselected.
        language: The language code; "" if unknown.
        marks: The slots; None if they are unknown.
        note: Why it is here, in words.
        count: How many messages have this text.
        time: When it was captured, in UTC as ISO 8601.
        reason: Why it was captured.
        version: The version of the service that answered it.
    """

    id: str
    text: str
    choices: list[Choice] = []
    language: str = ""
    marks: list[Mark] | None = None
    note: str = ""
    count: int = 1
    time: str = ""
    reason: str = ""
    version: str = ""


class Submission(msgspec.Struct, frozen=True):
    """What the page sends for one item.

    Attributes:
        id: The item's id.
        kind: What to do with it.
        intent: The intent.
        language: The language code.
        marks: The slots; None if they are unknown.
    """

    id: str
    kind: Literal["label", "skip", "delete", "open"]
    intent: str = ""
    language: str = ""
    marks: list[Mark] | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a desk is, in items.

    Attributes:
        total: All items.
        labeled: Items that go into the output.
        skipped: Items for later.
        deleted: Items that never go into the output.
    """

    total: int
    labeled: int
    skipped: int
    deleted: int


class Desk:
    """The items of one tab, in groups, and the decisions about them."""

    def __init__(
        self,
        groups: Sequence[Sequence[Item]],
        journal: Journal,
        outputs: Mapping[Path, Write],
        known: Iterable[str] = (),
    ) -> None:
        """Bring items and earlier decisions together, and write the outputs from them.

        Args:
            groups: The items in groups of similar ones, in the order to review them.
            journal: The decisions.
            outputs: What writes each file. The page names the first one.
            known: Intents to offer besides those of the items.
        """
        self._groups = [[item.id for item in group] for group in groups]
        self._items = {item.id: item for group in groups for item in group}
        self._journal, self._outputs, self._known = journal, dict(outputs), set(known)
        self.output = next(iter(outputs))
        self._lock = Lock()
        for output, write in self._outputs.items():
            write_first(output, write, list(journal.decisions.values()))

    def state(self) -> dict[str, Any]:
        """Return everything that the page shows, as plain values and structs."""
        with self._lock:
            decided = self._journal.decisions
            groups = [[self._items[name] for name in group if name not in decided] for group in self._groups]
            return {
                "groups": [group for group in groups if group],
                "skipped": [self._item(each) for each in decided.values() if each.kind == "skip"],
                "output": str(self.output),
                **self._summary(decided),
            }

    def decide(self, submissions: Sequence[Submission]) -> dict[str, Any]:
        """Save decisions: first in the journal, then in the output.

        Args:
            submissions: The decisions of one key.

        Returns:
            The progress and the labels, for the page.

        Raises:
            ReviewError: An id is unknown, a slot is outside the text, a label lacks an intent, or a file cannot be
                written.
        """
        with self._lock:
            self._journal.add([self._decision(submission) for submission in submissions])
            return self._saved()

    def undo(self) -> dict[str, Any]:
        """Undo the last step.

        Returns:
            The same as `decide`, and the items that are open again.

        Raises:
            ReviewError: A file cannot be written.
        """
        with self._lock:
            undone = self._journal.undo()
            decided = self._journal.decisions
            items = [self._item(decision) for decision in undone if decision.id not in decided]
            return {**self._saved(), "items": items}

    def close(self) -> None:
        """Release the journal."""
        with self._lock:
            self._journal.close()

    def _saved(self) -> dict[str, Any]:
        decided = self._journal.decisions
        for output, write in self._outputs.items():
            write(output, list(decided.values()))
        return self._summary(decided)

    def _summary(self, decided: dict[str, Decision]) -> dict[str, Any]:
        labeled = [each for each in decided.values() if each.kind == "label"]
        everything: list[Item | Decision] = [*self._items.values(), *labeled]
        intents = {choice.label for item in self._items.values() for choice in item.choices}
        kinds = Counter(each.kind for each in decided.values())
        total = len(self._items.keys() | decided.keys())
        return {
            "progress": Progress(total, kinds["label"], kinds["skip"], kinds["delete"]),
            "intents": sorted((intents | {each.intent for each in labeled} | self._known) - {""}),
            "slots": sorted({mark.name for each in everything for mark in each.marks or ()}),
            "languages": sorted({each.language for each in everything} - {""}),
        }

    def _item(self, decision: Decision) -> Item:
        """Return a decision's item. The journal has it if the captured message has expired meanwhile."""
        if decision.id not in self._items:
            self._groups.insert(0, [decision.id])
            self._items[decision.id] = Item(
                decision.id,
                decision.text,
                [Choice(decision.intent)] if decision.intent else [],
                decision.language,
                decision.marks,
                time=decision.time,
                reason=decision.reason,
                version=decision.version,
            )
        return self._items[decision.id]

    def _decision(self, submission: Submission) -> Decision:
        item = self._items.get(submission.id)
        if item is None:
            raise ReviewError("The page and the server disagree about the messages: reload the page.")
        if submission.kind == "delete":
            return Decision(item.id, "delete")
        marks = None if submission.marks is None else sorted(submission.marks)
        _check_marks(item.text, marks or ())
        if submission.kind == "label" and not submission.intent.strip():
            raise ReviewError("The message has no intent: choose one, or skip the message.")
        return Decision(
            item.id,
            submission.kind,
            item.text,
            submission.intent.strip(),
            submission.language.strip(),
            marks,
            item.time,
            item.reason,
            item.version,
        )


def _check_marks(text: str, marks: Sequence[Mark]) -> None:
    """Raise ReviewError unless sorted marks are in the text and apart from each other."""
    end = 0
    for mark in marks:
        if not end <= mark.start < mark.end <= len(text) or not mark.name.strip() or " " in mark.name:
            raise ReviewError(
                "A slot overlaps another one, is outside the text, or has a name with a space: mark it again."
            )
        end = mark.end
