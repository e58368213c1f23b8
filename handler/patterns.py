"""Search regular expressions in time that is linear in the length of the text, for any expression.

Python's `re` backtracks: `(a+)+b` takes minutes on a text of 40 letters, so one message could block the service. This
matcher runs all alternatives in parallel, as RE2 does. Sources: Thompson (1968), and the Pike VM in
https://swtch.com/~rsc/regexp/regexp2.html, which prefers the first alternative as JavaScript does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from handler.pattern_syntax import Node, PatternError, parse
from handler.tokenizers import Span
from handler.words import stands_alone

LARGEST_PROGRAM = 5_000
"""The largest number of instructions in a program. A larger one would be slow on every text."""
MAX_STEPS = 300_000
"""The number of instructions after which a search in a text stops: about a quarter of a second."""


class Step(NamedTuple):
    """An instruction: "char" tests a character, "split" tries `first`, then `second`, "assert" tests a position."""

    kind: str
    test: Any = None
    first: int = 0
    second: int = 0


@dataclass
class Program:
    """A compiled expression.

    Attributes:
        steps: The instructions; the last one is "match".
    """

    steps: list[Step] = field(default_factory=list)

    def find(self, text: str) -> Iterator[Span]:
        """Find all matches that are not empty.

        Args:
            text: The text to search.

        Yields:
            Spans in characters, from left to right, without overlaps.
        """
        position, budget = 0, MAX_STEPS
        while position < len(text) and budget > 0:
            found, steps = self._first_match(text, position)
            budget -= steps
            if found is None:
                return
            if found[1] > found[0]:
                yield found
            position = max(found[1], found[0] + 1)

    def _first_match(self, text: str, begin: int) -> tuple[Span | None, int]:
        """Return the preferred match among the leftmost ones from `begin` on, and the number of steps taken."""
        # A thread is an instruction and the position where its match started. Earlier threads are preferred.
        threads: list[tuple[int, int]] = []
        found: Span | None = None
        count = 0
        for position in range(begin, len(text) + 1):
            waiting: list[tuple[int, int]] = []
            seen: set[int] = set()
            # Until there is a match, a new one can start at every position, with the lowest preference.
            if found is None:
                threads.append((0, position))
            # Follow each thread to the characters that it can accept next.
            for start_at, started in threads:
                matched = self._follow(start_at, started, text, position, waiting, seen)
                if matched:  # drop the threads after this one, which are less preferred
                    found = (started, position)
                    break
            # Keep the threads that accept the next character, in the same order.
            character = text[position : position + 1]
            threads = [(at + 1, started) for at, started in waiting if character and self.steps[at].test(character)]
            count += len(seen)
            if count > MAX_STEPS or (found is not None and not threads):
                break
        return found, count

    def _follow(
        self, start_at: int, started: int, text: str, position: int, waiting: list[tuple[int, int]], seen: set[int]
    ) -> bool:
        """Add the "char" instructions that a thread reaches to `waiting`, in order of preference.

        Returns:
            Whether the thread reaches the end of the expression, so that there is a match.
        """
        stack = [start_at]
        while stack:
            at = stack.pop()
            if at in seen:
                continue
            seen.add(at)
            step = self.steps[at]
            match step.kind:
                case "match":
                    return True
                case "char":
                    waiting.append((at, started))
                case "split":
                    stack += [step.second, step.first]
                case _:
                    if step.test(text, position):
                        stack.append(at + 1)
        return False


@lru_cache(maxsize=1024)
def compiled(pattern: str, *, whole_words: bool = False) -> Program:
    """Compile an expression. It ignores case, and its classes include the letters and digits of all scripts.

    Args:
        pattern: The expression, in JavaScript's syntax without lookarounds and backreferences.
        whole_words: Whether a match must not begin or end inside a word.

    Returns:
        The program.

    Raises:
        PatternError: The expression is malformed, too large, or cannot be matched in linear time.
    """
    node = parse(pattern)
    edge = Node("assert", what=_is_word_edge)
    program = Program()
    _emit(Node("join", (edge, node, edge)) if whole_words else node, program.steps)
    program.steps.append(Step("match"))
    return program


def _emit(node: Node, steps: list[Step]) -> None:
    """Append the instructions for a part of an expression."""
    if len(steps) > LARGEST_PROGRAM:
        raise PatternError(f"it compiles to more than {LARGEST_PROGRAM} steps: use smaller repetition counts")
    match node.kind:
        case "char" | "assert":
            steps.append(Step(node.kind, node.what))
        case "join":
            for part in node.parts:
                _emit(part, steps)
        case "either":
            _emit_either(node.parts, steps)
        case _:
            _emit_repeat(node, steps)


def _emit_either(parts: Sequence[Node], steps: list[Step]) -> None:
    ends = []
    for part in parts[:-1]:
        split = len(steps)
        steps.append(Step("split"))
        _emit(part, steps)
        ends.append(len(steps))
        steps.append(Step("split"))
        steps[split] = Step("split", first=split + 1, second=len(steps))
    _emit(parts[-1], steps)
    for end in ends:
        steps[end] = Step("split", first=len(steps), second=len(steps))


def _emit_repeat(node: Node, steps: list[Step]) -> None:
    (part,), (least, most, is_greedy) = node.parts, node.what

    def split(at: int, inside: int, after: int) -> None:
        steps[at] = (
            Step("split", first=inside, second=after) if is_greedy else Step("split", first=after, second=inside)
        )

    for _ in range(least):
        _emit(part, steps)
    if most is None:
        loop = len(steps)
        steps.append(Step("split"))
        _emit(part, steps)
        steps.append(Step("split", first=loop, second=loop))
        split(loop, loop + 1, len(steps))
        return
    options = []
    for _ in range(most - least):
        options.append(len(steps))
        steps.append(Step("split"))
        _emit(part, steps)
    for option in options:
        split(option, option + 1, len(steps))


def _is_word_edge(text: str, position: int) -> bool:
    return stands_alone(text, position, position)
