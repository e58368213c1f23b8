"""Tagged words: CoNLL and IOB with one word per line, and ATIS's IOB with one text per line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.imports.examples import Example, SourceFile

TAG = re.compile(r"O|[BIULSE]-\S+")
COMMENT = re.compile(r"#\s+(?P<key>\w+)\s*[:=]\s*(?P<value>.*)")
"""`# intent: greet` and `# intent = greet`, above the words of a text."""
DOCUMENT = "-DOCSTART-"
FIRST, LAST = "BOS", "EOS"
NO_TAG = "line without a word and its BIO tag"
KEYS = {"intent": "intent", "lang": "language", "language": "language"}
Block = list[tuple[int, str]]
"""The lines of one text, each with its number."""


def is_conll(text: str) -> bool:
    """Return whether most lines of a text have a word and its tag, or a sentence and its tags."""
    lines = [line for line in text.splitlines() if line.strip() and not COMMENT.match(line)][:50]
    tagged = [line for line in lines if _sentence(line) or _is_word(_columns(line))]
    return 2 * len(tagged) > len(lines)


def read_conll(path: Path, text: str) -> SourceFile:
    """Read tagged words.

    The last column is the tag. The first column is the word, or the second if the first one numbers the words. An empty
    line ends a text. Comments such as `# intent: greet` give a text its intent and its language.

    Args:
        path: The file, for messages.
        text: The content of the file.

    Returns:
        The examples, with one tag per word. A text is dropped if one of its lines has no tag.
    """
    source, place = SourceFile(path, "CoNLL"), f"{path} line"
    for block in _blocks(text):
        sentences = [_sentence(line) for _, line in block]
        for (number, _), found in zip(block, sentences, strict=True):
            if found:
                words, tags, intent = found
                source.examples.append(Example(place, number, " ".join(words), intent, tags=" ".join(tags)))
        rest = [line for line, found in zip(block, sentences, strict=True) if not found]
        if rest and (example := _tagged_example(source, place, rest)):
            source.examples.append(example)
    return source


def _blocks(text: str) -> Iterator[Block]:
    """Yield the lines of each text."""
    block: Block = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.rstrip("\r")
        if line.strip() and not line.startswith(DOCUMENT):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _sentence(line: str) -> tuple[list[str], list[str], str] | None:
    """Return the words, tags and intent of a line of ATIS's IOB: `BOS to Oslo EOS<TAB>O O B-city intent`."""
    left, tab, right = line.partition("\t")
    words, tags, intent = left.split(), right.split(), ""
    if not tab or len(words) < 2 or len(words) != len(tags):
        return None
    if (words[0], words[-1]) == (FIRST, LAST):
        words, tags, intent = words[1:-1], tags[1:-1], tags[-1]
    return (words, tags, intent) if all(map(TAG.fullmatch, tags)) else None


def _tagged_example(source: SourceFile, place: str, block: Block) -> Example | None:
    """Return the example of a block of tagged words, or None after recording why the block is dropped."""
    rows: list[tuple[int, list[str]]] = []
    labels: dict[str, str] = {}
    for number, line in block:
        columns = _columns(line)
        if (comment := COMMENT.match(line)) and not TAG.fullmatch(columns[-1]):
            labels.setdefault(comment["key"].casefold(), comment["value"].strip())
        elif _is_word(columns):
            rows.append((number, columns))
        elif not line.startswith("# "):
            source.dropped.append((place, number, NO_TAG, line[:60]))
            return None
    if not rows:
        return None
    counts = [columns[0] for _, columns in rows]
    counted = min(len(columns) for _, columns in rows) > 2 and any(
        counts == [str(start + position) for position in range(len(rows))] for start in (0, 1)
    )
    words = [columns[1 if counted else 0] for _, columns in rows]
    example = Example(place, rows[0][0], " ".join(words), tags=" ".join(columns[-1] for _, columns in rows))
    for key, name in KEYS.items():
        if key in labels:
            setattr(example, name, labels[key])
    return example


def _columns(line: str) -> list[str]:
    """Return the columns of a line, separated by tabs or else by spaces."""
    return [column.strip() for column in line.split("\t")] if "\t" in line else line.split()


def _is_word(columns: Sequence[str]) -> bool:
    return len(columns) > 1 and bool(TAG.fullmatch(columns[-1]))
