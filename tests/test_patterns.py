"""Every regular expression takes time that grows with the text, and not with its square.

A message of 10,000 blanks, or a batch of 1 MB, is allowed. A pattern that looks at each blank once for every other one
took 15 seconds for it.
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from re import _parser as parser  # type: ignore[attr-defined]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.steps import OUTSIDE, Matcher, TooManyStepsError, Use, characters, sample
from tests.trained import ROOT
from training.imports.hexabot import BLANKS
from training.imports.spans import _patterns

PACKAGES = ("handler", "training/imports")
"""What reads texts of strangers: the handler, and the import of other people's data."""
USES: dict[str, Use] = {
    **dict.fromkeys(("search", "finditer", "findall", "split", "sub", "subn"), "search"),
    "match": "match",
    "fullmatch": "fullmatch",
}
BUILT = {
    "training/imports/hexabot.py": [(f"[^{BLANKS.pattern[1:-2]}]+", 0)],
    "training/imports/spans.py": [(pattern.pattern, pattern.flags) for pattern in _patterns("new york (ny)")],
}
"""Patterns that the sources put together while they run, as they are for some value."""

REPEATS = 24
FEW = 10
"""Steps for each character that are never too many. A repeat with an upper bound grows faster until it reaches it."""
LIMIT = 100_000
"""Steps that are too many for every text here."""

Pattern = tuple[str, int, Use]


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def uses_by_name() -> dict[str, set[Use]]:
    """Return the pattern methods that are called on each name."""
    found: dict[str, set[Use]] = {}
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in USES:
                found.setdefault(node.value.id, set()).add(USES[node.attr])
    return found


def is_call_of_re(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in {*USES, "compile"}
    )


def constant(path: str, node: ast.expr) -> str | bytes | None:
    """Return a pattern that is written down, or that a constant of the module names; None if it is put together."""
    if isinstance(node, ast.Name):
        found = getattr(import_module(path.removesuffix(".py").replace("/", ".")), node.id, None)
        return found if isinstance(found, (str, bytes)) else None
    try:
        written: str | bytes = ast.literal_eval(node)
    except ValueError:
        return None
    return written


def in_file(path: str, tree: ast.Module, uses: dict[str, set[Use]]) -> Iterator[Pattern]:
    """Yield the patterns of a file, each with all its uses."""
    names = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    built = False
    for node in ast.walk(tree):
        if not is_call_of_re(node):
            continue
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Attribute)
        kinds = {USES[node.func.attr]} if node.func.attr != "compile" else uses.get(names.get(id(node), ""), {"search"})
        source = constant(path, node.args[0])
        if source is None:
            built = True
            continue
        flags = re.DOTALL if any("DOTALL" in ast.dump(given) for given in node.args[1:]) else 0
        yield from ((source, flags, use) for use in sorted(kinds))
    assert built is (path in BUILT), f"{path} builds patterns while it runs: give an example of them in BUILT"
    yield from ((source, flags, "search") for source, flags in BUILT.get(path, ()))


def patterns() -> dict[str, Pattern]:
    uses = uses_by_name()
    return {
        f"{path}: {pattern[0][:40]!r} {pattern[2]}": pattern
        for path, tree in trees()
        for pattern in in_file(path, tree, uses)
    }


def attacks(source: str, flags: int, times: int) -> Iterator[str]:
    """Yield texts that make a pattern backtrack: its parts, repeated after each of its beginnings."""
    parsed = list(parser.parse(source, flags))
    kinds, whole = list(dict.fromkeys(characters(parsed)))[:12], sample(parsed)
    pumps = [*kinds, *(one + other for one in kinds for other in kinds if one != other), whole]
    beginnings = list(dict.fromkeys(["", *(whole[:length] for length in range(1, len(whole) + 1))]))[:30]
    for pump in pumps:
        for beginning in beginnings if len(pump) == 1 or pump == whole else ("",):
            for end in ("", OUTSIDE):
                yield beginning + pump * times + end
                yield beginning + (beginning + pump) * times + end


def growth(source: str, flags: int, use: Use) -> float:
    """Return the growth of the steps when the worst text becomes twice as long."""
    compiled, worst = re.compile(source, flags), 0.0
    pairs = zip(attacks(source, flags, REPEATS), attacks(source, flags, 2 * REPEATS), strict=True)
    for text, longer in pairs:
        try:
            steps, twice = (Matcher(compiled, given, use, LIMIT).steps for given in (text, longer))
        except TooManyStepsError:
            return float("inf")
        if twice > FEW * len(longer):
            worst = max(worst, twice / steps)
    return worst


@pytest.fixture(autouse=True)
def deep() -> Iterator[None]:
    """Raise the recursion limit for the matcher, which recurses for each character."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize("name", patterns())
def test_twice_the_text_takes_about_twice_the_steps(name: str) -> None:
    assert growth(*patterns()[name]) < 2.6


@pytest.mark.parametrize(
    ("source", "use"),
    [
        (r"\s*,\s*", "search"),
        (r"\s*_\s*", "search"),
        (r"\s+$", "search"),
        (r"(a*)*b", "match"),
        (r"(?:a|a)*b", "fullmatch"),
        (r"<.*?>", "search"),
        (r"\w+@\w+", "search"),
        (r"(?:x\d*)*y", "search"),
    ],
)
def test_patterns_that_take_longer_are_found(source: str, use: Use) -> None:
    assert growth(source, 0, use) > 2.6


@pytest.mark.parametrize(
    "source",
    [
        r"a*?b",
        r"a??b|1+?",
        r"(a|ab)(1|b1)?",
        r"[^a\s]+",
        r"\[(?P<t>[^\[\]]+)\](?=[(\[])",
        r"a\b|1$",
        r"(?:a?)*b",
        r"a{2,3}",
    ],
)
@given(text=st.text(alphabet="ab1 ,_\n(:)[]", max_size=12))
def test_the_matcher_finds_what_python_finds(source: str, text: str) -> None:
    assert Matcher(re.compile(source), text, "search").found[:1] == [
        found.span() for found in [re.search(source, text)] if found
    ]
    for use in ("match", "fullmatch"):
        found = getattr(re, use)(source, text)
        assert Matcher(re.compile(source), text, use).found == ([found.span()] if found else [])


def test_the_patterns_of_all_packages_are_tested() -> None:
    found = {name.partition(":")[0] for name in patterns()}
    assert {"handler/tokenizers.py", "handler/sources.py", "training/imports/marks.py"} <= found
