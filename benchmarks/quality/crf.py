"""A baseline for slots: a conditional random field (CRF) over words, their affixes, shapes and neighbors.

The features of a word are the word itself, its first and last 1 to 4 letters, its shape, whether it is a number, the
words up to two positions before and after it, and the pairs with its neighbors. CRFsuite trains the CRF by L-BFGS with
L1 and L2 regularization. Only this benchmark needs the package `python-crfsuite`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

AFFIXES = range(1, 5)
WINDOW = (-2, -1, 1, 2)
PARAMETERS = {"c1": 0.05, "c2": 0.01, "max_iterations": 150, "feature.possible_transitions": True}
"""c1 and c2 are the weights of the L1 and L2 regularization."""


def answers_of_crf(texts: Sequence[str], tags: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Fit a CRF on tagged texts, and predict the tags of other texts.

    Args:
        texts: Texts with space-separated words.
        tags: Space-separated tags of each text, one per word.
        asked: Texts to tag.

    Returns:
        Space-separated tags of each text of `asked`, one per word.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(PARAMETERS)
    for text, right in zip(texts, tags, strict=True):
        trainer.append(features(text.split()), right.split())
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        found = [" ".join(tagger.tag(features(text.split()))) for text in asked]
        tagger.close()
    return found


def features(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word of a text."""
    lower = ["^", "^", *(word.lower() for word in words), "$", "$"]
    return [_of_word(word, lower, position + 2) for position, word in enumerate(words)]


def _of_word(word: str, lower: Sequence[str], position: int) -> list[str]:
    own = lower[position]
    return [
        "bias",
        f"word={own}",
        f"shape={shape(word)}",
        f"number={word.isdigit()}",
        *(f"prefix={own[:length]}" for length in AFFIXES),
        *(f"suffix={own[-length:]}" for length in AFFIXES),
        *(f"word{offset:+d}={lower[position + offset]}" for offset in WINDOW),
        f"before={lower[position - 1]} {own}",
        f"after={own} {lower[position + 1]}",
    ]


def shape(word: str) -> str:
    """Return the shape of a word: `X` for capitals, `x` for other letters and `0` for digits, without repetitions."""
    marks = ["0" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each for each in word]
    return "".join(mark for index, mark in enumerate(marks) if index == 0 or mark != marks[index - 1])
