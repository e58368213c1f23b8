"""Compare what a live bundle and its shadow answer to the same rows."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from handler.answers import ModelReading
from handler.entities import TaggedSpan, has_slots, marked
from handler.observing import RowReading
from handler.outputs import SequenceOutput
from handler.predictor import Predictor

Kind = Literal["category", "slots"]


class ShadowComparison(NamedTuple):
    """The answers of a live bundle and of its shadow to one output in one row. It contains nothing that users wrote.

    Attributes:
        model: The model's name, which both bundles have.
        output: The output's name.
        kind: What the output is.
        row: The number of the row in the request, from 0.
        live: The seal of the live bundle.
        shadow: The seal of the shadow.
        agrees: Whether users would get the same: the same label, or none from both; for slots, the same spans.
        live_label: The live bundle's most probable label. For slots: their names in reading order, such as
            `city, date`; "" for none.
        shadow_label: The same of the shadow.
        live_unsure: Whether the live bundle withholds its label, because it is below its threshold.
        shadow_unsure: The same of the shadow.
        live_confidence: The probability of the label, in [0, 1]. For slots: the lowest of the spans; 1 for no spans.
        shadow_confidence: The same of the shadow.
    """

    model: str
    output: str
    kind: Kind
    row: int
    live: str
    shadow: str
    agrees: bool
    live_label: str
    shadow_label: str
    live_unsure: bool
    shadow_unsure: bool
    live_confidence: float
    shadow_confidence: float

    @property
    def live_answer(self) -> str | None:
        """The label that the live bundle answers; None if it withholds it."""
        return None if self.live_unsure else self.live_label

    @property
    def shadow_answer(self) -> str | None:
        """The label that the shadow would answer; None if it would withhold it."""
        return None if self.shadow_unsure else self.shadow_label


class _Side(NamedTuple):
    """One bundle's answer to an output: what users get of it, and what a comparison reports."""

    kind: Kind
    answer: object
    label: str
    unsure: bool
    confidence: float


def compare(live: ModelReading, shadow: Predictor) -> list[ShadowComparison]:
    """Ask a shadow what the live bundle was asked, and compare their categories and slots.

    Args:
        live: What the live bundle read and answered.
        shadow: A bundle that reads the same columns and has the same outputs.

    Returns:
        A comparison for each output that both have as a category or as slots, in each row.

    Raises:
        Exception: The shadow fails, in any way that a model can fail.
    """
    manifest = live.predictor.manifest
    found = []
    answers = zip(live.rows, live.answers, shadow.answers(live.rows), strict=True)
    for number, (row, answered, other) in enumerate(answers):
        sides = dict(_sides(RowReading(live.predictor, row, answered)))
        for output, theirs in _sides(RowReading(shadow, row, other)):
            if ours := sides.get(output):
                found.append(
                    ShadowComparison(
                        *(manifest.name, output, ours.kind, number, manifest.seal, shadow.manifest.seal),
                        *(ours.answer == theirs.answer, ours.label, theirs.label, ours.unsure, theirs.unsure),
                        *(ours.confidence, theirs.confidence),
                    )
                )
    return found


def _sides(reading: RowReading) -> Iterator[tuple[str, _Side]]:
    """Yield the answer of each category and each tagger of slots, with the output's name."""
    for verdict in reading.verdicts():
        answer = None if verdict.unsure else verdict.label
        yield verdict.output, _Side("category", answer, verdict.label, verdict.unsure, verdict.confidence)
    for output in reading.predictor.taggers:
        if has_slots(output):
            spans = _spans(reading, output)
            places = [(span.start, span.end, span.name) for span in spans]
            lowest = min((span.confidence for span in spans), default=1.0)
            yield output.name, _Side("slots", places, ", ".join(span.name for span in spans), False, lowest)


def _spans(reading: RowReading, output: SequenceOutput) -> Sequence[TaggedSpan]:
    """Return the slots of a row as a person would mark them, so that tags of words and of tokens compare equal."""
    text = str(reading.row[str(reading.predictor.column_tagged(output))] or "")
    return [
        span._replace(start=inner[0], end=inner[1])
        for span in reading.answer.tagged_spans(output)
        if (inner := marked(text, (span.start, span.end), lambda _: False))
    ]
