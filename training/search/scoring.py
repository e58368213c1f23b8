"""Score the answers of a trial to rows that it was not trained on."""

import math
from collections.abc import Sequence

from training.choice.trials import SMALLEST_PROBABILITY
from training.evaluation.answers import Records
from training.evaluation.crossed import INDEX, LOGS
from training.evaluation.metrics import slot_metrics
from training.search.section import Section


def trimmed(section: Section, records: Records) -> Records:
    """Return the columns of records that `score` and `right` read, without the messages."""
    name = section.output
    columns = [name, f"{name}_predictions"]
    if section.metric == "loss":
        columns += [f"{name}_{LOGS}", f"{name}_{INDEX}"]
    return [{column: record[column] for column in columns} for record in records]


def score(section: Section, records: Records) -> float:
    """Return the metric of the section.

    Args:
        section: The section `hyperopt`.
        records: Answers to one or more folds (see `training/evaluation/answers.py`).

    Returns:
        A share in [0, 1], or the mean log loss of the expected labels, without calibration.
    """
    name = section.output
    expected, found = ([record[column] for record in records] for column in (name, f"{name}_predictions"))
    if section.metric == "f1":
        return float(slot_metrics(expected, found)["f1"])
    if section.metric == "token_accuracy":
        pairs = [
            pair
            for one, other in zip(expected, found, strict=True)
            for pair in zip(one.split(), other.split(), strict=False)
        ]
        return _share([one == other for one, other in pairs])
    if section.metric == "loss":
        return sum(_loss(record[f"{name}_{LOGS}"], record[f"{name}_{INDEX}"]) for record in records) / len(records)
    return _share([one == other for one, other in zip(expected, found, strict=True)])


def right(section: Section, records: Records) -> str:
    """Return one character per record: 1 if the answer is entirely right, else 0."""
    name = section.output
    return "".join("1" if record[name] == record[f"{name}_predictions"] else "0" for record in records)


def _share(right: Sequence[bool]) -> float:
    return right.count(True) / max(len(right), 1)


def _loss(logs: Sequence[float], index: int | None) -> float:
    """Return the negative logarithm of the expected label's probability; the model may not know the label."""
    return -float(math.log(SMALLEST_PROBABILITY) if index is None else logs[index])
