"""Slots from offsets, from values, and from other tools' tags."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.alignment import hexabot_tags
from training.imports.entities import ImportedEntity
from training.imports.examples import ImportedVocabulary
from training.imports.hexabot import BLANKS, are_shifted, slots_written_by_helper
from training.imports.spans import (
    BY_LOOKUP,
    CORRECTED,
    CROSSING,
    NOT_FOUND,
    OTHER_UNITS,
    OTHER_VALUE,
    OVERLAP,
    PIECE,
    SEVERAL,
    UNREADABLE,
    Span,
    occurrences,
    place_entities,
)
from training.imports.tags import PART_OF_WORD, SHARED_WORD, UNSPACED_RUN, WORD, read_tags, spans_of, tags_of

WORDS = st.text(st.characters(exclude_categories=["Z", "C"]) | st.sampled_from("ab_,'-İß🙂"), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", " ", "  ", "\t", "\u00a0", " \n "])
NAMES = st.sampled_from(["city", "date", "a-b", "O"])


@st.composite
def tagged(draw: st.DrawFn, spaces: st.SearchStrategy[str] = SPACES) -> tuple[str, list[Span]]:
    """Draw a text, and slots on its word boundaries."""
    text = draw(st.sampled_from(["", " "])) + "".join(
        word + draw(spaces) for word in draw(st.lists(WORDS, min_size=1, max_size=8))
    )
    words = [match.span() for match in WORD.finditer(text)]
    spans, position = [], 0
    while position < len(words):
        if draw(st.booleans()):
            last = draw(st.integers(position, min(position + 2, len(words) - 1)))
            spans.append(Span(words[position][0], words[last][1], draw(NAMES)))
            position = last
        position += 1
    return text, spans


def units(text: str, unit: str) -> int:
    return len(text.encode({"utf-16": "utf-16-le", "utf-8": "utf-8"}[unit])) // {"utf-16": 2, "utf-8": 1}[unit]


def ignore(finding: str, found: str) -> None:
    pass


def placed(
    text: str, *entities: ImportedEntity, vocabulary: ImportedVocabulary | None = None
) -> tuple[list[str], list[str]]:
    """Return the parts of the text that the entities cover, and the findings."""
    notes: list[str] = []
    spans = place_entities(
        text, entities, vocabulary or ImportedVocabulary(), "characters", lambda note, _: notes.append(note)
    )
    tags_of(text, spans, lambda note, _: notes.append(note))
    return [text[span.start : span.end] for span in spans], notes


@given(tagged())
def test_offsets_become_tags_and_tags_become_offsets(drawn: tuple[str, list[Span]]) -> None:
    text, spans = drawn
    entities = [ImportedEntity(name, text[start:end], start, end) for start, end, name in spans]
    notes: list[str] = []
    found = place_entities(text, entities, ImportedVocabulary(), "characters", lambda note, _: notes.append(note))
    tags = tags_of(text, found, lambda note, _: notes.append(note))
    assert notes == []
    assert len(tags) == len(text.split())
    assert spans_of(text, tags) == spans
    assert read_tags(text, " ".join(tags)) == tags


@given(tagged(), st.sampled_from(["utf-16", "utf-8"]))
def test_offsets_in_other_units_mean_the_same(drawn: tuple[str, list[Span]], unit: str) -> None:
    text, spans = drawn
    entities = [
        ImportedEntity(name, text[start:end], units(text[:start], unit), units(text[:end], unit))
        for start, end, name in spans
    ]
    found = place_entities(text, entities, ImportedVocabulary(), unit, ignore)
    if unit == "utf-16":
        assert found == spans
    else:
        assert [span.name for span in found] == [span.name for span in spans]


@given(tagged(spaces=st.sampled_from([" ", "  ", "   "])))
def test_tags_match_hexabots_words(drawn: tuple[str, list[Span]]) -> None:
    text, spans = drawn
    tags = tags_of(text, spans, ignore)
    answer, _ = hexabot_tags(text, tags, [0.9] * len(tags))
    assert [tag for tag, word in zip(answer[1:-1], text.split(" "), strict=True) if word] == tags


def helper_tags(text: str, spans: Sequence[Span]) -> str:
    """Return the tags that Hexabot's helper writes, which counts each run of white space as one character."""
    offsets = [(units(text[: span.start], "utf-16"), units(text[: span.end], "utf-16"), span.name) for span in spans]
    tags, position, current = [], 0, None
    for word in BLANKS.split(text):
        end = position + units(word, "utf-16")
        entity = next((each for each in offsets if each[0] < end and each[1] > position), None)
        tags.append(f"{'I' if entity[2] == current else 'B'}-{entity[2]}" if entity else "O")
        current, position = entity[2] if entity else None, end + 1
    return " ".join(tags)


