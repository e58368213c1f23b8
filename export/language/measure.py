"""Measure a language model on rows with known languages."""

from pathlib import Path
from typing import TYPE_CHECKING

from export.rows import readable_rows
from handler.predictor import Predictor
from handler.unsure import LANGUAGE, unsure_outputs

if TYPE_CHECKING:
    import pandas as pd

TEXT = "text"


def accuracy(bundle: Path, dataset: "pd.DataFrame") -> str:
    """Measure the accuracy of a bundle.

    Args:
        bundle: The bundle of a language model.
        dataset: Rows with a column `text` and, for a measurement, a column `language`.

    Returns:
        The accuracy in sentences for the user; "" if no row has a language.
    """
    rows = readable_rows(dataset, [{"name": TEXT, "type": "text"}, {"name": LANGUAGE, "type": "text"}])
    if LANGUAGE not in rows:
        return ""
    predictor = Predictor(bundle)
    known = [(str(text or ""), str(label)) for text, label in zip(rows[TEXT], rows[LANGUAGE], strict=True) if label]
    if not known:
        return ""
    asked = [{TEXT: text} for text, _ in known]
    right = sure = right_and_sure = 0
    for row, answer, (_, label) in zip(asked, predictor.answers(asked), known, strict=True):
        is_right = answer.outputs[LANGUAGE][f"{LANGUAGE}_predictions"] == label
        is_sure = not unsure_outputs(predictor, row, answer.outputs)
        right, sure, right_and_sure = right + is_right, sure + is_sure, right_and_sure + (is_right and is_sure)
    return (
        f"The language is correct in {right / len(known):.1%} of {len(known)} rows. The model is sure in "
        f"{sure / len(known):.1%} of the rows, and {right_and_sure / max(sure, 1):.1%} of these answers are correct."
    )
