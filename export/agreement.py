"""How far another graph's answers are the exact graph's: labels, accuracy, probabilities, time and size."""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.parity import Row
from handler.certificate import Candidate
from handler.outputs import BinaryOutput, CategoryOutput, OutputFeature, SequenceOutput, SetOutput, merged
from handler.predictor import Predictor

TIMED_ROUNDS = 60
BATCH_ROWS = 64
WITH_LABELS = (BinaryOutput, CategoryOutput, SequenceOutput, SetOutput)
Answer = dict[str, Any]
"""Ludwig's columns of one row and, of outputs that tag words, `<output>_words`: the tags that are served."""


class Reference:
    """The exact graph's answers to some rows, and what others are measured by."""

    def __init__(self, exact: Predictor, rows: Sequence[Row], labels: dict[str, list[Any]]) -> None:
        self._rows = [row.values for row in rows]
        self._outputs = exact.manifest.outputs
        self._exact = exact
        self._labels = labels
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
            agreement=sum(equal) / max(len(equal), 1),
            accuracy=self._accuracy(answers),
            max_abs_diff=self._largest_difference(answers),
            milliseconds=taken,
            of_exact=round(taken / beside, 4) if predictor is not self._exact else 1.0,
            bytes=(folder / predictor.manifest.graph.file).stat().st_size,
        )

    def _decided(self, output: OutputFeature, answers: Sequence[Answer]) -> list[Any]:
        """Return the decisions in some answers: a label for each row, each word, or each position of a sequence."""
        if isinstance(output, SequenceOutput):
            return [tag for answer in answers for tag in answer[_decisions(output)]]
        return [answer[_decisions(output)] for answer in answers]

    def _accuracy(self, answers: Sequence[Answer]) -> float | None:
        """Return the share of right labels, by the user's own, where they are known."""
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


def _answers(predictor: Predictor, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
    answers: list[Answer] = []
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        arrays = predictor.run(batch)
        for number, (row, columns) in enumerate(zip(batch, predictor.columns(arrays), strict=True)):
            answer = merged(columns)
            for output in predictor.manifest.outputs:
                if isinstance(output, SequenceOutput) and output.aligned_with:
                    logits = arrays.get(f"{output.name}::logits")
                    tags, _ = predictor.word_tags(
                        output, row, columns[output.name], None if logits is None else logits[number]
                    )
                    answer[_decisions(output)] = tags
            answers.append(answer)
    return answers


def _decisions(output: OutputFeature) -> str:
    """Return where an answer has the decisions of an output."""
    aligned = isinstance(output, SequenceOutput) and output.aligned_with
    return f"{output.name}_words" if aligned else f"{output.name}_predictions"


def _right_tags(expected: Sequence[str], found: Sequence[str]) -> list[bool]:
    """Tell of each word whether its tag is right; of none where the row's tags do not fit its words."""
    if len(expected) != len(found):
        return []
    return [one == other for one, other in zip(expected, found, strict=True)]


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
