"""The test client reads slots like Hexabot's real helper; the expected values are the real helper's results."""

import pytest

from tests.hexabot_client import LostAnswerError, understand


def read(text: str, tags: str, confidences: list[float] | None = None) -> list[tuple[str, str, int, int]]:
    """Return the slots that Hexabot reads from tags: entities, values, first words and ends."""
    found = ["<SOS>", *tags.split(), "<EOS>"]
    sure = [1.0, *(confidences or [0.9] * (len(found) - 2)), 1.0]
    columns = {"slots_predictions": found, "slots_probabilities": sure}
    answer = {"language": {"predictions": {}}, "slots": {"predictions": columns}}
    return [(slot.entity, slot.value, slot.start, slot.end) for slot in understand(text, answer).slots]


@pytest.mark.parametrize(
    ("text", "tags", "slots"),
    [
        ("to New York", "O B-city I-city", [("city", "New York", 1, 3)]),
        ("New  York", "B-city O I-city", [("city", "New York", 0, 3)]),
        ("New  York", "B-city B-date I-city", [("city", "New York", 0, 3)]),
        ("New   York  now", "B-city O O I-city O B-date", [("city", "New York", 0, 4), ("date", "now", 5, 6)]),
        (" Rome", "B-date B-city", [("city", "Rome", 1, 2)]),
        ("  Rome", "O O B-city", [("city", "Rome", 2, 3)]),
        ("New \t York", "B-city O I-city", [("city", "New", 0, 1)]),
        ("a b c", "B-x O I-x", [("x", "a", 0, 1)]),
        ("a b c", "B-x I-y I-x", [("x", "a", 0, 1)]),
        ("a b", "I-x B-x", [("x", "b", 1, 2)]),
        ("a b", "B-x B-x", [("x", "a", 0, 1), ("x", "b", 1, 2)]),
        ("a", "O B-x", []),
        ("a b", "B-x", [("x", "a", 0, 1)]),
        ("a b", "B-O B-y", [("y", "b", 1, 2)]),
    ],
)
def test_slots_are_read_as_the_helper_reads_them(text: str, tags: str, slots: list[tuple[str, str, int, int]]) -> None:
    assert read(text, tags) == slots


def test_a_slot_has_the_confidence_of_its_first_word() -> None:
    assert read("a  b", "B-x O I-x", [0.51, 0.0, 0.0]) == [("x", "a b", 0, 3)]
    assert read("a  b", "B-x O I-x", [0.5, 1.0, 1.0]) == []


def test_labels_under_the_threshold_are_dropped() -> None:
    def trait(name: str, confidence: float) -> dict[str, dict[str, object]]:
        return {"predictions": {f"{name}_predictions": "fr", f"{name}_probabilities_fr": confidence}}

    answer = {"language": trait("language", 0.0), "intent": trait("intent", 0.09)}
    assert understand("XK-4471", answer).traits == {}
    assert set(understand("XK-4471", answer, threshold=0.0).traits) == {"language", "intent"}


def test_a_failed_language_loses_the_whole_message() -> None:
    with pytest.raises(LostAnswerError):
        understand("hello", {"language": {"status": "failed"}})
