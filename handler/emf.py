"""Metrics on Lambda: lines in CloudWatch's Embedded Metric Format, from which CloudWatch extracts metrics by itself.

A request writes one line for each model that it asked, and further lines only for a batch. There is no agent and no
call to AWS: the only costs are the bytes of the lines and the metrics themselves (docs/monitoring.md counts both).

    metric         dimensions             value
    Milliseconds   Version, Model         the time of one call of the model
    Failures       Version, Model         1 for each call that raised an unexpected error
    Fallbacks      Version, Model         1 for each answer with a placeholder in place of the model's
    Confidence     Version, Model         the largest probability of each row, in [0, 1]
    BelowThreshold Version, Model         0 or 1 for each row; only for outputs with thresholds
    Answers        Version, Model, Label  the number of rows with a label of the group (see `handler.drift`)
    Answers        Version, Model, Bin    the number of rows whose confidence is in the bin

The number of all answers is the sample count of `Confidence`; a metric of its own would cost as much as any other.
`Answers` exists only to measure drift. An output that is not named like its model has its own `Model`, `MODEL.OUTPUT`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from handler.drift import dimension, place_name, references
from handler.logs import write_line
from handler.measures import Measures, measures
from handler.observing import Observation, Verdict
from handler.predictor import Predictor
from handler.settings import Settings

MOST_VALUES = 100
"""The most values of a metric in one line, a limit of the format."""
BY_MODEL = ("Milliseconds", "Failures", "Fallbacks", "Confidence", "BelowThreshold")
"""The metrics with the dimensions `Version` and `Model`."""
ANSWERS = "Answers"


class EmbeddedMetrics:
    """An observer that writes the metrics of each request."""

    def __init__(
        self, predictors: Mapping[str, Predictor], settings: Settings, now: Callable[[], float] = time.time
    ) -> None:
        """Prepare what all lines share.

        Args:
            predictors: The loaded models, by name.
            settings: The namespace of the metrics, the version, and whether drift is measured.
            now: The clock, in seconds since 1970.
        """
        self._predictors = predictors
        self._namespace = settings.metrics_namespace
        self._version = settings.version or "local"
        self._now = now
        self._references = references(predictors) if settings.metrics == "drift" else {}
        self._judged = {(name, output.name) for name, each in predictors.items() for output in each.judged}
        self._directives: dict[tuple[str, ...], msgspec.Raw] = {}
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, observation: Observation) -> None:
        """Write the metrics of a request."""
        milliseconds = int(self._now() * 1000)
        lines = [
            self._line(milliseconds, fields)
            for each in measures(observation.outcome, self._predictors)
            for fields in self._fields(each)
        ]
        if lines:
            write_line(b"\n".join(lines).decode())

    def _line(self, milliseconds: int, fields: dict[str, Any]) -> bytes:
        names = tuple(fields)
        directives = self._directives.get(names)
        if directives is None:
            directives = self._directives[names] = self._directives_of(names)
        return self._encode({"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": directives}, **fields})

    def _directives_of(self, names: Sequence[str]) -> msgspec.Raw:
        """Return what tells CloudWatch which fields of a line are metrics, and their dimensions, as JSON."""
        by_model = [{"Name": name} for name in BY_MODEL if name in names]
        directives = []
        if by_model:
            directives.append({"Dimensions": [["Version", "Model"]], "Metrics": by_model})
        if ANSWERS in names:
            dimensions = [["Version", "Model", "Label"], ["Version", "Model", "Bin"]]
            directives.append({"Dimensions": dimensions, "Metrics": [{"Name": ANSWERS}]})
        return msgspec.Raw(self._encode([{"Namespace": self._namespace, **each} for each in directives]))

    def _fields(self, each: Measures) -> Iterator[dict[str, Any]]:
        """Yield the fields of each line of a model. Its time is in the first line with its own name."""
        once: dict[str, Any] = {"Milliseconds": each.milliseconds}
        if each.failed:
            once["Failures"] = 1
        if each.fallback:
            once["Fallbacks"] = 1
        for output, verdicts in each.verdicts.items():
            place = place_name(each.model, output)
            for fields in self._output_fields(each.model, output, verdicts):
                if output == each.model:
                    fields, once = {**once, **fields}, {}
                yield {"Version": self._version, "Model": place, **fields}
        if once:
            yield {"Version": self._version, "Model": dimension(each.model), **once}

    def _output_fields(self, model: str, output: str, verdicts: Sequence[Verdict]) -> Iterator[dict[str, Any]]:
        """Yield the fields of an output: in each line up to MOST_VALUES rows, and the rows of one label and one bin."""
        judged, reference = (model, output) in self._judged, self._references.get((model, output))
        counted: list[tuple[tuple[str, str], int]] = []
        if reference is not None:
            pairs = ((reference.group_of[row.label], reference.bin_of(row.confidence)) for row in verdicts)
            counted = list(Counter(pairs).items())
        for number in range(max(-(-len(verdicts) // MOST_VALUES), len(counted))):
            fields: dict[str, Any] = {}
            if rows := verdicts[number * MOST_VALUES : (number + 1) * MOST_VALUES]:
                fields["Confidence"] = _values([round(row.confidence, 4) for row in rows])
                if judged:
                    fields["BelowThreshold"] = _values([int(row.unsure) for row in rows])
            if number < len(counted):
                (fields["Label"], fields["Bin"]), fields[ANSWERS] = counted[number]
            yield fields


def _values(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
