"""Nested values in records: intents in the output of Rasa's parser, metadata, and JSON in cells."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from training.imports.examples import ENTITIES, INTENT, LANGUAGE, SLOTS, TEXT

METADATA, SPLIT = "metadata", "split"


class PlainValues:
    """Convert nested values in records to plain values, and record what is left out.

    A label or trait is never the string form of a Python object.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._unread: dict[str, list[int]] = {}

    def of(self, record: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Return a record with single values as labels and traits.

        Args:
            record: Values of any type, by the dataset's names. JSON in cells is parsed.
            number: The row number, for the notes.

        Returns:
            The record without values that cannot be labels or traits. `entities` and `slots` keep their lists.
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
        """Return messages about values that were left out.

        Args:
            unit: What the file calls a row, such as `line`.
        """
        notes = [
            f"{len(numbers)} rows have a list or object in {name!r} (the first is {unit} {numbers[0]}); expected one "
            "label, so these rows have none."
            for name, numbers in self._unread.items()
        ]
        if self._left:
            names = ", ".join(map(repr, self._left))
            notes.append(f"Lists and objects cannot be traits and were left out: {names}.")
        return notes


def _parsed(value: Any) -> Any:
    """Return the list or object of a cell with JSON or a Python literal, or else the value itself."""
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
    """Return the only value of a list, or the name of an intent in Rasa's parser output; None for anything else."""
    if isinstance(nested, Mapping):
        return nested["name"] if isinstance(nested.get("name"), str) else None
    return nested[0] if len(nested) == 1 and not isinstance(nested[0], Mapping | list | tuple) else None


def _joined(nested: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return the text of a list of words; "" for anything else."""
    words = nested if not isinstance(nested, Mapping) else ()
    return " ".join(words) if all(isinstance(word, str) for word in words) else ""


def _language_of(metadata: Mapping[str, Any]) -> str:
    """Return the language in Rasa's metadata, of the example or of its intent; "" for none."""
    for part in (metadata, metadata.get("example"), metadata.get(INTENT)):
        if isinstance(part, Mapping) and isinstance(part.get(LANGUAGE), str):
            return str(part[LANGUAGE])
    return ""
