"""Entities marked in a text, in Rasa's syntax."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.imports.command import imported, places, slots, written
from training.imports.entities import ImportedEntity
from training.imports.marks import BrokenMarkError, read_marked

PIECES = st.text(st.characters(exclude_categories=["C"], exclude_characters="[](){}"), max_size=8)
WORDS = PIECES.filter(str.strip)
NAMES = st.text(st.sampled_from("abé_-.9 "), min_size=1, max_size=6).filter(str.strip)
VALUES = WORDS.filter(lambda value: value.strip(" \"'“”‘’«»") == value.strip() and not value.startswith("//"))


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, str, list[ImportedEntity]]:
    """Draw a text with marks in every form, the text without them, and the entities."""
    marked = plain = ""
    entities = []
    for _ in range(draw(st.integers(1, 4))):
        before, words = draw(PIECES), draw(WORDS)
        name, value = draw(NAMES), draw(VALUES)
        found = {"entity": name, "value": value}
        form = draw(st.sampled_from(["({0})", "({0}:{1})", '("{0}")', "{2}", "({2})", "( {2} )", "[{2}]"]))
        marked += f"{before}[{words}]" + form.format(name, value, json.dumps(found))
        start = len(plain) + len(before)
        plain += before + words
        meant = words.strip() if form in ("({0})", '("{0}")') else value.strip() if form == "({0}:{1})" else value
        entities.append(ImportedEntity(name.strip(), meant, start, len(plain)))
    return marked, plain, entities


@given(marked_texts())
def test_marks_of_every_form_are_removed(drawn: tuple[str, str, list[ImportedEntity]]) -> None:
    marked, plain, entities = drawn
    assert read_marked(marked) == (plain, entities, "")


@pytest.mark.parametrize(
    ("marked", "text", "found"),
    [
        ('for [two]({"entity": "people"})', "for two", [("people", "two")]),
        ('for [two]({"entity": "people", "value": 2})', "for two", [("people", "2")]),
        ('for [two]{"entity": "people", "value": "a } ) ] b"}', "for two", [("people", "a } ) ] b")]),
        ('for [two]{"entity": "people", "value": [2]}', "for two", [("people", "two")]),
        ('I am [Bob]("user_name")', "I am Bob", [("user_name", "Bob")]),
        ("I am [Bob]('user_name')", "I am Bob", [("user_name", "Bob")]),
        ('to [NYC]("city": "New York")', "to NYC", [("city", "New York")]),
        ("to [NYC](city:New York (NY))", "to NYC", [("city", "New York (NY)")]),
        ("see [1] [2] please", "see [1] [2] please", []),
        ("use the [slot] (optional)", "use the [slot] (optional)", []),
        ("a [b", "a [b", []),
        ("नगर [दिल्ली](नगर)", "नगर दिल्ली", [("नगर", "दिल्ली")]),
    ],
)
def test_marks_are_read(marked: str, text: str, found: list[tuple[str, str]]) -> None:
    plain, entities, _ = read_marked(marked)
    assert (plain, [(entity.name, entity.value) for entity in entities]) == (text, found)


@pytest.mark.parametrize(
    "marked",
    [
        "to [Rome](city",
        "to [Rome]()",
        "to [](city)",
        "to [Rome]{city}",
        'to [Rome]{"entity": 3}',
        'to [Rome]{"value": "Rome"}',
        'to [Rome]({"entity": "city"}',
        "to [Rome]({entity: city})",
        "to [[Rome](city)](place)",
        "see [1][2]",
        "to [Rome][]",
        'to [Rome]("city)',
        "see [this page](https://example.com/a)",
    ],
)
def test_invalid_marks_are_rejected(marked: str) -> None:
    with pytest.raises(BrokenMarkError):
        read_marked(marked)


def test_a_broken_mark_never_names_a_slot(tmp_path: Path) -> None:
    lines = ['for [two]({"entity": "people", "role": "guests"})', "to [Rome]{city}", "to [Rome] (city) now", "to Rome"]
    nlu = written(tmp_path, "nlu.yml", "nlu:\n- intent: book\n  examples: |\n" + "".join(f"    - {x}\n" for x in lines))
    rows, report = imported(tmp_path, nlu)
    assert slots(rows) == {"for two": "O B-people", "to [Rome] (city) now": "", "to Rome": "O O"}
    assert places(report, "dropped", "slot marked in a way that cannot be read") == [f"{nlu} line 5"]
    assert places(report, "findings", "entity or tags that cannot be read") == [f"{nlu} line 6"]
