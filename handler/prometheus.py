"""Metrics of `serve`, as Prometheus reads them from `GET /metrics`. The only module that imports prometheus-client.

The names and units follow Prometheus' conventions (base units, `_total` for counters). They measure what
`handler.emf` measures on Lambda; docs/monitoring.md has both lists.
"""

import threading
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from handler.drift import CONFIDENCE, LABELS, ExpectedSeries, index, references
from handler.measures import measures
from handler.messages import Answer
from handler.observing import Observation
from handler.predictor import Predictor

if TYPE_CHECKING:
    from handler.comparison import ShadowComparison

Exposition = Callable[[str], Answer]
"""Returns the metrics in the format that an Accept header asks for."""

WINDOW = 1000
"""The number of the latest messages whose drift is measured."""
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper limits of the buckets of times: a linear model takes under a millisecond, a transformer up to a second."""
CONFIDENCES = tuple(step / 10 for step in range(1, 11))


class PrometheusMetrics:
    """An observer that counts requests, and exposes the counts."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        """Create the metrics in a registry of their own.

        Args:
            predictors: The loaded models, by name.
        """
        registry = CollectorRegistry()
        self._registry, self._predictors = registry, predictors
        self._judged = {(name, output.name) for name, each in predictors.items() for output in each.judged}
        output = ["model", "output"]
        self._requests = Counter("nlu_requests", "Requests by route and status", ["path", "status"], registry=registry)
        self._request_seconds = Histogram(
            "nlu_request_seconds", "From the request to its response", ["path"], registry=registry, buckets=SECONDS
        )
        self._model_seconds = Histogram(
            "nlu_model_seconds", "One call of a model", ["model"], registry=registry, buckets=SECONDS
        )
        self._failures = Counter("nlu_failures", "Calls that raised an unexpected error", ["model"], registry=registry)
        self._fallbacks = Counter("nlu_fallbacks", "Answers with a placeholder", ["model"], registry=registry)
        self._confidence = Histogram(
            "nlu_confidence", "The largest probability of each row", output, registry=registry, buckets=CONFIDENCES
        )
        self._below = Counter("nlu_below_threshold", "Rows below their threshold", output, registry=registry)
        self._labels = Counter("nlu_labels", "Rows by predicted label", [*output, "label"], registry=registry)
        self._shadow = Counter(
            "nlu_shadow_answers",
            "Outputs that a shadow bundle answered too; labels are empty if withheld, and for slots",
            [*output, "agrees", "live", "shadow"],
            registry=registry,
        )
        for model in predictors:
            self._failures.labels(model)
            self._fallbacks.labels(model)
        for judged in self._judged:
            self._below.labels(*judged)
        self._drift = Drift(references(predictors))
        registry.register(self._drift)
        ProcessCollector(registry=registry)

    def __call__(self, observation: Observation) -> None:
        """Count a request."""
        path = "unknown" if observation.status == 404 else observation.path
        self._requests.labels(path, observation.status).inc()
        self._request_seconds.labels(path).observe(observation.milliseconds / 1000)
        for each in measures(observation.outcome, self._predictors):
            self._model_seconds.labels(each.model).observe(each.milliseconds / 1000)
            self._failures.labels(each.model).inc(each.failed)
            self._fallbacks.labels(each.model).inc(each.fallback)
            for verdict in (verdict for verdicts in each.verdicts.values() for verdict in verdicts):
                place = (each.model, verdict.output)
                self._confidence.labels(*place).observe(verdict.confidence)
                self._labels.labels(*place, verdict.label).inc()
                if place in self._judged:
                    self._below.labels(*place).inc(verdict.unsure)
                self._drift.add(place, verdict.label, verdict.confidence)

    def compared(self, observation: Observation, comparisons: "Sequence[ShadowComparison]") -> None:
        """Count the answers of shadow bundles."""
        for each in comparisons:
            # Slots of a text have too many combinations for labels of a metric.
            is_category = each.kind == "category"
            pair = (each.live_answer or "", each.shadow_answer or "") if is_category else ("", "")
            self._shadow.labels(each.model, each.output, str(each.agrees).lower(), *pair).inc()

    def exposition(self, accept: str) -> Answer:
        """Return the response of `GET /metrics`.

        Args:
            accept: The request's Accept header. It chooses between Prometheus' text format and OpenMetrics.
        """
        encode, content_type = choose_encoder(accept)
        return Answer(200, {"content-type": content_type, "cache-control": "no-store"}, encode(self._registry))


class Drift(Collector):
    """The population stability index of the latest messages. It is calculated when it is read."""

    def __init__(self, known: Mapping[tuple[str, str], ExpectedSeries]) -> None:
        """Start with an empty window for each category that has a reference.

        Args:
            known: The references by model and output.
        """
        self._known = known
        self._latest: dict[tuple[str, str], deque[tuple[str, str]]] = {place: deque(maxlen=WINDOW) for place in known}
        self._lock = threading.Lock()

    def add(self, place: tuple[str, str], label: str, confidence: float) -> None:
        """Add an answer to the window of its model and output. Without a reference, it is ignored."""
        reference = self._known.get(place)
        if reference is not None:
            with self._lock:
                self._latest[place].append((reference.group_of[label], reference.bin_of(confidence)))

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the gauges; a window with too few messages has none."""
        psi = GaugeMetricFamily(
            "nlu_psi", f"Drift of the last {WINDOW} messages: over 0.25 is drift", labels=["model", "output", "kind"]
        )
        for place, reference in self._known.items():
            with self._lock:
                latest = list(self._latest[place])
            for kind, expected, column in ((LABELS, reference.labels, 0), (CONFIDENCE, reference.bins, 1)):
                found = Counts(each[column] for each in latest)
                value = index(list(expected.values()), [found[group] for group in expected])
                if value is not None:
                    psi.add_metric([*place, kind], value)
        yield psi
