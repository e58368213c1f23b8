"""Copy confidence thresholds from a run's folder into the bundle; answers below a threshold count as unsure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from export.console import say
from export.run_files import read_by_output
from handler.evidence import Evidence
from handler.outputs import CategoryOutput, OutputFeature
from handler.thresholds import Probability, Thresholds
from handler.unsure import LANGUAGE

THRESHOLDS = "thresholds.json"

LanguageRule = Literal["fitted", "none"]

CAUTIOUS_THRESHOLDS = Thresholds(default=0.9)
CAUTIOUS_EVIDENCE = Evidence(letters=5)
"""Defaults for languages without fitted thresholds: `menu` or `taxi` alone must not count as evidence of a language."""


class _Fitted(msgspec.Struct, frozen=True):
    """The part of an entry in `thresholds.json` that export reads; the rest records how it was fitted."""

    default: Probability
    by_label: dict[str, Probability] = msgspec.field(default_factory=dict)
    softness: float = 1.0
    rejected: list[str] = msgspec.field(default_factory=list)
    evidence: Evidence | None = None


def with_thresholds(
    outputs: Sequence[OutputFeature],
    model_folder: Path,
    *,
    reads_text: bool = True,
    language_rule: LanguageRule = "fitted",
) -> list[OutputFeature]:
    """Add the thresholds that `ludwig-serverless fit` wrote next to the model, if any.

    Args:
        outputs: The outputs of the model.
        model_folder: The model folder. The file is `thresholds.json` in its parent folder.
        reads_text: Whether the model reads a text. Only then can a text be evidence of a language.
        language_rule: "fitted" uses the fitted rule for a language, or a cautious default if there is none. With
            "none" every language is answered, as Ludwig does.

    Returns:
        The outputs; those that the file names, and languages, have thresholds.

    Raises:
        ModelError: The file is broken, or names an output or a label that the model does not have.
    """
    found = read_by_output(model_folder.parent / THRESHOLDS, _Fitted, outputs, _labels)
    return [
        _with(output, found.get(output.name), reads_text, language_rule)
        if isinstance(output, CategoryOutput)
        else output
        for output in outputs
    ]


def _with(output: CategoryOutput, found: _Fitted | None, reads_text: bool, rule: LanguageRule) -> CategoryOutput:
    """Return an output with its thresholds."""
    if output.name == LANGUAGE and (rule == "none" or not reads_text):
        return output
    if found is None and output.name != LANGUAGE:
        return output
    thresholds, evidence = CAUTIOUS_THRESHOLDS, CAUTIOUS_EVIDENCE
    if found is not None:
        thresholds = Thresholds(
            default=found.default, by_label=found.by_label, softness=found.softness, rejected=found.rejected
        )
        evidence = found.evidence or CAUTIOUS_EVIDENCE
    if output.name != LANGUAGE:
        say(f"{output.name}: answers below a confidence of {thresholds.default:g} will count as unknown.")
        return msgspec.structs.replace(output, thresholds=thresholds)
    say(
        f"{output.name}: a prediction counts as unsure unless {_shown(evidence)} and the confidence is at least "
        f"{thresholds.default:g}. For an unsure language, the handler answers the default language with probability 0, "
        "so Hexabot keeps the subscriber's language."
    )
    return msgspec.structs.replace(output, thresholds=thresholds, evidence=evidence)


def _shown(evidence: Evidence) -> str:
    known = f"one of {len(evidence.languages)} known words or " if evidence.words else ""
    return f"the text has {known}{evidence.letters} letters"


def _labels(fitted: _Fitted) -> set[str]:
    evidence = fitted.evidence or CAUTIOUS_EVIDENCE
    by_script = (label for labels in evidence.scripts.values() for label in labels)
    return {*fitted.by_label, *fitted.rejected, *evidence.words, *by_script}
