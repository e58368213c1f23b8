"""Compare an evaluation with an earlier one: what became better, what became worse, and which rows changed sides.

`compare_evaluations` returns one JSON object, stored in `metrics.json` under `compared`:

    model, source   the earlier evaluation's model and description of its rows
    outputs         by output feature that both evaluations measured:
        metric      accuracy, or f1 of whole slots
        before, now     the metric, each on the rows of its own evaluation
        shared      number of rows whose text is in both evaluations; the rest of this object is about them
        right_before, right_now     how many of them are correct, both times by the expected label of now
        chance      probability of a difference of at least this size if both models were equally good
        fixed, broken   rows that are correct now and were not, and the reverse: text, expected, before, now
        labels      label, before, now (their F1) of the labels that changed, the largest change first
"""

from collections.abc import Mapping
from math import comb
from typing import Any

from training.evaluation.answers import Records
from training.evaluation.metrics import Metrics, text_column_of

COMPARED = "compared"
HEADLINE = {"category": "accuracy", "sequence": "f1"}
SMALLEST_CHANGE = 0.005
"""Smaller differences of a label's F1 are not listed."""


def compare_evaluations(before: tuple[Metrics, Records], now: tuple[Metrics, Records]) -> Metrics:
    """Compare an evaluation with an earlier one.

    Args:
        before: The metrics and the predictions of the earlier evaluation.
        now: Those of the new one.

    Returns:
        The object that the module's docstring describes.
    """
    old, new = before[0], now[0]
    return {
        "model": old["model"],
        "source": old["source"],
        "outputs": {
            name: _output(name, before, now)
            for name, found in new["outputs"].items()
            if old["outputs"].get(name, {}).get("type") == found["type"]
        },
    }


def chance(fixed: int, broken: int) -> float:
    """Return the probability of a difference of at least this size between two equally good models.

    Source: McNemar 1947, the exact two-sided test: each row that only one of the models answers correctly is a coin
    toss.

    Args:
        fixed: Number of rows that only the new model answers correctly.
        broken: Number of rows that only the earlier model answers correctly.

    Returns:
        The probability, in [0, 1].
    """
    tosses = fixed + broken
    tail = sum(comb(tosses, heads) for heads in range(min(fixed, broken) + 1)) / 2**tosses
    return float(min(1.0, 2 * tail))


def _output(name: str, before: tuple[Metrics, Records], now: tuple[Metrics, Records]) -> Metrics:
    old, new = before[0]["outputs"][name], now[0]["outputs"][name]
    metric = HEADLINE[new["type"]]
    texts = [text_column_of(metrics) for metrics in (before[0], now[0])]
    earlier = {str(record.get(texts[0])): record for record in before[1]}
    pairs = [(earlier[text], record) for record in now[1] if (text := str(record.get(texts[1]))) in earlier]
    changed: dict[str, list[Any]] = {"fixed": [], "broken": []}
    right = [0, 0]
    for old_record, record in pairs:
        expected = record[name]
        found = [each[f"{name}_predictions"] for each in (old_record, record)]
        was, is_now = (answer == expected for answer in found)
        right[0] += was
        right[1] += is_now
        if was != is_now:
            row = {"text": record[texts[1]], "expected": expected, "before": found[0], "now": found[1]}
            changed["fixed" if is_now else "broken"].append(row)
    return {
        "metric": metric,
        "before": old[metric],
        "now": new[metric],
        "shared": len(pairs),
        "right_before": right[0],
        "right_now": right[1],
        "chance": chance(len(changed["fixed"]), len(changed["broken"])),
        **changed,
        "labels": _labels(old, new),
    }


def _labels(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Metrics]:
    """Return the labels, or kinds of slots, whose F1 changed, the largest change first."""
    before, now = (found.get("labels") or found.get("entities") or {} for found in (old, new))
    found = [
        {"label": label, "before": before[label]["f1"], "now": scores["f1"]}
        for label, scores in now.items()
        if label in before and abs(scores["f1"] - before[label]["f1"]) >= SMALLEST_CHANGE
    ]
    return sorted(found, key=lambda label: -abs(label["now"] - label["before"]))
