"""Map token tags to word tags, and word tags to the pieces that Hexabot expects.

Ludwig tags tokens, and its output has the padded length. The handler, the metrics of `fit` and the agreement of int8
graphs all map tokens to words by the same rule:

- A word is a run of characters without white space, as in the datasets.
- A word gets the tag of the first token that overlaps it.
- If several words share that token, only the first keeps a `B-x` tag; the others get `I-x`.

Hexabot splits a text at every single space and reads tag i + 1 for piece i. A piece can hold several words, which other
white space separates. It gets the tag of its first word in a slot, so that no slot is lost.
"""

import re
from collections.abc import Container, Iterable, Sequence

from handler.decoding import BEGIN, INSIDE, OUTSIDE, SlotDecoder, is_whole
from handler.tensor import Tensor
from handler.tokenizers import Span

WORD = re.compile(r"\S+")
START, STOP = "<SOS>", "<EOS>"
PlacedSpan = tuple[int, Span]
"""The position of a token in a padded sequence, and its span in the raw text."""
Tagged = tuple[list[str], list[float]]
"""Tags and their probabilities, in [0, 1]."""

_NO_TOKEN: tuple[None, Span] = (None, (0, 0))


def word_spans(text: str) -> list[Span]:
    """Return the span of each word of `text.split()`, in characters."""
    return [match.span() for match in WORD.finditer(text)]


def word_positions(text: str, tokens: Iterable[PlacedSpan]) -> list[int | None]:
    """Return the position of each word's first token.

    Args:
        text: The raw text.
        tokens: The tokens that the graph sees, in reading order.

    Returns:
        A position for each word of `text.split()`. None means that the word has no token, because the text was
        truncated before it or the tokenizer drops its characters.
    """
    positions: list[int | None] = []
    remaining = iter(tokens)
    position, (start, end) = next(remaining, _NO_TOKEN)
    # Words and tokens are both in reading order, so one pass over both finds every overlap.
    for word_start, word_end in word_spans(text):
        # Skip the tokens that end before the word begins.
        while position is not None and end <= word_start:
            position, (start, end) = next(remaining, _NO_TOKEN)
        # Do not consume the token: if it reaches into the next word, it represents that word too.
        positions.append(position if position is not None and start < word_end else None)
    return positions


def pieces_of_words(text: str, tokens: Sequence[PlacedSpan]) -> tuple[list[Span], list[int | None]]:
    """Split words into the pieces at which a value can begin, for taggers that were trained on tokens.

    A word is split where a token begins after an apostrophe, as in `l'hôtel`, at punctuation, after Arabic and Hebrew
    clitics, and at every token of a script without spaces. It is not split anywhere else: no value begins in the
    middle of `comparing`, even if the tokenizer splits it.

    Args:
        text: The raw text.
        tokens: The tokens that the graph sees, in reading order.

    Returns:
        The spans of the pieces, which cover all words, and the position of each piece's first token; None if a word has
        no token.
    """
    from handler.words import may_begin

    spans: list[Span] = []
    positions: list[int | None] = []
    next_token = 0
    for (start, end), position in zip(word_spans(text), word_positions(text, tokens), strict=True):
        spans.append((start, end))
        positions.append(position)
        # Skip the token that begins the word, and all tokens before it.
        while next_token < len(tokens) and tokens[next_token][1][0] <= start:
            next_token += 1
        # Split the last piece at each further token of the word that may begin a value.
        while position is not None and next_token < len(tokens) and tokens[next_token][1][0] < end:
            token_position, (first, last) = tokens[next_token]
            if first < last and first > spans[-1][0] and may_begin(text, first):
                spans[-1] = (spans[-1][0], first)
                spans.append((first, end))
                positions.append(token_position)
            next_token += 1
    return spans, positions


