"""The yardstick for slots: a conditional random field over the words, their shapes and their neighbors.

Features of a word: itself, its first and last 1 to 4 letters, its shape, whether it is a number, and where it is; the
words up to two places away; the pairs with its neighbors. The field is CRFsuite's, trained by L-BFGS with both kinds of
regularization. The package `python-crfsuite` is needed for the benchmark only.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

AFFIXES = range(1, 5)
WINDOW = (-2, -1, 1, 2)
PARAMETERS = {"c1": 0.05, "c2": 0.01, "max_iterations": 150, "feature.possible_transitions": True}
"""c1 and c2 weigh the absolute and the squared regularization."""


def answers_of_crf(texts: Sequence[str], tags: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Fit a conditional random field on tagged texts, and return the tags of each text that is asked.

    Args:
        texts: Words with spaces between.
        tags: One tag for each word, with spaces between.
        asked: Texts to tag.

    Returns:
        One tag for each word, with spaces between.
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
    return [_of_word(word, lower, place + 2) for place, word in enumerate(words)]


def _of_word(word: str, lower: Sequence[str], place: int) -> list[str]:
    own = lower[place]
    return [
        "bias",
        f"word={own}",
        f"shape={shape(word)}",
        f"number={word.isdigit()}",
        *(f"prefix={own[:length]}" for length in AFFIXES),
        *(f"suffix={own[-length:]}" for length in AFFIXES),
        *(f"word{offset:+d}={lower[place + offset]}" for offset in WINDOW),
        f"before={lower[place - 1]} {own}",
        f"after={own} {lower[place + 1]}",
    ]


def shape(word: str) -> str:
    """Return a word with `X` for capitals, `x` for other letters, `0` for digits; runs count once."""
    marks = ["0" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each for each in word]
    return "".join(mark for place, mark in enumerate(marks) if place == 0 or mark != marks[place - 1])
