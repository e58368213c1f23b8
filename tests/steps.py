"""A matcher of regular expressions that counts its steps, and backtracks as Python's does.

Time says little on a busy machine. Steps are the same on every machine, so a test can ask whether a text of twice the
length takes about twice as many.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal

Use = Literal["match", "fullmatch", "search"]
CATEGORIES = {
    ops.CATEGORY_DIGIT: re.compile(r"\d"),
    ops.CATEGORY_NOT_DIGIT: re.compile(r"\D"),
    ops.CATEGORY_SPACE: re.compile(r"\s"),
    ops.CATEGORY_NOT_SPACE: re.compile(r"\S"),
    ops.CATEGORY_WORD: re.compile(r"\w"),
    ops.CATEGORY_NOT_WORD: re.compile(r"\W"),
}
SAMPLES = {ops.CATEGORY_DIGIT: "1", ops.CATEGORY_SPACE: " ", ops.CATEGORY_WORD: "a"}
CHARACTERS = {ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN}
OUTSIDE = "\0"
"""A character that no pattern asks for."""


class TooManyStepsError(Exception):
    """Raised if a match takes more steps than allowed."""


class Matcher:
    """Match one text, and count the steps.

    found: where each match begins and ends: all of them for the use "search", which stands for `finditer` too.
    """

    def __init__(self, pattern: re.Pattern[str], text: str, use: Use, limit: int = 1_000_000) -> None:
        self.steps = 0
        self.found: list[tuple[int, int]] = []
        self._text, self._limit = text, limit
        self._folds, self._all = bool(pattern.flags & re.IGNORECASE), bool(pattern.flags & re.DOTALL)
        nodes = list(parser.parse(pattern.pattern, pattern.flags))
        start = 0
        while start <= len(text):
            if self._match(nodes, start, lambda end, start=start: self._accept(start, end, use)):  # type: ignore[misc]
                start = max(start, self.found[-1][1] - 1)
            start += 1
            if use != "search":
                return

    def _accept(self, start: int, end: int, use: Use) -> bool:
        if use == "fullmatch" and end < len(self._text):
            return False
        self.found.append((start, end))
        return True

    def _match(self, nodes: Sequence[Any], place: int, then: Callable[[int], bool]) -> bool:
        """Match nodes from a place on, and then the rest. Whatever fails behind a choice makes the next one."""
        self._count()
        if not nodes:
            return then(place)
        (op, given), rest = nodes[0], nodes[1:]
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, inner = given
            repeat = self._repeat if len(inner) > 1 or inner[0][0] not in CHARACTERS else self._repeat_character
            return repeat(low, high, inner, 0, place, op is ops.MAX_REPEAT, lambda end: self._match(rest, end, then))
        if op is ops.BRANCH:
            return any(self._match([*branch, *rest], place, then) for branch in given[1])
        if op is ops.SUBPATTERN:
            return self._match([*given[3], *rest], place, then)
        if op in (ops.ASSERT, ops.ASSERT_NOT):
            direction, ahead = given
            start = place if direction > 0 else place - ahead.getwidth()[0]
            holds = start >= 0 and self._match(ahead, start, lambda end: direction > 0 or end == place)
            return holds is (op is ops.ASSERT) and self._match(rest, place, then)
        if op is ops.AT:
            return self._is_at(given, place) and self._match(rest, place, then)
        is_there = place < len(self._text) and self._is_character(op, given, self._text[place])
        return is_there and self._match(rest, place + 1, then)

    def _repeat(
        self, low: int, high: Any, inner: Any, done: int, place: int, greedy: bool, then: Callable[[int], bool]
    ) -> bool:
        def once_more() -> bool:
            return done < high and self._match(
                inner,
                place,
                # A round that takes nothing would go on for ever; Python ends there, too.
                lambda end: (end > place or done < low) and self._repeat(low, high, inner, done + 1, end, greedy, then),
            )

        self._count()
        if done < low:
            return once_more()
        return (once_more() or then(place)) if greedy else (then(place) or once_more())

    def _repeat_character(
        self, low: int, high: Any, inner: Any, done: int, place: int, greedy: bool, then: Callable[[int], bool]
    ) -> bool:
        """Like `_repeat`, but without recursion, for repeated single characters."""
        if not greedy and low == 0 and then(place):
            return True
        most = 0
        while (
            most < high and place + most < len(self._text) and self._is_character(*inner[0], self._text[place + most])
        ):
            most += 1
            if not greedy and most >= low and self._count() and then(place + most):
                return True
            self._count()
        return greedy and any(self._count() and then(place + taken) for taken in range(most, low - 1, -1))

    def _count(self) -> bool:
        self.steps += 1
        if self.steps > self._limit:
            raise TooManyStepsError
        return True

    def _is_character(self, op: Any, given: Any, character: str) -> bool:
        if op is ops.ANY:
            return self._all or character != "\n"
        if op is ops.IN:
            is_negated = given[0][0] is ops.NEGATE
            return is_negated is not any(self._is_character(*part, character) for part in given[is_negated:])
        forms = {character, character.lower(), character.upper()} if self._folds else {character}
        if op is ops.LITERAL:
            return any(ord(form) == given for form in forms if len(form) == 1)
        if op is ops.NOT_LITERAL:
            return not self._is_character(ops.LITERAL, given, character)
        if op is ops.RANGE:
            return any(given[0] <= ord(form) <= given[1] for form in forms if len(form) == 1)
        if op is ops.CATEGORY:
            return CATEGORIES[given].match(character) is not None
        raise NotImplementedError(op)

    def _is_at(self, where: Any, place: int) -> bool:
        text = self._text
        if where in (ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY):
            sides = [re.match(r"\w", side) is not None for side in (text[place - 1 : place], text[place : place + 1])]
            return (sides[0] != sides[1]) is (where is ops.AT_BOUNDARY)
        if where in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
            return place == 0
        if where in (ops.AT_END, ops.AT_END_STRING):
            return text[place:] == "" or (where is ops.AT_END and text[place:] == "\n")
        raise NotImplementedError(where)


def sample(nodes: Sequence[Any]) -> str:
    """Return a short text that a parsed pattern matches."""
    return "".join(map(_sample_of, nodes))


def characters(nodes: Sequence[Any]) -> Iterator[str]:
    """Yield a character of each kind in a parsed pattern."""
    for op, given in nodes:
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            yield from characters(given[2])
        elif op is ops.SUBPATTERN:
            yield from characters(given[3])
        elif op is ops.BRANCH:
            for branch in given[1]:
                yield from characters(branch)
        elif op in (ops.ASSERT, ops.ASSERT_NOT):
            yield from characters(given[1])
        elif op is ops.IN:
            yield from (found for part in given if (found := _sample_of(part)))
        elif found := _sample_of((op, given)):
            yield found


def _sample_of(node: Any) -> str:
    op, given = node
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        return sample(given[2]) * max(1, given[0])
    if op is ops.SUBPATTERN:
        return sample(given[3])
    if op is ops.BRANCH:
        return sample(given[1][0])
    if op is ops.IN:
        return "a" if given[0][0] is ops.NEGATE else _sample_of(given[0])
    if op is ops.LITERAL:
        return chr(given)
    if op is ops.RANGE:
        return chr(given[0])
    return {ops.ANY: "a", ops.NOT_LITERAL: "a"}.get(op) or SAMPLES.get(given, "")
