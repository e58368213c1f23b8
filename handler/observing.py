"""What observers see of each request: metrics, capture and shadow models are built on it.

An observer is called after the response is made and before it is sent, so it must be quick. Work that takes longer
goes to `handler/deferred.py`. Only services with an observer load this module.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from handler.answers import RowAnswer
from handler.hexabot import Outcome
from handler.outputs import CategoryOutput, Columns
from handler.predictor import Predictor
from handler.unsure import unsure_outputs

RANDOM_BYTES = 4
HIGHEST = 256.0**RANDOM_BYTES


class Observation(NamedTuple):
    """A request that was answered.

    Attributes:
        request_id: The request's id.
        path: The route, without the base path. It may be anything if the status is 404.
        status: The HTTP status of the response.
        milliseconds: The time from the request to the response.
        outcome: The answer, the time of each model, the models that failed, and what each model read and answered.
        private: Whether the caller sent `x-no-capture: 1`, so that no text of this request may be stored.
        traceparent: The position in the caller's trace, as W3C's Trace Context writes it; "" if there is none.
    """

    request_id: str
    path: str
    status: int
    milliseconds: float
    outcome: Outcome
    private: bool = False
    traceparent: str = ""


Observer = Callable[[Observation], None]


class Verdict(NamedTuple):
    """What a category of a model says about a row.

    Attributes:
        model: The model's name.
        output: The output's name.
        label: The most probable label, as Ludwig answers it.
        confidence: The largest probability, in [0, 1].
        margin: The difference between the two largest probabilities; the confidence if there is one label.
        unsure: Whether the answer is below its threshold, so that it is withheld.
    """

    model: str
    output: str
    label: str
    confidence: float
    margin: float
    unsure: bool


class RowReading(NamedTuple):
    """What a model read and answered in one row.

    Attributes:
        predictor: The model.
        row: The values that it read, by column.
        answer: Its answer.
    """

    predictor: Predictor
    row: Mapping[str, Any]
    answer: RowAnswer

    def verdicts(self) -> Iterator[Verdict]:
        """Yield a verdict for each category of the model."""
        unsure = unsure_outputs(self.predictor, self.row, self.answer.outputs)
        for output in self.predictor.manifest.outputs:
            if isinstance(output, CategoryOutput):
                columns = self.answer.outputs[output.name]
                yield _verdict(self.predictor.manifest.name, output.name, columns, output.name in unsure)


class ObservedRow(NamedTuple):
    """A row of a request, and what the models answered.

    Attributes:
        fields: The raw values of the request, by field name. They contain what users wrote: never log them.
        readings: What each model read and answered. Models that failed or refused the request are absent.
    """

    fields: Mapping[str, Any]
    readings: Sequence[RowReading]


def observed_rows(outcome: Outcome) -> list[ObservedRow]:
    """Return the rows of a request, each with the answers of all models.

    Args:
        outcome: The outcome of an observation.

    Returns:
        One entry for each row; none if the request was refused or is not for the models.
    """
    return [
        ObservedRow(
            fields,
            [
                RowReading(reading.predictor, reading.rows[number], reading.answers[number])
                for reading in outcome.readings
            ],
        )
        for number, fields in enumerate(outcome.rows)
    ]


def is_drawn(share: float) -> bool:
    """Draw a request for a sample. The operating system's randomness also differs between SnapStart's instances.

    Args:
        share: The probability, in [0, 1].

    Returns:
        Whether the request belongs to the sample.
    """
    return int.from_bytes(os.urandom(RANDOM_BYTES)) < share * HIGHEST


def _verdict(model: str, output: str, columns: Columns, unsure: bool) -> Verdict:
    first = second = 0.0
    for probability in columns[f"{output}_probabilities"]:
        if probability > first:
            first, second = probability, first
        elif probability > second:
            second = probability
    return Verdict(model, output, columns[f"{output}_predictions"], first, first - second, unsure)
