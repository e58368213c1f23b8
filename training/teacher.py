"""Ask a teacher about texts without labels, and store its answers, so that an interruption loses one block at most.

The answers are a JSON file:

    teacher  SHA-256 of the teacher's weights: answers of another teacher are not used
    output   the output that the labels belong to
    answers  for each text, the probability of each likely label, the most likely one first
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.console import progress, say
from export.model import SourceModel
from training.config import columns
from training.whole_files import write_whole

BLOCK = 500
"""Texts per block: a block takes a few seconds on one core."""
LIKELY = 0.2
"""A label is likely if it is the most likely one, or if its probability is at least this. On held-out rows, students
that learn these labels are as accurate as those that learn only the most likely one, and better calibrated."""

Answers = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Teacher:
    """A teacher, and the file of its answers.

    Attributes:
        model: The teacher.
        output: Name of the category that it answers.
        path: The file of its answers; created if missing.
    """

    model: SourceModel
    output: str
    path: Path

    def answers(self, texts: Sequence[str]) -> Answers:
        """Return the likely labels of texts, and store them after each block.

        Args:
            texts: The texts, each once.

        Returns:
            For each text, the probability of each likely label, the most likely one first.
        """
        import pandas as pd

        found = self._stored()
        left = [text for text in texts if text not in found]
        kept = len(texts) - len(left)
        say(f"The teacher answers {len(texts)} texts{f', of which {kept} are already answered' if kept else ''} ...")
        labels = [str(label) for label in self.model.metadata[self.output]["idx2str"]]
        column = columns(self.model.config, "input_features")[0]
        for start in range(0, len(left), BLOCK):
            block = left[start : start + BLOCK]
            records = self.model.predict(pd.DataFrame({column: block}, dtype=object))
            for text, record in zip(block, records, strict=True):
                found[text] = likely(labels, np.asarray(record[f"{self.output}_probabilities"], dtype=float))
            self._store(found)
            progress("Answered, texts", kept + start + len(block), len(texts))
        return {text: found[text] for text in texts}

    def _stored(self) -> Answers:
        """Return the stored answers of this teacher; empty if there are none."""
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            is_own = (stored["teacher"], stored["output"]) == (self.model.weights_sha256, self.output)
            return dict(stored["answers"]) if is_own else {}
        except (OSError, ValueError, KeyError):
            return {}

    def _store(self, answers: Mapping[str, Mapping[str, float]]) -> None:
        """Replace the file in one step, so that it is always complete."""
        content = {"teacher": self.model.weights_sha256, "output": self.output, "answers": answers}
        write_whole(self.path, json.dumps(content).encode())


def likely(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """Return the most likely label and all others whose probability is at least `LIKELY`, the most likely one first.

    Args:
        labels: The labels.
        probabilities: Their probabilities, float of shape (labels,).
    """
    order = np.argsort(-probabilities, kind="stable")
    return {
        labels[index]: round(float(probabilities[index]), 4)
        for place, index in enumerate(order)
        if place == 0 or probabilities[index] >= LIKELY
    }
