"""Learn the evidence that a text must contain before its predicted language counts as known."""

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
"""Default target accuracy of languages that are decided by the model's confidence."""

LEAST_SURE = 0.5
"""Lower bound of a language threshold: a less likely language is not an answer."""

LETTERS = 16
"""Number of letters in unknown words that count as evidence if the model is confident.

Measured with the demo's model on parts of 289 messages, one to three words each: with 12 letters it answers 82% of them
and gets 15 languages wrong; with 16 letters it answers 79% and gets 2 wrong.
"""

FEWEST_ROWS = 2
"""A word in fewer rows may be a name and is dropped."""

MOST_WORDS = 2_000
"""Maximum number of words per language; the most frequent ones are kept."""

ALMOST_ALL = 0.98
"""A word belongs to a language if at least this share of its rows does; datasets contain mislabeled rows."""

SEEN = 0.01
"""A script belongs to a language if the language has at least this share of the rows in that script."""


def learn_evidence(texts: Iterable[str], labels: Iterable[str]) -> Evidence:
    """Learn the evidence of each language.

    Args:
        texts: Texts of the training split.
        labels: Language of each text.

    Returns:
        The words of each language that occur almost only in it, the languages of each script, and the number of
        letters that suffice without them.
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
    """Return the target of the thresholds of each output that gets them.

    Args:
        config: A Ludwig configuration.
        asked: The requested target, if there is one. It applies to the categories other than the language, if there
            are any. A language that is predicted from a text always gets a threshold.

    Raises:
        ConfigError: A threshold is requested, but no output is a category.
    """
    names = [feature["name"] for feature in config["output_features"] if feature["type"] == "category"]
    if asked and not names:
        kinds = ", ".join(sorted({feature["type"] for feature in config["output_features"]}))
        raise ConfigError(
            f"Only a category can have a threshold, but the outputs are of type {kinds}: omit --confidence-threshold "
            "and --out-of-scope."
        )
    others = [name for name in names if name != LANGUAGE]
    options = dict.fromkeys(others, asked) if asked else {}
    if LANGUAGE in names and text_read(config) is not None:
        # A message out of scope has a language, too, so only the accuracy counts.
        wanted = asked.accuracy if asked and not others else None
        options[LANGUAGE] = ThresholdOptions(wanted or ACCURACY)
    return options


def text_read(config: Config) -> str | None:
    """Return the column of the model's first text input, which the handler checks for evidence; None without text."""
    texts = [feature for feature in config["input_features"] if feature["type"] in ("text", "sequence")]
    return parse_column(column_of(texts[0]))[0] if texts else None


def fit_language(found: Answered, options: ThresholdOptions, evidence: Evidence) -> dict[str, Any]:
    """Fit the threshold of a language, which applies to texts without conclusive evidence.

    Args:
        found: Predictions for the validation rows.
        options: The target.
        evidence: Evidence of each language.

    Returns:
        The result of `fit_thresholds`, with the evidence added.
    """
    thresholds = fit_thresholds(found, options)
    default = max(thresholds["default"], LEAST_SURE)
    return {**thresholds, "default": default, "evidence": msgspec.to_builtins(evidence)}


def answered_with(
    name: str, thresholds: Mapping[str, Any], records: Records, outside: Records, text: str | None
) -> Answered:
    """Read the predictions of an output with the confidence that its thresholds are compared with.

    Args:
        name: Name of the output.
        thresholds: Its thresholds; those of a language include `evidence`.
        records: Predictions for rows in scope.
        outside: Predictions for out-of-scope rows. A language ignores them, because they have a language too.
        text: Column of the text.
    """
    if "evidence" not in thresholds or text is None:
        rejected = thresholds.get("rejected", ())
        return Answered.read(name, records, outside, thresholds.get("softness", 1.0), rejected)
    evidence = msgspec.convert(thresholds["evidence"], Evidence)
    judged = [
        record | {f"{name}_probability": _judged(evidence, str(record[text] or ""), name, record)} for record in records
    ]
    return Answered.read(name, judged, [])


def _judged(evidence: Evidence, text: str, name: str, record: Mapping[str, Any]) -> float:
    """Return the confidence after the evidence check: 1 if the evidence proves the language, -1 without evidence."""
    proven = evidence.judge(text, record[f"{name}_predictions"])
    return float(record[f"{name}_probability"] if proven is None else 1 if proven else -1)