@given(tagged(spaces=st.sampled_from([" ", " ", "  ", "    "])))
def test_tags_written_by_the_helper_are_restored_or_unknown(drawn: tuple[str, list[Span]]) -> None:
    text, spans = drawn
    names = iter("abcdefghijklmnop")
    spans = [span._replace(name=next(names)) for span in spans]
    spans = [span for i, span in enumerate(spans) if i % 2 == 0]  # neighbors cannot be told from one another
    found = slots_written_by_helper(text, helper_tags(text, spans))
    if found is not None:
        assert helper_tags(text, found) == helper_tags(text, spans)
    if not are_shifted(text):
        assert found == spans


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("Paris, please", "paris", ["Paris"]),
        ("Parisian paris Paris", "Paris", ["Paris"]),
        ("to New  York", "new york", ["New  York"]),
        ("l'hôtel", "hôtel", ["hôtel"]),
        ("去北京吧", "北京", ["北京"]),
        ("नमस्ते की", "क", []),
        ("costs $5 now", "$5", ["$5"]),
        ("a.b", "a?b", []),
        ("anything", "", []),
        ("anything", "  ", []),
    ],
)
def test_values_are_found_as_words(text: str, value: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in occurrences(text, value, ImportedVocabulary())] == found


@pytest.mark.parametrize(
    ("text", "entities", "found", "notes"),
    [
        ("🙂 to Rome", [("city", "Rome", 6, 10)], ["Rome"], [OTHER_UNITS]),
        ("été à Rome", [("city", "Rome", 9, 13)], ["Rome"], [OTHER_UNITS]),
        ("to Rome now", [("city", "Rome", 3, 6)], ["Rome"], [CORRECTED]),
        ("Rome to Rome", [("city", "Rome", 9, 13)], ["Rome"], [CORRECTED]),
        ("to Rome ", [("city", "Rome", 2, 8)], ["Rome"], []),
        ("to NYC now", [("city", "New York", 3, 6)], ["NYC"], [OTHER_VALUE]),
        ("to NYC now", [("city", "New York", 4, 6)], [], [NOT_FOUND]),
        ("to NYC now", [("city", "New York", 6, 3)], [], [NOT_FOUND]),
        ("to Rome now", [("city", "", 3, 7)], ["Rome"], []),
        ("to Rome?", [("city", "Rome", 3, 7)], ["Rome"], []),
        ("l'hôtel", [("place", "hôtel", 2, 7)], ["hôtel"], [PART_OF_WORD]),
        ("Rome-Oslo", [("a", "Rome", 0, 4), ("b", "Oslo", 5, 9)], ["Rome", "Oslo"], [PART_OF_WORD, SHARED_WORD]),
        ("New York", [("a", "York", 4, 8), ("b", "New York", 0, 8)], ["New York"], [OVERLAP]),
        ("from Paris to paname", [("a", "Paris", 5, 10), ("b", "Paris", 14, 20)], ["Paris", "paname"], [OTHER_VALUE]),
        ("the big apple or New York", [("city", "New York", 0, 13)], ["the big apple"], [OTHER_VALUE]),
        ("to Rome, not Roma", [("city", "Roma", 3, 7)], ["Rome"], [OTHER_VALUE]),
        ("at 5pm or 50", [("hour", "5", 3, 4)], ["5"], [PART_OF_WORD]),
        ("two pizzas", [("dish", "pizza", 4, 9)], ["pizza"], [PART_OF_WORD]),
        ("two pizzas", [("dish", "calzone", 4, 9)], ["pizza"], [OTHER_VALUE, PART_OF_WORD]),
        ("comparing", [("means", "par", 3, 6)], [], [PIECE]),
        ("parking", [("means", "par", 0, 3)], [], [PIECE]),
        ("a 50", [("hour", "5", 2, 3)], [], [PIECE]),
        ("comparing par avion", [("means", "par", 3, 6)], ["par"], [CORRECTED]),
        ("comparing", [("means", "by", 3, 6)], [], [NOT_FOUND]),
        ("سافر للقاهرة غدا", [("city", "القاهرة", 7, 12)], ["قاهرة"], [OTHER_VALUE, PART_OF_WORD]),
        ("وبالقاهرة", [("city", "قاهرة", 4, 9)], ["قاهرة"], [PART_OF_WORD]),
        ("لِـقاهرة", [("city", "قاهرة", 3, 8)], ["قاهرة"], [PART_OF_WORD]),
        ("سافر بالقاهرة", [("city", "القاهرة", None, None)], ["القاهرة"], [PART_OF_WORD]),
        ("ثمن", [("from", "من", 1, 3)], [], [PIECE]),
        ("בירושלים", [("city", "ירושלים", 1, 8)], ["ירושלים"], [PART_OF_WORD]),
        ("서울에서부터 가요", [("city", "서울", 0, 2)], ["서울"], [PART_OF_WORD]),
        ("서울에서 가요", [("city", "서울", None, None)], ["서울"], [PART_OF_WORD]),
        ("vol d'Alger", [("city", "Alger", 6, 11)], ["Alger"], [PART_OF_WORD]),
        ("vol dʼAlger", [("city", "Alger", 6, 11)], ["Alger"], [PART_OF_WORD]),
        ("我想去北京", [("city", "北京", 3, 5)], ["北京"], [UNSPACED_RUN]),
        ("我想去 北京", [("city", "北京", 4, 6)], ["北京"], []),
        ("私のiPhoneは", [("device", "iPhone", 2, 8)], ["iPhone"], [UNSPACED_RUN]),
        ("a b c", [("x", "a b", 0, 3), ("y", "b c", 2, 5)], ["a b"], [CROSSING]),
        ("New York", [("a", "York", 4, 8), ("b", "New York", None, None)], ["New York"], [OVERLAP]),
        ("Rome Rome", [("a", "Rome", None, None), ("b", "Rome", None, None)], [], [SEVERAL]),
        ("to Paris, Paris", [("a", "Paris", None, None)], [], [SEVERAL]),
        ("to Paris, Paris", [("a", "Paris", None, None)] * 2, ["Paris", "Paris"], []),
        ("to Paris, Paris", [("a", "Paris", 3, 8)], ["Paris"], []),
        ("to Paris, Paris", [("a", "Paris", 3, 8), ("a", "Paris", None, None)], ["Paris", "Paris"], []),
        ("Rome", [("a", "Rome", None, None), ("b", "Rome", None, None)], ["Rome"], [OVERLAP]),
        ("Rome", [("a", "", None, None)], [], [UNREADABLE]),
        ("Rome", [("a", " ", 3, None)], [], [UNREADABLE]),
        ("Rome", [("a", "Rome", None, None), ("a", "Rome", 0, 4)], ["Rome"], []),
        ("Rome", [("a", "Rome", None, None), ("b", "Rome", 0, 4)], ["Rome"], [OVERLAP]),
        ("York New York", [("a", "York", None, None), ("b", "New York", None, None)], ["York", "New York"], []),
    ],
)
def test_offsets_are_trusted_values_are_found_and_doubts_are_reported(
    text: str, entities: list[tuple[str, str, int | None, int | None]], found: list[str], notes: list[str]
) -> None:
    assert placed(text, *(ImportedEntity(*entity) for entity in entities)) == (found, notes)


