"""Slots in the shape that Hexabot reads: one tag for each element of `text.split(" ")`.

Ludwig tags tokens, and its answer has the padded length. Hexabot splits the text at every single space and takes tag
i + 1 for word i, so a double space, a tab or a sub-word would shift every slot behind it.
"""

from handler.text import PlacedSpan

START, STOP, OUTSIDE = "<SOS>", "<EOS>", "O"


def align(
    text: str, placed_spans: list[PlacedSpan], tags: list[str], probabilities: list[float], special: list[str]
) -> tuple[list[str], list[float]]:
    """Return a tag and a probability for each word of `text.split(" ")`, between `<SOS>` and `<EOS>`.

    placed_spans: where the tokens lie, and their positions in tags and probabilities. A word has the tag of its first
    token. Empty words are surely outside (1.0); of words that the graph never saw nothing is known (0.0). special:
    labels that are no tags, answered as outside. The probability of a `B-` tag is that of its whole span.
    """
    words = text.split(" ")
    word_tags, word_probabilities = [], []
    spans = iter(placed_spans)
    position, (start, end) = next(spans, _NO_TOKEN)
    word_start = 0
    for word in words:
        word_end = word_start + len(word)
        while end <= word_start and position is not None:
            position, (start, end) = next(spans, _NO_TOKEN)
        if position is not None and start < word_end:
            tag = tags[position]
            word_tags.append(OUTSIDE if tag in special else tag)
            word_probabilities.append(probabilities[position])
        else:
            word_tags.append(OUTSIDE)
            word_probabilities.append(0.0 if word.strip() else 1.0)
        word_start = word_end + 1
    _spread_span_confidence(word_tags, word_probabilities)
    return [START, *word_tags, STOP], [1.0, *word_probabilities, 1.0]


def all_outside(text: str) -> tuple[list[str], list[float]]:
    """Return what stands for the slots of a text when no model could tag it."""
    return align(text, [], [], [], [])


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
