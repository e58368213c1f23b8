"""Similar texts are in one group, in any language; contradictions are found."""

from training.review.grouping import contradictory, grouped

TEXTS = [
    "book a flight to Paris",
    "أريد حجز غرفة",
    "🙂",
    "book a flight to Rome",
    "  ",
    "أريد حجز غرفة كبيرة",
    "Book a Flight to Oslo!",
    "我想去北京",
    "我想去上海",
]


def test_similar_texts_are_together_and_the_largest_group_is_first() -> None:
    groups = grouped(TEXTS)
    assert sorted(groups[0]) == [0, 3, 6]
    assert {frozenset(group) for group in groups} >= {frozenset({1, 5}), frozenset({2}), frozenset({4})}
    assert sorted(position for group in groups for position in group) == list(range(len(TEXTS)))
    assert groups == grouped(TEXTS)


def test_few_texts_and_texts_without_characters_have_groups_of_their_own() -> None:
    assert grouped([]) == []
    assert grouped(["hi"]) == [[0]]
    assert grouped(["", " "]) == [[0], [1]]


def test_only_similar_texts_with_different_labels_contradict_each_other() -> None:
    texts = ["cancel my booking", "cancel my booking!", "Cancel my  booking", "book a hotel", "cancel my booking"]
    assert contradictory(texts, ["cancel", "book", "cancel", "book", ""], 0.85) == [[0, 1, 2]]
    assert contradictory(texts, ["cancel"] * 5, 0.85) == []
    assert contradictory([], [], 0.85) == []
