"""Compare fastText's language model with the one trained on the user's rows, and export the better one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from export.console import say
from export.errors import ExportError
from export.model import TRAINING_RECORD
from export.rows import with_named_columns
from handler.bundle import Manifest
from handler.fasttext import one_line
from handler.unsure import LANGUAGE
from training.dataset import test_or_all
from training.evaluation.languages import learn_evidence

if TYPE_CHECKING:
    import pandas as pd

TEXT = "text"
TRAINED = "instead_of"
"""Key in the record of a bundle with fastText's model: the record of the trained model that it replaces."""


def export_if_better(dataset: "pd.DataFrame", run: Path, bundle: Path, proving: "pd.DataFrame") -> Manifest | None:
    """Export fastText's model if it is at least as accurate as the trained one.

    With equal accuracy, fastText wins, because it knows far more words than the rows contain.

    Args:
        dataset: The rows, with `text` and `language`. If there are test rows, they measure both models; otherwise all
            rows measure fastText, which was not trained on them.
        run: The run of the trained model.
        bundle: The folder to write.
        proving: The rows for the proof.

    Returns:
        The manifest; None if the trained model is better, or if fastText is not installed or lacks a language.
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
    trained, found = float(record["metrics"][LANGUAGE]["accuracy"]), accuracy(source.path, test_or_all(rows), languages)
    scores = f"{LANGUAGE}: fastText has an accuracy of {found:.1%}, and the trained model {trained:.1%}."
    if found < trained:
        say(f"{scores} Exporting the trained model.")
        return None
    say(f"{scores} Exporting fastText's model, which has the license {source.license}.")
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
    """Return fastText's accuracy if only some languages are possible.

    Args:
        path: The model file.
        rows: Texts and their languages.
        languages: The possible languages.
    """
    from export.language.reference import ask

    texts = [one_line(text) for text in rows[TEXT]]
    found = ask(path, texts, languages).argmax(axis=1)
    right = [languages[index] == label for index, label in zip(found, rows[LANGUAGE], strict=True)]
    return right.count(True) / len(right)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
