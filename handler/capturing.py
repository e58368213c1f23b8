"""Capture unsure messages and a sample of the others, so that people can review them as training data.

The observer only decides which requests to capture. Everything else happens after the response, in the thread of
deferred work: texts are scrubbed (`handler/scrubbing.py`) before they are kept in memory or written. Only services with
`NLU_CAPTURE` load this module.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handler.capture_batches import Batches
from handler.captured import CapturedEntity, CapturedMessage, CapturedVerdict, Reason, encode_message, shadow_name
from handler.deferred import Deferred
from handler.hexabot import TEXT, Service
from handler.observing import Observation, ObservedRow, RowReading, Verdict, is_drawn, observed_rows
from handler.outputs import CategoryOutput, SequenceOutput
from handler.settings import Settings
from handler.text_labels import UNKNOWN_LABEL
from handler.unsure import LANGUAGE

if TYPE_CHECKING:
    from handler.comparison import ShadowComparison
    from handler.entities import TaggedSpan
    from handler.scrubbing import Scrubbed
    from handler.understanding import Understander

MESSAGES = {"/predict", "/understand", "/parse", "/mcp"}
"""The routes whose requests are messages of users. Batches and evaluations are not."""
RANKED = 5
DIGITS = 6
"""Decimal places of stored confidences."""
REMEMBERED = 1000
"""How many ids of captured messages are remembered, so that a shadow does not capture them again."""


class Capture:
    """An observer that captures messages."""

    def __init__(self, service: Service, settings: Settings, deferred: Deferred, batches: Batches) -> None:
        """Keep what is needed later.

        Args:
            service: The loaded models.
            settings: Which messages to capture.
            deferred: The queue that runs what takes longer.
            batches: The captured messages that are not written yet.
        """
        self._service = service
        self._settings = settings
        self._deferred = deferred
        self._batches = batches
        self._captured: deque[str] = deque(maxlen=REMEMBERED)
        deferred.at_stop(batches.write_all)

    def __call__(self, observation: Observation) -> None:
        """Capture a request later, if it is unsure or in the sample.

        Args:
            observation: The request.
        """
        reason = self._reason(observation) if _is_message(observation) else None
        if reason is not None:
            self._later(observation, reason)
        elif self._batches.are_due():
            self._deferred.later(self._batches.write_due)

    def compared(self, observation: Observation, comparisons: "Sequence[ShadowComparison]") -> None:
        """Capture a request about which a live bundle and its shadow disagree, unless it is captured anyway.

        It is called in the thread of deferred work, so it writes at once.

        Args:
            observation: The request.
            comparisons: The answers of both bundles.
        """
        disagree = any(not each.agrees for each in comparisons)
        if disagree and _is_message(observation) and observation.request_id not in self._captured:
            self._captured.append(observation.request_id)
            self._add(observation, "shadow", time.time(), comparisons)

    def _reason(self, observation: Observation) -> Reason | None:
        """Return why to capture a request; None if it is not to be captured."""
        if observation.outcome.failed or observation.outcome.refused:
            return "fallback"
        verdicts = [each for each in _verdicts(observation) if LANGUAGE not in (each.model, each.output)]
        if any(each.unsure or each.label == UNKNOWN_LABEL for each in verdicts):
            return "below_threshold"
        if any(each.margin < self._settings.capture_margin for each in verdicts):
            return "small_margin"
        return "sample" if is_drawn(self._settings.capture_sample) else None

    def _later(self, observation: Observation, reason: Reason) -> None:
        answered = time.time()
        self._captured.append(observation.request_id)
        self._deferred.later(lambda: self._add(observation, reason, answered))

    def _add(
        self, observation: Observation, reason: Reason, answered: float, comparisons: "Sequence[ShadowComparison]" = ()
    ) -> None:
        for number, row in enumerate(observed_rows(observation.outcome)):
            message = self._message(row, observation.request_id, reason, answered)
            if message is not None:
                found = [each for each in comparisons if each.row == number]
                message.models.update(dict(_of_shadows(message.models, found)))
                self._batches.add(message.time[:10], encode_message(message))
        self._batches.write_due()

    def _message(self, row: ObservedRow, identity: str, reason: Reason, answered: float) -> CapturedMessage | None:
        """Return what to store of a request; None if it has no text."""
        text = _text_of(row)
        if text is None or not text.strip():
            return None
        from handler.scrubbing import scrub  # loaded with the first captured message, so that no start waits for it

        scrubbed = scrub(text)
        verdicts = [(reading, verdict) for reading in row.readings for verdict in reading.verdicts()]
        models: dict[str, CapturedVerdict] = {}
        for each in verdicts:
            models.setdefault(*_stored(*each))
        languages = [each for _, each in verdicts if LANGUAGE in (each.model, each.output)]
        return CapturedMessage(
            id=identity,
            time=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(answered)) + f".{int(answered % 1 * 1000):03d}Z",
            text=scrubbed.text,
            reason=reason,
            version=self._settings.version,
            models=models,
            language=next((each.label for each in languages if not each.unsure), None),
            entities=list(self._entities(text, scrubbed, row.readings)),
        )

    @cached_property
    def _understander(self) -> "Understander":
        from handler.understanding import Understander

        return Understander(self._service, self._settings.default_language)

    def _entities(self, text: str, scrubbed: "Scrubbed", readings: Sequence[RowReading]) -> Iterator[CapturedEntity]:
        """Yield the entities of a text at their positions in the scrubbed text."""
        spans = [span for reading in readings for span in _spans(reading, text)]
        for found in self._understander.located(text, spans):
            moved = scrubbed.moved(found.start, found.end)
            if moved is not None:
                (start, end), touched = moved
                value = scrubbed.text[start:end] if touched else found.canonical_value
                yield CapturedEntity(start, end, found.entity, value, round(found.confidence, DIGITS))


def _is_message(observation: Observation) -> bool:
    return observation.path in MESSAGES and observation.status == 200 and not observation.private


def _verdicts(observation: Observation) -> Iterator[Verdict]:
    return (
        verdict
        for row in observed_rows(observation.outcome)
        for reading in row.readings
        for verdict in reading.verdicts()
    )


def _text_of(row: ObservedRow) -> str | None:
    """Return the message of a request: the field `text`, or else the text that a model read."""
    read = [reading.row.get(reading.predictor.text_column or TEXT) for reading in row.readings]
    return next((each for each in [row.fields.get(TEXT), *read] if isinstance(each, str)), None)


def _stored(reading: RowReading, verdict: Verdict) -> tuple[str, CapturedVerdict]:
    """Return a verdict as it is stored, and its name: the model's, or the output's if the model has several."""
    manifest = reading.predictor.manifest
    categories = [output for output in manifest.outputs if isinstance(output, CategoryOutput)]
    output = next(each for each in categories if each.name == verdict.output)
    probabilities: Mapping[str, Any] = reading.answer.outputs[output.name]
    labeled = zip(output.labels, probabilities[f"{output.name}_probabilities"], strict=True)
    ranking = sorted((each for each in labeled if each[0] != UNKNOWN_LABEL), key=lambda each: -each[1])
    withheld = verdict.unsure or verdict.label == UNKNOWN_LABEL
    return manifest.name if len(categories) == 1 else output.name, CapturedVerdict(
        seal=manifest.seal,
        output=output.name,
        label=None if withheld else verdict.label,
        confidence=round(verdict.confidence, DIGITS),
        ranking=[(str(label), round(confidence, DIGITS)) for label, confidence in ranking[:RANKED]],
    )


def _of_shadows(
    models: Mapping[str, CapturedVerdict], comparisons: "Sequence[ShadowComparison]"
) -> Iterator[tuple[str, CapturedVerdict]]:
    """Yield the answers of shadows to the categories of live models, with their names."""
    for each in comparisons:
        for name, live in models.items():
            if (live.seal, live.output) == (each.live, each.output):
                confidence = round(each.shadow_confidence, DIGITS)
                ranking = [(each.shadow_label, confidence)]
                yield (
                    shadow_name(name),
                    CapturedVerdict(each.shadow, each.output, each.shadow_answer, confidence, ranking),
                )


def _spans(reading: RowReading, text: str) -> "Iterator[TaggedSpan]":
    """Yield the slots that a model tagged, if it read this text or one of the same length."""
    from handler.entities import has_slots

    for output in reading.predictor.manifest.outputs:
        if isinstance(output, SequenceOutput) and has_slots(output):
            read = reading.row.get(reading.predictor.column_tagged(output) or TEXT)
            # `/understand` replaces some characters with spaces before the models read the text.
            if isinstance(read, str) and len(read) == len(text):
                yield from reading.answer.tagged_spans(output)
