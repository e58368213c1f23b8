"""Parse regular expressions that can be matched in linear time, and reject others with the reason.

The syntax is that of JavaScript, which Hexabot uses, without lookarounds and backreferences. Matching ignores case.
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

LARGEST_COUNT = 1_000
DEEPEST = 50
"""The largest number of nested groups."""
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
HEX_DIGITS = {"x": 2, "u": 4}
UNICODE_NAMES = {"Alphabetic": "L", "Letter": "L", "Number": "N", "Punctuation": "P", "Diacritic": "M", "Mark": "M"}

Test = Callable[[str], bool]
"""Returns whether a character matches."""


class PatternError(ValueError):
    """An expression is malformed, or cannot be matched in linear time."""


class Node(NamedTuple):
    """A part of an expression.

    Attributes:
        kind: "char", "join", "either", "repeat" or "assert".
        parts: The nested parts.
        what: For "char" a Test; for "repeat" the bounds and whether it is greedy; for "assert" a function of the text
            and a position.
    """

    kind: str
    parts: tuple["Node", ...] = ()
    what: Any = None


def parse(pattern: str) -> Node:
    """Parse an expression.

    Args:
        pattern: The expression.

    Returns:
        The syntax tree.

    Raises:
        PatternError: The expression is malformed, or cannot be matched in linear time.
    """
    return _Parser(pattern).parse()


class _Parser:
    """A recursive-descent parser, which reads the expression from left to right."""

    def __init__(self, pattern: str) -> None:
        self._rest = pattern.removeprefix("(?i)")
        self._depth = 0

    def parse(self) -> Node:
        node = self._either()
        if self._rest:
            raise PatternError("it has a ')' without '('")
        return node

    def _either(self) -> Node:
        parts = [self._join()]
        while self._take("|"):
            parts.append(self._join())
        return Node("either", tuple(parts)) if len(parts) > 1 else parts[0]

    def _join(self) -> Node:
        parts: list[Node] = []
        while self._rest and self._rest[0] not in "|)":
            parts.append(self._repeated(self._atom()))
        return Node("join", tuple(parts))

    def _repeated(self, node: Node) -> Node:
        while self._rest and self._rest[0] in "*+?{":
            bounds = self._bounds()
            if bounds is None:
                return node  # a brace without a valid count is a literal
            if node.kind == "assert":
                raise PatternError("it repeats an assertion, as in '^*'")
            if self._take("+"):
                raise PatternError("it has a possessive quantifier, as in 'a++'")
            node = Node("repeat", (node,), (*bounds, not self._take("?")))
        return node

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._take("?"):
            return 0, 1
        if self._rest[0] in "*+":
            return int(self._next() == "+"), None
        inner, brace, rest = self._rest[1:].partition("}")
        least, comma, most = inner.partition(",")
        if not brace or not least.isdecimal() or (most and not most.isdecimal()):
            return None
        self._rest = rest
        bounds = int(least), int(most) if most else None if comma else int(least)
        if max(bounds[0], bounds[1] or 0) > LARGEST_COUNT or (bounds[1] is not None and bounds[1] < bounds[0]):
            raise PatternError(f"the count '{{{inner}}}' is over {LARGEST_COUNT} or out of order")
        return bounds

    def _atom(self) -> Node:
        character = self._next()
        match character:
            case "(":
                return self._group()
            case "[":
                return Node("char", what=_cached(self._class()))
            case ".":
                return Node("char", what=lambda found: found != "\n")
            case "^":
                return Node("assert", what=lambda text, position: position == 0)
            case "$":
                return Node("assert", what=lambda text, position: position == len(text))
            case "\\":
                return self._escaped()
            case "*" | "+" | "?":
                raise PatternError(f"'{character}' repeats nothing")
        return Node("char", what=_same(character))

    def _group(self) -> Node:
        if self._take("?"):
            if self._take("<") or self._take("P<"):
                if self._rest[:1] in ("=", "!"):
                    raise PatternError("it has a lookbehind ('(?<'), which cannot be matched in linear time")
                _, bracket, self._rest = self._rest.partition(">")
                if not bracket:
                    raise PatternError("the name of a group has no '>'")
            elif not self._take(":"):
                raise PatternError(f"'(?{self._rest[:1]}' is not supported: use '(', '(?:' or '(?<name>'")
        self._depth += 1
        if self._depth > DEEPEST:
            raise PatternError(f"it has more than {DEEPEST} nested groups")
        node = self._either()
        self._depth -= 1
        if not self._take(")"):
            raise PatternError("a '(' is not closed")
        return node

    def _escaped(self) -> Node:
        if self._take("b"):
            return Node("assert", what=_is_boundary)
        if self._take("B"):
            return Node("assert", what=lambda text, position: not _is_boundary(text, position))
        if self._rest[:1].isdecimal() and self._rest[0] != "0":
            raise PatternError("it has a backreference, which cannot be matched in linear time")
        kind = self._kind()
        return Node("char", what=_cached(kind) if kind else _same(self._plain()))

    def _kind(self) -> Test | None:
        r"""Read the rest of an escape for a class of characters, such as `\d`. Return None for other escapes."""
        letter = self._rest[:1]
        known = {"d": str.isdecimal, "w": _is_word, "s": str.isspace}.get(letter.lower())
        if known:
            self._rest = self._rest[1:]
            return known if letter.islower() else lambda character: not known(character)
        if letter.lower() != "p" or not letter:
            return None
        name, brace, self._rest = self._rest[2:].partition("}")
        if not brace or not name:
            raise PatternError("'\\p' needs a property, such as '\\p{L}'")
        category = UNICODE_NAMES.get(name.split("=")[-1], name.split("=")[-1])
        if len(category) > 2 or not category.isalpha():
            raise PatternError(f"the property {name!r} is not supported: use a general category such as 'L' or 'Lu'")

        def has(character: str) -> bool:
            return unicodedata.category(character).startswith(category)

        return has if letter == "p" else lambda character: not has(character)

    def _plain(self) -> str:
        """Read the rest of an escape for a single character."""
        letter = self._next()
        if letter == "k":
            raise PatternError("it has a backreference, which cannot be matched in linear time")
        digits = HEX_DIGITS.get(letter)
        if digits is None:
            return ESCAPES.get(letter, letter)
        if letter == "u" and self._take("{"):
            number, _, self._rest = self._rest.partition("}")
        else:
            number, self._rest = self._rest[:digits], self._rest[digits:]
        try:
            return chr(int(number, 16))
        except (ValueError, OverflowError):
            raise PatternError(f"'\\{letter}{number}' is not a character") from None

    def _class(self) -> Test:
        is_negated = self._take("^")
        tests: list[Test] = []
        while not self._take("]"):
            first = self._member()
            if not isinstance(first, str):
                tests.append(first)
            elif self._rest[:1] == "-" and self._rest[1:2] not in ("]", ""):
                self._next()
                last = self._member()
                if not isinstance(last, str) or last < first:
                    raise PatternError("a range in '[]' is out of order or ends with a class of characters")
                tests.append(_between(first, last))
            else:
                tests.append(_same(first))

        def found(character: str) -> bool:
            return any(test(character) for test in tests)

        return (lambda character: not found(character)) if is_negated else found

    def _member(self) -> str | Test:
        character = self._next()
        if character != "\\":
            return character
        return self._kind() or ("\b" if self._take("b") else self._plain())

    def _next(self) -> str:
        if not self._rest:
            raise PatternError("it is incomplete")
        character, self._rest = self._rest[0], self._rest[1:]
        return character

    def _take(self, sign: str) -> bool:
        is_there = self._rest.startswith(sign)
        self._rest = self._rest.removeprefix(sign)
        return is_there


def _same(expected: str) -> Test:
    folded = expected.casefold()
    return lambda character: character == expected or character.casefold() == folded


def _between(first: str, last: str) -> Test:
    return lambda character: any(first <= each <= last for each in (character, character.lower(), character.upper()))


def _cached(test: Test) -> Test:
    return lru_cache(maxsize=512)(test)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _is_boundary(text: str, position: int) -> bool:
    before, after = text[position - 1 : position] if position else "", text[position : position + 1]
    return bool(before and _is_word(before)) != bool(after and _is_word(after))
