"""Ask shadow bundles what the live bundles were asked, after the response was sent, and report where they disagree.

A shadow has the name of a live bundle, and its answers never reach a caller. It is loaded for the first request in the
sample, in the thread of deferred work: neither a cold start nor a response waits for it. A shadow that cannot be loaded
or that fails is logged, and the service goes on.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handler.answers import ModelReading
from handler.deferred import Deferred
from handler.golden import SEAL_DIGITS
from handler.logs import WARNING, log, log_failure, log_refusal, request_id
from handler.observing import Observation, is_drawn
from handler.predictor import Predictor
from handler.settings import Settings

if TYPE_CHECKING:
    from handler.comparison import ShadowComparison
    from handler.shadow_bundles import Shadows

MOST_WAITING = 16
"""The most requests that may wait for shadows. Others are not compared, so that a slow shadow delays no other work."""
Subscriber = Callable[[Observation, "Sequence[ShadowComparison]"], None]
"""Called once for each compared request, in the thread of deferred work."""


class ShadowObserver:
    """An observer that compares a sample of the requests.

    Attributes:
        subscribers: What else to do with the comparisons, such as metrics and capture.
    """

    def __init__(
        self,
        live: Mapping[str, Predictor],
        settings: Settings,
        deferred: Deferred,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        """Keep what is needed later. This loads nothing.

        Args:
            live: The live bundles, by the name of their model.
            settings: Where the shadows are, and the share of requests to compare.
            deferred: The queue that runs the comparisons.
            subscribers: Called with the comparisons of each request.
        """
        self.subscribers = list(subscribers)
        self._live = live
        self._settings = settings
        self._deferred = deferred
        self._loading = threading.Lock()
        self._shadows: Shadows | None = None
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def __call__(self, observation: Observation) -> None:
        """Compare a request later, if it is in the sample.

        Args:
            observation: The request.
        """
        if not observation.outcome.readings or not is_drawn(self._settings.shadow_sample):
            return
        if self._room.acquire(blocking=False) and not self._deferred.later(lambda: self._compare(observation)):
            self._room.release()

    def shadows(self) -> "Shadows":
        """Return the shadows. The first call loads them, and logs why some cannot be used."""
        with self._loading:
            if self._shadows is None:
                from handler.shadow_bundles import load_shadows

                self._shadows = load_shadows(self._live, self._settings)
                for problem in self._shadows.problems:
                    log_refusal("shadow not loaded", reason=problem)
            return self._shadows

    def _compare(self, observation: Observation) -> None:
        token = request_id.set(observation.request_id)
        try:
            predictors = self.shadows().predictors
            comparisons: list[ShadowComparison] = []
            for reading in observation.outcome.readings:
                shadow = predictors.get(reading.predictor.manifest.name)
                if shadow is not None:
                    comparisons += _compared(reading, shadow)
            for subscriber in self.subscribers if comparisons else []:
                try:
                    subscriber(observation, comparisons)
                except Exception as error:  # the others still get the comparisons
                    log_failure("subscriber of shadows failed", error)
        finally:
            request_id.reset(token)
            self._room.release()


def _compared(reading: ModelReading, shadow: Predictor) -> "list[ShadowComparison]":
    """Compare the answers of one model and log the result; nothing if the shadow fails."""
    from handler.comparison import compare

    started = time.perf_counter()
    try:
        found = compare(reading, shadow)
    except Exception as error:  # whatever a model can raise
        log_failure("shadow failed", error, model=shadow.manifest.name, shadow=shadow.manifest.seal[:SEAL_DIGITS])
        return []
    agreements = sum(each.agrees for each in found)
    log(
        "shadow",
        # The deployment's metrics count these lines, so they appear even if NLU_LOG_LEVEL hides those of requests.
        level=WARNING,
        model=shadow.manifest.name,
        live=reading.predictor.manifest.seal[:SEAL_DIGITS],
        shadow=shadow.manifest.seal[:SEAL_DIGITS],
        rows=len(reading.rows),
        agreements=agreements,
        disagreements=len(found) - agreements,
        answers=_counted(found),
        milliseconds=round((time.perf_counter() - started) * 1000, 3),
    )
    return found


def _counted(found: "Sequence[ShadowComparison]") -> list[dict[str, Any]]:
    """Count equal pairs of answers. A label that is withheld is None."""
    pairs = Counter((each.output, each.live_answer, each.shadow_answer, each.agrees) for each in found)
    return [
        {"output": output, "live": live, "shadow": shadow, "agrees": agrees, "count": count}
        for (output, live, shadow, agrees), count in pairs.items()
    ]
