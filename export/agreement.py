"""How far another graph's answers are the exact graph's: labels, accuracy, probabilities, time and size."""

import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.parity import Row
from handler.alignment import align, word_places
from handler.bundle import Candidate
from handler.outputs import BinaryOutput, CategoryOutput, OutputFeature, SequenceOutput, SetOutput
from handler.predictor import Predictor

TIMED_ROUNDS = 60
BATCH_ROWS = 64
WITH_LABELS = (BinaryOutput, CategoryOutput, SequenceOutput, SetOutput)


class Reference:
    """The exact graph's answers to some rows, and what others are measured by."""

    def __init__(self, exact: Predictor, rows: Sequence[Row], labels: dict[str, list[Any]]) -> None:
        self._rows = [row.values for row in rows]
        self._outputs = exact.manifest.outputs
        self._exact = exact
        self._labels = labels
        self._ids = exact.encode(self._rows)
        self._answers = _answers(exact, self._rows)
        self._decisions = {output.name: self._decided(output, self._answers) for output in self._outputs}

    def measure(self, predictor: Predictor, name: str, folder: Path) -> Candidate:
        """Measure a bundle that has the exact one's inputs and outputs."""
        answers = self._answers if predictor is self._exact else _answers(predictor, self._rows)
        decided = {output.name: self._decided(output, answers) for output in self._outputs}
        equal = [
            one == other
            for output in self._outputs
            for one, other in zip(self._decisions[output.name], decided[output.name], strict=True)
        ]
        taken, beside = _milliseconds(predictor, self._exact, self._rows)
        return Candidate(
            name=name,
            agreement=sum(equal) / len(equal),
            accuracy=self._accuracy(predictor, answers),
            max_abs_diff=self._largest_difference(answers),
            milliseconds=taken,
            of_exact=round(taken / beside, 4) if predictor is not self._exact else 1.0,
            bytes=(folder / predictor.manifest.graph.file).stat().st_size,
        )

    def _decided(self, output: OutputFeature, answers: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the decisions in some answers: a label for each row, or for each token that the row has."""
        predictions = [answer[f"{output.name}_predictions"] for answer in answers]
        if not isinstance(output, SequenceOutput):
            return predictions
        seen = self._seen(output)
        return [
            tag
            for tags, there in zip(predictions, seen, strict=True)
            for tag, is_there in zip(tags, there, strict=False)
            if is_there
        ]

    def _seen(self, output: SequenceOutput) -> Any:
        """Return which positions of each row hold a token."""
        for feature in self._exact.manifest.inputs:
            if feature.name == output.aligned_with:
                text = self._exact.text_encoder(feature.name).feature
                return self._ids[feature.name][:, :: text.stride] != text.padding_id
        return [[True] * len(answer[f"{output.name}_predictions"]) for answer in self._answers]

    def _accuracy(self, predictor: Predictor, answers: Sequence[dict[str, Any]]) -> float | None:
        """Return the share of right labels, by the user's own, where they are known."""
        right: list[bool] = []
        for output in self._outputs:
            truth = self._labels.get(output.name)
            if truth is not None and isinstance(output, CategoryOutput):
                right += [
                    answer[f"{output.name}_predictions"] == label for answer, label in zip(answers, truth, strict=True)
                ]
            if truth is not None and isinstance(output, SequenceOutput) and output.aligned_with:
                right += self._right_tags(predictor, output, truth, answers)
        return sum(right) / len(right) if right else None

    def _right_tags(
        self, predictor: Predictor, output: SequenceOutput, truth: Sequence[Any], answers: Sequence[dict[str, Any]]
    ) -> Iterator[bool]:
        feature = next(feature for feature in predictor.manifest.inputs if feature.name == output.aligned_with)
        encoder = predictor.text_encoder(feature.name)
        for values, tags, answer in zip(self._rows, truth, answers, strict=True):
            text, expected = values[feature.column], str(tags).split()
            if isinstance(text, str) and len(text.split(" ")) == len(expected):
                columns = (answer[f"{output.name}_predictions"], answer[f"{output.name}_probabilities"])
                places = word_places(text, encoder.placed_spans(text))
                found, _ = align(text, places, *columns, output.special_labels)
                yield from (tag == word for tag, word in zip(found[1:-1], expected, strict=True))

    def _largest_difference(self, answers: Sequence[dict[str, Any]]) -> float:
        names = [
            f"{output.name}_probabilities"
            for output in self._outputs
            if not isinstance(output, SetOutput)  # only those of the labels that were chosen
        ]
        return max(
            (
                float(np.max(np.abs(np.subtract(one[name], other[name]))))
                for name in names
                for one, other in zip(self._answers, answers, strict=True)
            ),
            default=0.0,
        )


def _answers(predictor: Predictor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        answer
        for start in range(0, len(rows), BATCH_ROWS)
        for answer in predictor.predict(rows[start : start + BATCH_ROWS])
    ]


def _milliseconds(predictor: Predictor, exact: Predictor, rows: Sequence[Any]) -> tuple[float, float]:
    """Return the medians of what one row takes both, asked in turn so that both have the same noise."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-5, TIMED_ROUNDS):
        row = [rows[number % len(rows)]]
        for asked, kept in zip((predictor, exact), taken, strict=True):
            started = time.perf_counter()
            asked.predict(row)
            if number >= 0:
                kept.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken[0]), 4), statistics.median(taken[1])
