"""Entities marked in a text, as Rasa writes them: `[Paris](city)` and its longer forms."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from training.imports.entities import ImportedEntity, read_entities

MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?=[(\[{])")
"""The marked words, directly before their description."""
PLAIN = re.compile(r"\((?P<name>[^:()]+)(?::(?P<value>(?:[^()]|\([^()]*\))*))?\)")
"""`(city)` and `(city:New York)`; a value may hold one pair of parentheses."""
NO_NAME = re.compile(r"[\"'{}\[\](),;<>`“”‘’«»]")
HALF_MARK = re.compile(r"\][({\[]")
LOOSE_MARK = re.compile(r"\]\s[({\[]")
QUOTES = ("\"'", "“”", "‘’", "«»")
DECODER = json.JSONDecoder()


class BrokenMarkError(ValueError):
    """Raised for brackets that look like a mark but are not a valid one. The message quotes them."""


class Marked(NamedTuple):
    """A text without its marks.

    Attributes:
        text: The text without marks.
        entities: The marked entities. Offsets are character indices in `text`.
        doubt: A part of the text that may be a mistyped mark; "" if there is none.
    """

    text: str
    entities: list[ImportedEntity]
    doubt: str


def read_marked(text: str) -> Marked:
    """Remove the marks from a text.

    Supported forms: `[Paris](city)`, `[NYC](city:New York)`, `[Bob]("user_name")`, `[NYC]{...}`, `[NYC]({...})`
    and `[NYC][{...}, {...}]`. `{...}` is a JSON object with `entity`, and optionally `value`, `role` and `group`.

    Args:
        text: An example of an intent.

    Returns:
        The text without marks and the entities. Other brackets stay in the text.

    Raises:
        BrokenMarkError: Brackets look like a mark but are not a valid one.
    """
    plain, entities, position = "", [], 0
    while match := MARK.search(text, position):
        plain += _unmarked(text[position : match.start()])
        start, plain = len(plain), plain + match["text"]
        found, position = _described(text, match.end())
        for name, value, qualifier in found:
            entities.append(ImportedEntity(name, value or match["text"].strip(), start, len(plain), qualifier))
    plain += _unmarked(text[position:])
    loose = LOOSE_MARK.search(plain)
    return Marked(plain, entities, plain[max(0, loose.start() - 20) : loose.end() + 20] if loose else "")


def _unmarked(text: str) -> str:
    """Return a part of a text without marks. Raises BrokenMarkError if it has half of a mark."""
    if half := HALF_MARK.search(text):
        raise BrokenMarkError(text[max(0, half.start() - 20) : half.end() + 20])
    return text


def _described(text: str, position: int) -> tuple[list[tuple[str, str, str]], int]:
    """Read the description of marked words.

    Args:
        text: The whole example.
        position: Index of the opening bracket.

    Returns:
        Names, values and qualifiers, and the index after the closing bracket.

    Raises:
        BrokenMarkError: The description is not valid.
    """
    inner = position + 1 + len(text[position + 1 :]) - len(text[position + 1 :].lstrip())
    if text[position] == "(" and text[inner : inner + 1] not in ("{", "["):
        match = PLAIN.match(text, position)
        if match is None:
            raise BrokenMarkError(text[max(0, position - 20) : position + 20])
        name, value = _unquoted(match["name"]), _unquoted(match["value"] or "")
        if not name or NO_NAME.search(name) or value.startswith("//"):  # a Markdown link is not an entity
            raise BrokenMarkError(text[max(0, position - 20) : match.end()])
        return [(name, value, "")], match.end()
    if text[position] == "(":
        found, end = _json_at(text, inner)
        end += len(text[end:]) - len(text[end:].lstrip())
        if text[end : end + 1] != ")":
            raise BrokenMarkError(text[max(0, position - 20) : end])
        end += 1
    else:
        found, end = _json_at(text, position)
    return list(_of_json(found, text[position:end])), end


def _json_at(text: str, position: int) -> tuple[Any, int]:
    """Return the JSON value at an index, and the index after it. Raises BrokenMarkError if there is none."""
    try:
        return DECODER.raw_decode(text, position)
    except (json.JSONDecodeError, RecursionError):
        raise BrokenMarkError(text[max(0, position - 20) : position + 20]) from None


def _of_json(found: Any, written: str) -> Iterator[tuple[str, str, str]]:
    """Yield names, values and qualifiers from a mark's JSON. Raises BrokenMarkError for anything else."""
    objects = [found] if isinstance(found, Mapping) else found
    entities, problem = read_entities(objects)
    if problem or not entities:
        raise BrokenMarkError(written[:60])
    for entity in entities:
        yield entity.name, entity.value, entity.qualifier


def _unquoted(text: str) -> str:
    """Return a text without white space and a pair of quotes around it."""
    text = text.strip()
    for quotes in QUOTES:
        if len(text) > 1 and text[0] in quotes and text[-1] in quotes:
            return text[1:-1].strip()
    return text
