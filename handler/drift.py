"""Measure drift: how far the labels and the confidences of today's messages are from those that a model was tested on.

The measure is the population stability index (PSI), which credit scoring uses to notice that applicants have changed.
With the shares e_i of k groups in a reference and o_i in today's messages:

    PSI = sum over i of (o_i - e_i) * ln(o_i / e_i)

It is the symmetric Kullback-Leibler divergence of the two, 0 if they are equal. The rule of thumb of that field
(Siddiqi, "Credit Risk Scorecards", 2006): below 0.1 nothing has changed, above 0.25 something has.

Two corrections, both for small numbers:

- Smoothing. An empty group would make the PSI infinite, so every count is raised by one half (Jeffreys' prior).
- Noise. Samples of n and m messages from the same source differ too. Their PSI, divided by 1/n + 1/m, follows a
  chi-squared distribution with k - 1 degrees of freedom (Yurdakul, "Statistical Properties of Population Stability
  Index", 2018), so its mean is (k - 1) * (1/n + 1/m). This module subtracts that mean: without drift the result is
  close to 0, whatever the numbers are. It needs FEWEST messages on both sides.

Pure Python, and only loaded if drift is measured.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from handler.outputs import CategoryOutput
from handler.predictor import Predictor
from handler.thresholds import Expected

FEWEST = 100
"""The number of messages below which there is no PSI. The standard deviation for 20 groups is then 0.06."""
MOST_GROUPS = 20
"""The most groups of labels. Each is a metric of CloudWatch, which costs money, and needs messages of its own."""
BINS = 10
"""The most bins of the confidence."""
SMOOTHING = 0.5
LABELS, CONFIDENCE = "labels", "confidence"


def index(expected: Sequence[int], found: Sequence[int]) -> float | None:
    """Return the PSI of two lists of counts, without the part that chance explains.

    Args:
        expected: The number of messages in each group, in the reference.
        found: The same for today's messages, in the same order.

    Returns:
        The index, at least 0; None if one of the lists counts fewer than FEWEST messages.
    """
    groups, known, new = len(expected), sum(expected), sum(found)
    if known < FEWEST or new < FEWEST:
        return None
    total = 0.0
    for before, now in zip(expected, found, strict=True):
        before_share = (before + SMOOTHING) / (known + SMOOTHING * groups)
        now_share = (now + SMOOTHING) / (new + SMOOTHING * groups)
        total += (now_share - before_share) * math.log(now_share / before_share)
    return max(0.0, total - (groups - 1) * (1 / known + 1 / new))


class ExpectedSeries:
    """The groups of one category: what each label and each confidence counts as.

    Attributes:
        group_of: The name of each label's group.
        labels: The number of rows of each group in the reference, by the group's name.
        bins: The number of rows in each bin of the confidence, by the bin's name, from the lowest to the highest.
    """

    def __init__(self, labels: Sequence[str], expected: Expected) -> None:
        """Group the labels. Up to MOST_GROUPS labels, each has its own group.

        With more, the labels are spread over MOST_GROUPS groups of about the same share, so that a surge of any label
        shows. Grouping all rare labels together would hide most of them.

        Args:
            labels: All labels of the category.
            expected: What the model answered to rows that it was not trained on.
        """
        self._edges = expected.edges
        counts = {label: expected.labels.get(label, 0) for label in labels}
        filled: list[list[str]] = [[] for _ in range(min(MOST_GROUPS, len(labels)))]
        sizes = [0] * len(filled)
        for label in sorted(labels, key=lambda label: -counts[label]):
            smallest = min(range(len(filled)), key=lambda group: (sizes[group], len(filled[group])))
            filled[smallest].append(label)
            sizes[smallest] += counts[label]
        self.labels = {_named(group): size for group, size in zip(filled, sizes, strict=True)}
        self.group_of = {label: _named(group) for group in filled for label in group}
        self._names = [str(lower) for lower in (0.0, *expected.edges)]
        self.bins = dict(zip(self._names, expected.confidence, strict=True))

    def bin_of(self, confidence: float) -> str:
        """Return the name of a confidence's bin: the bin's lower edge."""
        return self._names[bisect_right(self._edges, confidence)]


class Series(NamedTuple):
    """Counts of one kind that are compared.

    Attributes:
        place: The name of the model and its output in metrics.
        kind: "labels" or "confidence".
        expected: The number of rows of the reference by group.
    """

    place: str
    kind: str
    expected: Mapping[str, int]


def references(predictors: Mapping[str, Predictor]) -> dict[tuple[str, str], ExpectedSeries]:
    """Return the reference of each category whose bundle has one.

    Args:
        predictors: The loaded models, by name.

    Returns:
        The references by model and output.
    """
    return {
        (name, output.name): ExpectedSeries(output.labels, output.expected)
        for name, predictor in predictors.items()
        for output in predictor.manifest.outputs
        if isinstance(output, CategoryOutput) and output.expected is not None
    }


def all_series(known: Mapping[tuple[str, str], ExpectedSeries]) -> Iterator[Series]:
    """Yield the counts to compare: labels and confidences of each reference."""
    for (model, output), reference in known.items():
        yield Series(place_name(model, output), LABELS, reference.labels)
        yield Series(place_name(model, output), CONFIDENCE, reference.bins)


def report(predictors: Mapping[str, Predictor], counts: Any, version: str, before: Any = None) -> dict[str, Any]:
    """Answer the drift check of `deploy/drift.py`.

    Args:
        predictors: The loaded models, by name.
        counts: A list with the counts of each series, by group, in the order of an earlier answer's `series`; None only
            asks for the series. Groups without messages may be absent.
        version: The version of the function, which is a dimension of the metrics.
        before: Counts of earlier messages, in the same form, to compare with in place of the bundles' references.

    Returns:
        `version` and `series`: for each a `model` and a `kind`, the names of its `groups`, the number of `messages` in
        `counts`, and the `psi`, None if there are too few messages.
    """
    series = list(all_series(references(predictors)))
    now = _fitting(counts, len(series)) or [{}] * len(series)
    known = _fitting(before, len(series)) or [each.expected for each in series]
    return {
        "version": version,
        "series": [
            {
                "model": each.place,
                "kind": each.kind,
                "groups": list(each.expected),
                "messages": sum(_numbers(found, each)),
                "psi": index(_numbers(expected, each), _numbers(found, each)),
            }
            for each, found, expected in zip(series, now, known, strict=True)
        ],
    }


def _fitting(counts: Any, series: int) -> list[Mapping[str, float]] | None:
    """Return counts if there are some for each series; None for any other value, which another version could send."""
    fits = isinstance(counts, list) and len(counts) == series and all(isinstance(each, dict) for each in counts)
    return counts if fits else None


def _numbers(counts: Mapping[str, float], series: Series) -> list[int]:
    return [int(counts.get(group, 0)) for group in series.expected]


def _named(labels: Sequence[str]) -> str:
    """Return the name of a group: its largest label, and how many more there are."""
    first = dimension(labels[0])
    return first if len(labels) == 1 else f"{first} +{len(labels) - 1}"


def place_name(model: str, output: str) -> str:
    """Return the name of a model's output in metrics: the model's, or MODEL.OUTPUT if they are named differently."""
    return dimension(model) if model == output else dimension(f"{model}.{output}")


def dimension(name: str) -> str:
    """Return a name as CloudWatch accepts it in a dimension: printable ASCII, not blank, no colon at its start."""
    text = ascii(name)[1:-1][:200]
    return text if text.strip() and not text.startswith(":") else f"_{text}"
