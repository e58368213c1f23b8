"""Regular expressions without backtracking: the same matches as Python's `re`, in linear time, or a refusal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.pattern_syntax import PatternError
from handler.patterns import compiled

PLACES = [r"\b", r"\B", "^", "$"]
ATOMS = st.sampled_from(["a", "b", "1", ".", r"\d", r"\w", r"\s", "[ab]", "[^a]", "[a-c1]", " ", *PLACES])


def can_be_empty(pattern: str) -> bool:
    return any(place in pattern.replace("[^", "") for place in PLACES) or bool(re.fullmatch(pattern, ""))


def repeated(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Repeat only expressions that are not empty, because Python and JavaScript treat empty iterations differently."""
    counts = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "??", "{0,2}?"])
    return st.builds("(?:{}){}".format, inner.filter(lambda each: not can_be_empty(each)), counts)


patterns = st.recursive(
    ATOMS,
    lambda inner: (
        repeated(inner)
        | st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds("({}|{})".format, inner, inner)
    ),
    max_leaves=6,
)


@given(pattern=patterns, text=st.text(alphabet="ab1 c\n", max_size=12))
def test_matches_equal_those_of_re(pattern: str, text: str) -> None:
    """`re` also returns empty matches and then restarts at the same position; those are not compared."""
    strict = pattern.replace("$", r"\Z")  # in JavaScript, `$` matches only at the end
    expected = [match.span() for match in re.finditer(strict, text, re.IGNORECASE)]
    if all(start < end for start, end in expected):
        assert list(compiled(pattern).find(text)) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"[\w.+-]+@[\w-]+\.[\w.]+\w", "mail a.b+c@ex-ample.co.uk.", ["a.b+c@ex-ample.co.uk"]),
        (r"\+?\d{2}([\s.-]?\d{2,3}){3,4}", "call +33 612 345 678!", ["+33 612 345 678"]),
        (r"[A-Z]{2}-?\d{4}", "codes ab-1234 and CD5678", ["ab-1234", "CD5678"]),
        (r"(?<year>\d{4})-\d\d|soon", "2026-01 or SOON", ["2026-01", "SOON"]),
        (r"\p{L}+ing\b", "Überfahring x", ["Überfahring"]),
        ("\\u0041\\x42\\u{1F600}", "AB😀", ["AB😀"]),
        (r"[٠-٩\d]+", "رقم ٤٥ 67", ["٤٥", "67"]),
        ("É", "é", ["é"]),
        ("a{,2}", "a{,2}", ["a{,2}"]),
        (r"[\]\-^]+", "x]-^", ["]-^"]),
    ],
)
def test_typical_expressions(pattern: str, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in compiled(pattern).find(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("zip 12345.", ["12345"]), ("x12345", []), ("123456", []), ("邮编12345请", ["12345"])]
)
def test_whole_words_are_not_cut(text: str, expected: list[str]) -> None:
    found = compiled(r"\d{5}", whole_words=True).find(text)
    assert [text[start:end] for start, end in found] == expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a)\1", "backreference"),
        (r"(?<x>a)\k<x>", "backreference"),
        ("a(?=b)", "is not supported"),
        ("(?!b)a", "is not supported"),
        ("(?<=b)a", "lookbehind"),
        ("a++", "possessive"),
        ("(a", "is not closed"),
        ("a)", "without '('"),
        ("[a", "is incomplete"),
        ("a\\", "is incomplete"),
        ("*a", "repeats nothing"),
        ("^*", "repeats an assertion"),
        ("[z-a]", "out of order"),
        ("a{3,2}", "out of order"),
        ("a{9999}", "is over 1000"),
        ("(a{1000}){1000}", "more than 5000 steps"),
        (r"\p{Script=Greek}", "is not supported"),
        (r"\uZZZZ", "is not a character"),
        ("(" * 60 + "a" + ")" * 60, "more than 50 nested groups"),
    ],
)
def test_unsupported_expressions_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason)):
        compiled(pattern)


@given(pattern=st.text(alphabet="ab1\\[](){}*+?|^$-,.dwpuLx<:=!", max_size=15), text=st.text(max_size=8))
def test_any_expression_runs_or_is_refused(pattern: str, text: str) -> None:
    try:
        spans = list(compiled(pattern).find(text))
    except PatternError:
        return
    assert all(0 <= start < end <= len(text) for start, end in spans)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+$", "a*a*a*a*b", "(.*)*x"])
def test_steps_grow_only_with_the_text(pattern: str) -> None:
    program = compiled(pattern)
    steps = [program._first_match("a" * length, 0)[1] for length in (500, 1000)]
    assert steps[1] < 2.2 * steps[0]


def test_a_search_ends_even_if_every_attempt_reads_to_the_end() -> None:
    program = compiled("a.*b|a")
    assert len(list(program.find("a" * 50))) == 50
    assert len(list(program.find("a" * 10_000))) < 10_000
