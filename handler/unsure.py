"""Replace answers below their confidence threshold with what Hexabot should get instead: a failure or a default."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from handler.outputs import Columns, merged
from handler.predictor import Predictor

if TYPE_CHECKING:
    from handler.answer_types import ModelAnswer

LANGUAGE: Final = "language"
BELOW_THRESHOLD = "The model is not confident enough: its answer is below the threshold."


def success(predictions: dict[str, Any]) -> "ModelAnswer":
    """Return predictions in the format that Hexabot reads."""
    return {"predictions": predictions, "status": "success"}


def language_columns(language: str, probability: float) -> Columns:
    """Return the columns of a default language, which no model predicted.

    Hexabot needs a language in every answer. A probability of 0 is below every threshold of Hexabot, so it does not
    save the language in the subscriber's profile.

    Args:
        language: The language.
        probability: The probability to report.

    Returns:
        The columns that Hexabot reads.
    """
    return {
        f"{LANGUAGE}_predictions": language,
        f"{LANGUAGE}_probabilities_{language}": probability,
        f"{LANGUAGE}_probability": probability,
    }


def unsure_outputs(predictor: Predictor, row: Mapping[str, Any], outputs: Mapping[str, Columns]) -> set[str]:
    """Return the outputs whose answers are too uncertain to use.

    Args:
        predictor: The model.
        row: The row's raw values, by column.
        outputs: Ludwig's columns of the answer, by output.

    Returns:
        The names of these outputs.
    """
    if not predictor.judged:
        return set()
    text = _text(predictor, row)
    unsure = {output.name for output in predictor.judged if output.is_unsure(outputs[output.name], text)}
    # If the model `language` failed, Hexabot would drop the whole response. So only its language may be unsure.
    return unsure & {LANGUAGE} if predictor.manifest.name == LANGUAGE else unsure


def without_unsure(outputs: Mapping[str, Columns], unsure: set[str], default_language: str) -> "ModelAnswer":
    """Return an answer with its unsure outputs moved to `below_threshold`.

    Hexabot accepts any label as an intent, however improbable, and copes with a failed answer. So an answer with no
    output left fails. An unsure language becomes the default language with probability 0.

    Args:
        outputs: Ludwig's columns, by output.
        unsure: The names of the unsure outputs.
        default_language: The language to answer in place of an unsure one.

    Returns:
        The answer in the format that Hexabot reads.
    """
    shown = {name: columns for name, columns in outputs.items() if name not in unsure}
    if len(shown) == len(outputs):
        return success(merged(shown))
    if LANGUAGE in unsure:
        shown[LANGUAGE] = language_columns(default_language, 0.0)
    answer: ModelAnswer = success(merged(shown)) if shown else {"error": BELOW_THRESHOLD, "status": "failed"}
    return {**answer, "below_threshold": merged({name: outputs[name] for name in outputs if name in unsure})}


def marks(predictor: Predictor, row: Mapping[str, Any], outputs: Mapping[str, Columns]) -> Columns:
    """Return a column for each output with a threshold that says whether the answer is below it.

    Args:
        predictor: The model.
        row: The row's raw values, by column.
        outputs: Ludwig's columns of the answer, by output.

    Returns:
        `<output>_below_threshold`, a Boolean, for each of these outputs.
    """
    text = _text(predictor, row)
    return {
        f"{output.name}_below_threshold": output.is_unsure(outputs[output.name], text) for output in predictor.judged
    }


def _text(predictor: Predictor, row: Mapping[str, Any]) -> str | None:
    """Return the text that a model reads from a row: "" if it is missing, None if the model reads no text."""
    return None if predictor.text_column is None else str(row[predictor.text_column] or "")
