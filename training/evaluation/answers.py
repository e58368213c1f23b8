"""Predictions of a model for a table of rows, next to the expected labels if the rows have them."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from export.features import column_of
from handler.thresholds import softened
from training.config import Config, columns
from training.evaluation.taggers import Tagger, Taggers

if TYPE_CHECKING:
    import pandas as pd

Records = list[dict[str, Any]]
Predict = Callable[["pd.DataFrame"], Records]
"""Maps rows to Ludwig's prediction columns, one record per row; outputs that are decoded also get `<output>_logits`."""
SOFTENED, SOFTNESS = "softened", 2.0
"""The softness of thresholds for messages out of scope, relative to the calibrated probabilities.

Measured on rows held out of CLINC150's train split, with its 100 out-of-scope train rows: at an in-scope accuracy of
95%, a linear layer on MiniLM (96.7% accurate) rejects 69% of them with softness 1, 76% with 2, and 73% with 4; by the
largest logit it rejects 66%, by the margin 55%. For a linear SVM on n-grams, the differences are small.
"""
TAG_STARTS = ("B-", "I-")
OUTSIDE = "O"


def answer_rows(
    predict: Predict,
    config: Config,
    rows: "pd.DataFrame",
    temperatures: Mapping[str, float] | None = None,
    taggers: Taggers | None = None,
) -> Records:
    """Return one record per row: its inputs, the expected labels if the rows have them, and the predictions.

    Args:
        predict: Runs the model on rows.
        config: The model's configuration, with Ludwig's defaults filled in.
        rows: The rows to predict. Label columns are optional and must be clean (see `export.labels`).
        temperatures: Temperature of each calibrated output, by name. These outputs get an extra column
            `<output>_uncalibrated`, the confidence before calibration.
        taggers: Tagger of each output that tags the words of a text, by name. Outputs with a decoder get an extra
            column `<output>_argmax`, the tags before decoding.

    Returns:
        The records. A category has `<output>_predictions` (str), `<output>_probability` (float in [0, 1]) and
        `<output>_softened`, the confidence that is compared with thresholds for messages out of scope. Slots
        have space-separated tags, one per word, and the probability of the least confident word. Any other output has
        Ludwig's `<output>_predictions` unchanged.
    """
    inputs = columns(config, "input_features")
    answers = predict(rows[inputs].reset_index(drop=True))
    records = [{str(name): _plain(value) for name, value in row.items()} for row in rows[inputs].to_dict("records")]
    for feature in config["output_features"]:
        column = column_of(feature)
        if column in rows:
            for record, value in zip(records, rows[column], strict=True):
                record[feature["name"]] = str(value) if feature["type"] == "category" else _plain(value)
        found = _read(feature, records, answers, temperatures or {}, taggers or {})
        for record, answer in zip(records, found, strict=True):
            record |= answer
    return records


def _read(
    feature: Mapping[str, Any], records: Records, answers: Records, temperatures: Mapping[str, float], taggers: Taggers
) -> Records:
    """Return the prediction columns of one output, one record per row."""
    name = feature["name"]
    if feature["type"] == "category":
        return [_read_category(name, answer, temperatures.get(name)) for answer in answers]
    if name in taggers:
        tagger = taggers[name]
        texts = [str(record[tagger.column] or "") for record in records]
        return [_read_slots(tagger, text, answer) for text, answer in zip(texts, answers, strict=True)]
    return [{f"{name}_predictions": _plain(answer[f"{name}_predictions"])} for answer in answers]


def _read_category(name: str, answer: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {f"{name}_predictions": str(answer[f"{name}_predictions"])}
    found[f"{name}_probability"] = _rounded(answer[f"{name}_probability"])
    found[f"{name}_{SOFTENED}"] = _rounded(softened(answer[f"{name}_probabilities"], SOFTNESS))
    if temperature is not None:
        # softmax(logits / T) raised to the power T is proportional to softmax(logits): undo the calibration.
        powers = [probability**temperature for probability in answer[f"{name}_probabilities"]]
        found[f"{name}_uncalibrated"] = _rounded(max(powers) / sum(powers))
    return found


def _read_slots(tagger: Tagger, text: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    name, positions = tagger.name, tagger.positions(text)
    tags, probabilities = tagger.tagged(positions, answer)
    known = [found for found, position in zip(probabilities, positions, strict=True) if position is not None]
    found: dict[str, Any] = {f"{name}_predictions": " ".join(tags)}
    if tagger.decoder is not None:
        found[f"{name}_argmax"] = " ".join(tagger.tagged(positions, answer, decode=False)[0])
    return {**found, f"{name}_probability": _rounded(min(known, default=0.0))}


def _rounded(probability: float) -> float:
    return round(float(probability), 6)


def _plain(value: Any) -> Any:
    """Return a value as plain JSON types; missing values become None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and not isfinite(value) else value
