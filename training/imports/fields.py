"""Values of records that are objects or lists: intents as Rasa's parser answers them, metadata, JSON in cells."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from training.imports.examples import ENTITIES, INTENT, LANGUAGE, SLOTS, TEXT

METADATA, SPLIT = "metadata", "split"


class PlainValues:
    """Makes plain values of the objects and lists in records, and remembers what was left out.

    No label or trait is ever the text of a Python object.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._unread: dict[str, list[int]] = {}

    def of(self, record: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Return a record whose labels and traits are single values.

        Args:
            record: Values by the dataset's names, of any type. Cells that hold JSON are read.
            number: Of the row, for the notes.

        Returns:
            The record without values that are no label or trait. `entities` and `slots` keep their lists.
        """
        read: dict[str, Any] = {}
        language = ""
        for name, value in record.items():
            nested = value if name == TEXT else _parsed(value)
            if not isinstance(nested, Mapping | list | tuple) or name == ENTITIES or (name == SLOTS and nested):
                read[name] = nested
            elif name == TEXT:
                read[name] = _joined(nested)
            elif name == METADATA and isinstance(nested, Mapping):
                language = language or _language_of(nested)
                if nested.keys() - {LANGUAGE, "example", INTENT}:
                    self._left.setdefault(name, number)
            elif (single := _single(nested)) is not None:
                read[name] = single
            elif nested and name in (INTENT, LANGUAGE, SPLIT):
                self._unread.setdefault(name, []).append(number)
            elif nested:
                self._left.setdefault(name, number)
        if language and not read.get(LANGUAGE):
            read[LANGUAGE] = language
        return read

    def notes(self, unit: str) -> list[str]:
        """Return what was left out, for a person; rows are counted in `unit`."""
        notes = [
            f"{len(numbers)} rows have a list or object in {name!r} (the first is {unit} {numbers[0]}); expected one "
            "label, so they have none now."
            for name, numbers in self._unread.items()
        ]
        if self._left:
            names = ", ".join(map(repr, self._left))
            notes.append(f"Lists and objects are no traits, and were left out: {names}.")
        return notes


def _parsed(value: Any) -> Any:
    """Return the list or object that a cell holds as JSON or as Python wrote it, or the value itself."""
    if not isinstance(value, str) or (value[:1], value[-1:]) not in {("[", "]"), ("{", "}")}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value
    return found if isinstance(found, dict | list) else value


def _single(nested: Mapping[str, Any] | Sequence[Any]) -> Any:
    """Return the one value of a list, or the name in an intent as Rasa's parser answers it; None for anything else."""
    if isinstance(nested, Mapping):
        return nested["name"] if isinstance(nested.get("name"), str) else None
    return nested[0] if len(nested) == 1 and not isinstance(nested[0], Mapping | list | tuple) else None


def _joined(nested: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return the words of a text that a file has as a list; "" for anything else."""
    words = nested if not isinstance(nested, Mapping) else ()
    return " ".join(words) if all(isinstance(word, str) for word in words) else ""


def _language_of(metadata: Mapping[str, Any]) -> str:
    """Return the language in Rasa's metadata, of the example or of its intent; "" for none."""
    for part in (metadata, metadata.get("example"), metadata.get(INTENT)):
        if isinstance(part, Mapping) and isinstance(part.get(LANGUAGE), str):
            return str(part[LANGUAGE])
    return ""