def word_tags(
    positions: Sequence[int | None],
    tags: Sequence[str],
    probabilities: Sequence[float],
    special: Container[str] = (),
    decoder: SlotDecoder | None = None,
    logits: Tensor | None = None,
) -> Tagged:
    """Return a tag and a probability for each word.

    Args:
        positions: The result of `word_positions`.
        tags: A tag for each position of the padded sequence.
        probabilities: The probability of each tag.
        special: Labels that are not tags, such as padding. They become `O`.
        decoder: Chooses new tags if Ludwig's do not form complete slots; None always keeps Ludwig's.
        logits: The decoder's input, float32, (length, labels).

    Returns:
        Tags and probabilities. A word without a token is `O` with probability 0.0, because the model never saw it.
    """
    # Keep one tag for each token that represents a word, and drop padding and all other tokens.
    seen = list(dict.fromkeys(position for position in positions if position is not None))
    found = {position: (tags[position], probabilities[position]) for position in seen}
    # Decode only these tokens: a valid sequence over them is what makes the words' slots complete.
    if decoder is not None and logits is not None and not is_whole(tags[position] for position in seen):
        found = dict(
            zip(seen, zip(*decoder.decode([logits[each].tolist() for each in seen]), strict=True), strict=True)
        )
    words: Tagged = ([], [])
    previous = None
    for position in positions:
        tag, probability = (OUTSIDE, 0.0) if position is None else found[position]
        # A word that shares its token with the word before continues the slot.
        if position is not None and position == previous and tag.startswith(BEGIN):
            tag = INSIDE + tag[len(BEGIN) :]
        words[0].append(OUTSIDE if tag in special else tag)
        words[1].append(probability)
        previous = position
    return words


def hexabot_tags(text: str, tags: Sequence[str], probabilities: Sequence[float]) -> Tagged:
    """Return a tag and a probability for each piece of `text.split(" ")`, between `<SOS>` and `<EOS>`.

    Args:
        text: The raw text.
        tags: A tag for each word of `text.split()`.
        probabilities: The probability of each tag.

    Returns:
        Two lists of the length that Hexabot expects. A blank piece has probability 1.0; its tag is `O`, or `I-x` if a
        slot goes on after it. The probability of a `B-` tag is the smallest one in its span.
    """
    piece_tags: list[str] = []
    piece_probabilities: list[float] = []
    pieces = text.split(" ")
    first, before = 0, OUTSIDE
    for piece in pieces:
        last = first + len(piece.split())
        tag, probability = OUTSIDE, 1.0
        if first < last:
            chosen = next((word for word in range(first, last) if tags[word] != OUTSIDE), first)
            tag, probability = tags[chosen], probabilities[chosen]
            # The words begin this slot in an earlier piece, which has the tag of another slot.
            if tag.startswith(INSIDE) and chosen and tag[2:] == tags[chosen - 1][2:] != before[2:]:
                tag = BEGIN + tag[2:]
        elif piece and first < len(tags) and tags[first] == INSIDE + before[2:]:
            tag = tags[first]
        # Hexabot skips empty pieces, but not those of other white space.
        before = tag if piece else before
        first = last
        piece_tags.append(tag)
        piece_probabilities.append(probability)
    _spread_span_confidence(pieces, piece_tags, piece_probabilities)
    return [START, *piece_tags, STOP], [1.0, *piece_probabilities, 1.0]


def all_outside(text: str) -> Tagged:
    """Return the tags that Hexabot gets when no model could tag a text: `O` with probability 0.0 for every word."""
    words = len(text.split())
    return hexabot_tags(text, [OUTSIDE] * words, [0.0] * words)


def _spread_span_confidence(pieces: Sequence[str], tags: Sequence[str], probabilities: list[float]) -> None:
    """Give each `B-` tag the smallest probability in its span: a slot is only as certain as its least certain word.

    Hexabot reads the confidence of a slot from its first word only. It skips empty pieces, which come from two spaces
    in a row, so a slot continues after one.
    """
    for first, tag in enumerate(tags):
        if tag.startswith(BEGIN):
            last = first + 1
            while last < len(tags) and (not pieces[last] or tags[last] == INSIDE + tag[len(BEGIN) :]):
                last += 1
            probabilities[first] = min(probabilities[first:last])
