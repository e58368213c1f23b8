"""What a text must show before its language counts as known, learned from the rows that a model is trained on."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from export.features import column_of
from handler.affixes import parse_column
from handler.evidence import Evidence, script_of, words_of
from handler.unsure import LANGUAGE
from training.config import Config
from training.errors import ConfigError
from training.evaluation.answers import Records
from training.evaluation.thresholds import Answered, ThresholdOptions, fit_thresholds

ACCURACY = 0.98
"""How often a language must be right that a model's confidence decides, unless a training asks for something else."""

LEAST_SURE = 0.5
"""A threshold is never below this: a language that is not even probable is no answer."""

LETTERS = 16
"""So many letters of unknown words are evidence of a language, where the model is sure.

Asked for parts of 289 messages, one to three words each, the demo's model answers 82 % of them with 12 letters, and 15
languages are wrong; with 16 letters it answers 79 %, and 2 are wrong.
"""

FEWEST_ROWS = 2
"""A word that fewer rows have may be a name, and is not kept."""

MOST_WORDS = 2_000
"""For each language; the most frequent words are kept."""

ALMOST_ALL = 0.98
"""A word is of one language if at least this share of its rows is: datasets have rows with a wrong language."""

SEEN = 0.01
"""A script is one of a language's if the language has at least this share of the rows in it."""


def learn_evidence(texts: Iterable[str], labels: Iterable[str]) -> Evidence:
    """Learn what is evidence of each language.

    Args:
        texts: The texts of the rows that a model is trained on.
        labels: The language of each.

    Returns:
        The words and the scripts that are of one language alone, and how many letters are enough without them.
    """
    rows_of_word: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows_of_script: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, label in zip(texts, labels, strict=True):
        words = set(words_of(text))
        for word in words:
            rows_of_word[word][label] += 1
        for script in {script_of(word[0]) for word in words}:
            rows_of_script[script][label] += 1
    known: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for word, rows in rows_of_word.items():
        (label, most), *_ = rows.most_common(1)
        if most >= FEWEST_ROWS and most >= ALMOST_ALL * rows.total():
            known[label].append((-most, word))
    return Evidence(
        letters=LETTERS,
        words={label: " ".join(word for _, word in sorted(known[label])[:MOST_WORDS]) for label in sorted(known)},
        scripts={
            script: sorted(label for label, found in rows.items() if found >= SEEN * rows.total())
            for script, rows in sorted(rows_of_script.items())
        },
    )


def threshold_options(config: Config, asked: ThresholdOptions | None) -> dict[str, ThresholdOptions]:
    """Return the outputs that get thresholds, and what each of them should achieve.

    Args:
        config: A configuration of Ludwig's.
        asked: What the training asks for, if it does. It is meant for the labels other than the language, where there
            are any. A language that is read from a text always gets a threshold.

    Raises:
        ConfigError: A threshold is asked for, but no output can have one.
    """
    names = [feature["name"] for feature in config["output_features"] if feature["type"] == "category"]
    if asked and not names:
        kinds = ", ".join(sorted({feature["type"] for feature in config["output_features"]}))
        raise ConfigError(
            f"A threshold is asked for, but the outputs are of type {kinds}: only a category can have one. Leave out "
            "--confidence-threshold and --out-of-scope."
        )
    others = [name for name in names if name != LANGUAGE]
    options = dict.fromkeys(others, asked) if asked else {}
    if LANGUAGE in names and text_read(config) is not None:
        options[LANGUAGE] = asked if asked and not others else ThresholdOptions(ACCURACY)
    return options


def text_read(config: Config) -> str | None:
    """Return the column of the first text that a model reads, as the handler judges it; None where it reads none."""
    texts = [feature for feature in config["input_features"] if feature["type"] in ("text", "sequence")]
    return parse_column(column_of(texts[0]))[0] if texts else None


def fit_language(found: Answered, options: ThresholdOptions, evidence: Evidence) -> dict[str, Any]:
    """Fit the threshold of a language on validation rows, for texts whose evidence leaves it to the confidence.

    Returns:
        What `fit_thresholds` returns, with the evidence.
    """
    thresholds = fit_thresholds(found, options)
    default = max(thresholds["default"], LEAST_SURE)
    return {**thresholds, "default": default, "evidence": msgspec.to_builtins(evidence)}


def answered_with(
    name: str, thresholds: Mapping[str, Any], records: Records, outside: Records, text: str | None
) -> Answered:
    """Read the answers of an output as its thresholds judge them.

    Args:
        name: The output.
        thresholds: What was fitted for it; a language has `evidence` among them.
        records: Rows in scope, with their answers.
        outside: Rows out of scope. They have languages too, so a language takes no notice of them.
        text: The column of the text.
    """
    if "evidence" not in thresholds or text is None:
        return Answered.read(name, records, outside)
    evidence = msgspec.convert(thresholds["evidence"], Evidence)
    judged = [
        record | {f"{name}_probability": _judged(evidence, str(record[text] or ""), name, record)} for record in records
    ]
    return Answered.read(name, judged, [])


def _judged(evidence: Evidence, text: str, name: str, record: Mapping[str, Any]) -> float:
    """Return a confidence as the evidence changes it: 1 where it proves the language, -1 where there is none."""
    proven = evidence.judge(text, record[f"{name}_predictions"])
    return float(record[f"{name}_probability"] if proven is None else 1 if proven else -1)