@given(tagged(), st.lists(WORDS, min_size=8, max_size=8))
def test_offsets_on_word_boundaries_are_trusted_for_any_value(drawn: tuple[str, list[Span]], values: list[str]) -> None:
    text, spans = drawn
    if not text.isascii():
        return  # there the value may say that the offsets count other units
    entities = [
        ImportedEntity(name, value, start, end) for (start, end, name), value in zip(spans, values, strict=False)
    ]
    assert place_entities(text, entities, ImportedVocabulary(), "characters", ignore) == spans


@given(st.data())
def test_the_middle_or_end_of_a_word_is_never_a_slot(data: st.DataObject) -> None:
    letters = st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=2, max_size=8)
    word = data.draw(letters)
    start = data.draw(st.integers(1, len(word) - 1))
    end = data.draw(st.integers(start + 1, len(word)))
    assert placed(f"- {word} -", ImportedEntity("x", word[start:end], start + 2, end + 2)) == ([], [PIECE])


@given(st.data())
def test_arabic_words_after_clitics_are_slots(data: st.DataObject) -> None:
    before = data.draw(st.sampled_from(["و", "ف", "ب", "ك", "ل", "لل", "ال", "بال", "وال", "فلل", "وبال", "لـ", "وَ"]))
    word = data.draw(st.text(st.characters(min_codepoint=0x621, max_codepoint=0x64A, categories=["Lo"]), min_size=3))
    start = len(before) + 3
    text = f"في {before}{word} غدا"
    spans = place_entities(
        text, [ImportedEntity("x", word, start, start + len(word))], ImportedVocabulary(), "characters", ignore
    )
    assert tags_of(text, spans, ignore) == ["O", "B-x", "O"]


