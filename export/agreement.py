"""Compare a quantized graph with the exact graph: agreement of labels, accuracy, probabilities, latency and size."""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.parity import Row
from handler.certificate import GraphCandidate
from handler.outputs import BinaryOutput, CategoryOutput, OutputFeature, SequenceOutput, SetOutput, merged
from handler.predictor import Predictor

TIMED_ROUNDS = 60
BATCH_ROWS = 64
WITH_LABELS = (BinaryOutput, CategoryOutput, SequenceOutput, SetOutput)
Answer = dict[str, Any]
"""Ludwig's columns of one row and, for outputs that tag words, `<output>_words`: the tags that the handler serves."""


class Reference:
    """The exact graph's answers, as the reference for measuring other graphs.

    Args:
        exact: The exact graph.
        rows: The rows to measure on.
        labels: Expected labels of these rows, by output; None is a missing label.
    """

    def __init__(self, exact: Predictor, rows: Sequence[Row], labels: dict[str, list[Any]]) -> None:
        self._rows = [row.values for row in rows]
        self._outputs = exact.manifest.outputs
        self._exact = exact
        self._labels = labels
        self._answers = _answers(exact, self._rows)
        self._decisions = {output.name: self._decided(output, self._answers) for output in self._outputs}

    def measure(self, predictor: Predictor, name: str, folder: Path) -> GraphCandidate:
        """Measure a bundle with the same inputs and outputs as the exact one.

        Args:
            predictor: The bundle to measure.
            name: The name of the candidate.
            folder: The bundle's folder.

        Returns:
            The measurements: agreement and accuracy as shares, latency in milliseconds, size in bytes.
        """
        answers = self._answers if predictor is self._exact else _answers(predictor, self._rows)
        decided = {output.name: self._decided(output, answers) for output in self._outputs}
        equal = [
            one == other
            for output in self._outputs
            for one, other in zip(self._decisions[output.name], decided[output.name], strict=True)
        ]
        taken, beside = _milliseconds(predictor, self._exact, self._rows)
        return GraphCandidate(
            name=name,
            agreement=sum(equal) / max(len(equal), 1),
            accuracy=self._accuracy(answers),
            max_abs_diff=self._largest_difference(answers),
            milliseconds=taken,
            of_exact=round(taken / beside, 4) if predictor is not self._exact else 1.0,
            bytes=(folder / predictor.manifest.graph.file).stat().st_size,
        )

    def _decided(self, output: OutputFeature, answers: Sequence[Answer]) -> list[Any]:
        """Return the decisions in the answers: one label per row, per word, or per position of a sequence."""
        if isinstance(output, SequenceOutput):
            return [tag for answer in answers for tag in answer[_decisions(output)]]
        return [answer[_decisions(output)] for answer in answers]

    def _accuracy(self, answers: Sequence[Answer]) -> float | None:
        """Return the share of correct labels among rows with an expected label, or None if there are none."""
        right: list[bool] = []
        for output in self._outputs:
            labels = self._labels.get(output.name)
            for expected, answer in zip(labels, answers, strict=True) if labels else ():
                if isinstance(output, CategoryOutput) and expected is not None:
                    right.append(answer[_decisions(output)] == expected)
                elif isinstance(output, SequenceOutput) and output.aligned_with:
                    right += _right_tags(str(expected or "").split(), answer[_decisions(output)])
        return sum(right) / len(right) if right else None

    def _largest_difference(self, answers: Sequence[dict[str, Any]]) -> float:
        names = [
            f"{output.name}_probabilities"
            for output in self._outputs
            if not isinstance(output, SetOutput)  # its probabilities cover only the chosen labels
        ]
        return max(
            (
                float(np.max(np.abs(np.subtract(one[name], other[name]))))
                for name in names
                for one, other in zip(self._answers, answers, strict=True)
            ),
            default=0.0,
        )


def _answers(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
    answers: list[Answer] = []
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        for row in predictor.answers(batch):
            answer = merged(row.outputs)
            for output in predictor.manifest.outputs:
                if isinstance(output, SequenceOutput) and output.aligned_with:
                    answer[_decisions(output)], _ = row.word_tags(output)
            answers.append(answer)
    return answers


def _decisions(output: OutputFeature) -> str:
    """Return the column that holds the decisions of an output."""
    aligned = isinstance(output, SequenceOutput) and output.aligned_with
    return f"{output.name}_words" if aligned else f"{output.name}_predictions"


def _right_tags(expected: Sequence[str], found: Sequence[str]) -> list[bool]:
    """Return for each word whether its tag is correct, or [] if the row does not have one tag per word."""
    if len(expected) != len(found):
        return []
    return [one == other for one, other in zip(expected, found, strict=True)]


def _milliseconds(predictor: Predictor, exact: Predictor, rows: Sequence[Any]) -> tuple[float, float]:
    """Return the median latencies of one row, measured alternately so that both see the same noise."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-5, TIMED_ROUNDS):
        row = [rows[number % len(rows)]]
        for asked, kept in zip((predictor, exact), taken, strict=True):
            started = time.perf_counter()
            asked.predict(row)
            if number >= 0:
                kept.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken[0]), 4), statistics.median(taken[1])
