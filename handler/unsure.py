"""Replace answers below their confidence threshold with what Hexabot should get instead."""

from collections.abc import Mapping
from typing import Any

from handler.outputs import CategoryOutput, Columns, merged
from handler.predictor import Predictor
from handler.text import TextInput

LANGUAGE = "language"
BELOW_THRESHOLD = "The model is not sure enough: its answer is below the threshold."


def success(predictions: dict[str, Any]) -> dict[str, Any]:
    """Return predictions as Hexabot reads them."""
    return {"predictions": predictions, "status": "success"}


def language_columns(language: str, probability: float) -> Columns:
    """Return the columns of a language that no model answered.

    Hexabot needs a language in every answer. One with probability 0 is below each of its thresholds, so that it does
    not store it with the subscriber.
    """
    return {
        f"{LANGUAGE}_predictions": language,
        f"{LANGUAGE}_probabilities_{language}": probability,
        f"{LANGUAGE}_probability": probability,
    }


def unsure_outputs(predictor: Predictor, row: Mapping[str, Any], outputs: Mapping[str, Columns]) -> set[str]:
    """Return the names of the outputs whose answers are less sure than they must be.

    Args:
        predictor: The model.
        row: What it was asked, by column.
        outputs: Ludwig's columns of its answer, by output.
    """
    text = _text(predictor, row)
    unsure = {output.name for output in _with_thresholds(predictor) if output.is_unsure(outputs[output.name], text)}
    # Hexabot loses the whole answer if the model `language` failed, also if its output has another name.
    return unsure & {LANGUAGE} if predictor.manifest.name == LANGUAGE else unsure


def without_unsure(outputs: Mapping[str, Columns], unsure: set[str], default_language: str) -> dict[str, Any]:
    """Return an answer without the outputs that are unsure, which it holds under `below_threshold`.

    Hexabot takes any label for an intent, however improbable, and does without a failed one. So an answer with nothing
    left is failed. An unsure language becomes the default language with probability 0.
    """
    shown = {name: columns for name, columns in outputs.items() if name not in unsure}
    if len(shown) == len(outputs):
        return success(merged(shown))
    if LANGUAGE in unsure:
        shown[LANGUAGE] = language_columns(default_language, 0.0)
    answer = success(merged(shown)) if shown else {"error": BELOW_THRESHOLD, "status": "failed"}
    return {**answer, "below_threshold": merged({name: outputs[name] for name in outputs if name in unsure})}


def marks(predictor: Predictor, row: Mapping[str, Any], outputs: Mapping[str, Columns]) -> Columns:
    """Return a column for each output with thresholds that tells whether its answer is below them."""
    text = _text(predictor, row)
    return {
        f"{output.name}_below_threshold": output.is_unsure(outputs[output.name], text)
        for output in _with_thresholds(predictor)
    }


def _with_thresholds(predictor: Predictor) -> list[CategoryOutput]:
    outputs = [output for output in predictor.manifest.outputs if isinstance(output, CategoryOutput)]
    return [output for output in outputs if output.thresholds is not None or output.evidence is not None]


def _text(predictor: Predictor, row: Mapping[str, Any]) -> str | None:
    """Return the text that a model was asked: "" for a missing one, None where the model reads none."""
    for feature in predictor.manifest.inputs:
        if isinstance(feature, TextInput):
            return str(row[feature.column] or "")
    return None
