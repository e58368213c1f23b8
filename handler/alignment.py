"""Slots in the shape that Hexabot reads: one tag for each element of `text.split(" ")`.

Ludwig tags tokens, and its answer has the padded length. Hexabot splits the text at every single space and takes tag
i + 1 for word i, so a double space, a tab or a sub-word would shift every slot behind it.
"""

from collections.abc import Iterable, Sequence

from handler.text import PlacedSpan

START, STOP, OUTSIDE = "<SOS>", "<EOS>", "O"


def word_places(text: str, placed_spans: Iterable[PlacedSpan]) -> list[int | None]:
    """Return the position of the first token of each word of `text.split(" ")`, None for a word without any.

    placed_spans: where the tokens lie, and their positions.
    """
    places: list[int | None] = []
    spans = iter(placed_spans)
    position, (start, end) = next(spans, _NO_TOKEN)
    word_start = 0
    for word in text.split(" "):
        word_end = word_start + len(word)
        while end <= word_start and position is not None:
            position, (start, end) = next(spans, _NO_TOKEN)
        places.append(position if position is not None and start < word_end else None)
        word_start = word_end + 1
    return places


def align(
    text: str, places: Sequence[int | None], tags: Sequence[str], probabilities: Sequence[float], special: Sequence[str]
) -> tuple[list[str], list[float]]:
    """Return a tag and a probability for each word of `text.split(" ")`, between `<SOS>` and `<EOS>`.

    places: where each word stands in tags and probabilities, as `word_places` gives them. Empty words are surely
    outside (1.0); of words that the graph never saw nothing is known (0.0). special: labels that are no tags, answered
    as outside. The probability of a `B-` tag is that of its whole span.
    """
    word_tags, word_probabilities = [], []
    for word, place in zip(text.split(" "), places, strict=True):
        if place is None:
            word_tags.append(OUTSIDE)
            word_probabilities.append(0.0 if word.strip() else 1.0)
        else:
            word_tags.append(OUTSIDE if tags[place] in special else tags[place])
            word_probabilities.append(probabilities[place])
    _spread_span_confidence(word_tags, word_probabilities)
    return [START, *word_tags, STOP], [1.0, *word_probabilities, 1.0]


def all_outside(text: str) -> tuple[list[str], list[float]]:
    """Return what stands for the slots of a text when no model could tag it."""
    return align(text, word_places(text, []), [], [], [])


_NO_TOKEN: tuple[None, tuple[int, int]] = (None, (0, 0))


def _spread_span_confidence(tags: list[str], probabilities: list[float]) -> None:
    """Give each `B-` tag the smallest probability of its span: a span is no surer than its least sure word.

    Hexabot reads the confidence of a slot at its first word only.
    """
    for first, tag in enumerate(tags):
        if tag.startswith("B-"):
            last = first + 1
            while last < len(tags) and tags[last] == f"I-{tag[2:]}":
                last += 1
            probabilities[first] = min(probabilities[first:last])
