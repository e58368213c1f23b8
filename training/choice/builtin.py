"""fastText's language model as a rival of the one that was trained on the user's rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from export.console import say
from export.errors import ExportError
from export.model import TRAINING_RECORD
from export.rows import with_named_columns
from handler.bundle import Manifest
from handler.fasttext import LONGEST
from handler.unsure import LANGUAGE
from training.config import SPLIT
from training.dataset import TEST
from training.evaluation.languages import learn_evidence

if TYPE_CHECKING:
    import pandas as pd

TEXT = "text"
TRAINED = "instead_of"
"""In the record of a bundle with fastText's model: the record of the trained model that it won against."""


def export_if_better(dataset: "pd.DataFrame", run: Path, bundle: Path, proving: "pd.DataFrame") -> Manifest | None:
    """Make a bundle of fastText's model if it is at least as accurate as the trained one.

    Between equals it wins: it has seen far more words than the rows have.

    Args:
        dataset: The rows, with `text` and `language`. fastText has seen none of them, so all of them measure it. Where
            rows are set aside for the test, those alone measure both.
        run: The run of the trained model.
        bundle: The folder to write.
        proving: The rows of the proof.

    Returns:
        The manifest, or None where the trained model is better, or fastText's is not installed or lacks a language.
    """
    from export.language.build import Rule, build_language, cautious_rule, check_languages
    from export.language.ftz import read_ftz
    from export.language.reference import installed_model

    source = installed_model()
    if source is None:
        return None
    rows = with_named_columns(dataset, [TEXT, LANGUAGE])
    rows = rows[rows[TEXT].map(_is_text) & rows[LANGUAGE].map(_is_text)]
    languages = sorted(set(rows[LANGUAGE]))
    try:
        check_languages(read_ftz(source.path), languages)
    except ExportError:
        return None
    record = json.loads((run / TRAINING_RECORD).read_text(encoding="utf-8"))
    trained, found = float(record["metrics"][LANGUAGE]["accuracy"]), accuracy(source.path, _measured(rows), languages)
    told = f"{LANGUAGE}: {found:.1%} of fastText's answers are correct, and {trained:.1%} of the trained model's."
    if found < trained:
        say(f"{told} The trained model is exported.")
        return None
    say(f"{told} fastText's model is exported, under its license, {source.license}.")
    rule = cautious_rule(languages)
    known = learn_evidence(rows[TEXT], rows[LANGUAGE]).words
    return build_language(
        source,
        languages,
        bundle,
        dataset=proving,
        rule=Rule(rule.thresholds, msgspec.structs.replace(rule.evidence, words=known)),
        force=True,
        training={TRAINED: record, "accuracy": round(found, 6)},
    )


def accuracy(path: Path, rows: "pd.DataFrame", languages: list[str]) -> float:
    """Return how often fastText is right, if it knows that only some languages are possible.

    Args:
        path: The model.
        rows: Texts and their languages.
        languages: The possible languages.
    """
    from export.language.reference import ask

    texts = [text[:LONGEST].lower().replace("\n", " ") for text in rows[TEXT]]
    found = ask(path, texts, languages).argmax(axis=1)
    right = [languages[index] == label for index, label in zip(found, rows[LANGUAGE], strict=True)]
    return right.count(True) / len(right)


def _measured(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of the test, or all rows if there is none."""
    held = rows[rows[SPLIT].astype(str) == str(TEST)] if SPLIT in rows else rows.iloc[:0]
    return rows if held.empty else held


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