@given(st.data())
def test_a_part_is_a_slot_if_it_is_the_longer_one(data: st.DataObject) -> None:
    word = data.draw(st.text(st.sampled_from("abcdeé"), min_size=2, max_size=9))
    end = data.draw(st.integers(1, len(word) - 1))
    found, notes = placed(word, ImportedEntity("x", word[:end], 0, end))
    assert (found, notes) == (([word[:end]], [PART_OF_WORD]) if len(word) <= 2 * end else ([], [PIECE]))


def test_synonyms_are_interchangeable() -> None:
    vocabulary = ImportedVocabulary()
    vocabulary.add_synonyms("New York", ["NYC", "the big apple"])
    assert placed("to the Big Apple", ImportedEntity("city", "New York"), vocabulary=vocabulary) == (
        ["the Big Apple"],
        [],
    )
    assert placed("to NYC now", ImportedEntity("city", "new york", 3, 6), vocabulary=vocabulary) == (["NYC"], [])
    assert placed("to New York", ImportedEntity("city", "NYC"), vocabulary=vocabulary) == (["New York"], [])


def test_a_lookup_table_helps_if_it_is_unambiguous() -> None:
    vocabulary = ImportedVocabulary()
    vocabulary.add_lookup("city", ["Rome", "Oslo"])
    assert placed("to Rome", ImportedEntity("city", "the capital"), vocabulary=vocabulary) == (["Rome"], [BY_LOOKUP])
    assert placed("Oslo to Rome", ImportedEntity("city", "the capital"), vocabulary=vocabulary) == ([], [NOT_FOUND])


@pytest.mark.parametrize(
    ("text", "tags", "read"),
    [
        ("to New York", "O B-c I-c", ["O", "B-c", "I-c"]),
        ("to New York", "<SOS> O B-c I-c <EOS>", ["O", "B-c", "I-c"]),
        ("to  New York", "O O B-c I-c", ["O", "B-c", "I-c"]),
        ("to New York", "O I-c I-c", ["O", "B-c", "I-c"]),
        ("to New York", "O B-c I-d", ["O", "B-c", "B-d"]),
        ("to New York", "U-a B-c L-c", ["B-a", "B-c", "I-c"]),
        ("to New York", "S-a B-c E-c", ["B-a", "B-c", "I-c"]),
        ("to New York", "O O", None),
        ("to New York", "O city city", None),
        ("to New York", "O B- O", None),
    ],
)
def test_tags_of_other_tools_are_read(text: str, tags: str, read: list[str] | None) -> None:
    assert read_tags(text, tags) == read
