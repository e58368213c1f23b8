"""What the metrics count of a request, by model and output. It never contains what users wrote."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from handler.hexabot import Outcome
from handler.observing import RowReading, Verdict
from handler.predictor import Predictor


class Measures(NamedTuple):
    """What one model did in one request.

    Attributes:
        model: The model's name.
        milliseconds: How long it took for all rows of the request.
        failed: Whether it raised an unexpected error.
        fallback: Whether the answer has a placeholder for one of its outputs.
        verdicts: The verdicts about all rows, by category.
    """

    model: str
    milliseconds: float
    failed: bool
    fallback: bool
    verdicts: Mapping[str, list[Verdict]]


def measures(outcome: Outcome, predictors: Mapping[str, Predictor]) -> Iterator[Measures]:
    """Yield what each model that was asked did.

    Args:
        outcome: The outcome of an observation.
        predictors: The loaded models, by name.
    """
    read = {reading.predictor.manifest.name: reading for reading in outcome.readings}
    for model, milliseconds in outcome.milliseconds.items():
        verdicts: dict[str, list[Verdict]] = {}
        reading = read.get(model)
        for row, answer in zip(reading.rows, reading.answers, strict=True) if reading else ():
            for verdict in RowReading(reading.predictor, row, answer).verdicts():  # type: ignore[union-attr]
                verdicts.setdefault(verdict.output, []).append(verdict)
        failed = model in outcome.failed
        fallback = (failed or model in outcome.refused) and _has_fallback(outcome, predictors.get(model))
        yield Measures(model, milliseconds, failed, fallback, verdicts)


def _has_fallback(outcome: Outcome, predictor: Predictor | None) -> bool:
    """Return whether the answer has a placeholder for an output of a model."""
    answers = [] if predictor is None else [outcome.answer.get(output.name) for output in predictor.manifest.outputs]
    return any(isinstance(answer, dict) and answer.get("fallback") for answer in answers)
