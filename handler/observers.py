"""Create the observers of requests that the settings ask for, and the queue for the work that they defer."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from handler.bundle import MANIFEST
from handler.hexabot import Service
from handler.settings import Settings

if TYPE_CHECKING:
    from handler.deferred import Deferred
    from handler.observing import Observer
    from handler.prometheus import Exposition
    from handler.shadow import ShadowObserver, Subscriber

SHADOW = "shadow"
"""The folder in a folder of bundles that contains their shadows."""


class Observing(msgspec.Struct, frozen=True):
    """The observers of a service.

    Attributes:
        observers: Called once for each request.
        deferred: The queue of their work; None if they defer none.
        shadow: The observer that asks shadow bundles; None without shadows.
        exposition: What answers `GET /metrics`; None on Lambda, or without metrics.
    """

    observers: "list[Observer]"
    deferred: "Deferred | None" = None
    shadow: "ShadowObserver | None" = None
    exposition: "Exposition | None" = None


def observe(service: Service, settings: Settings, environ: Mapping[str, str]) -> Observing:
    """Create the observers that the settings ask for. Modules load only if a setting needs them.

    Args:
        service: The loaded models.
        settings: The settings.
        environ: The environment variables, which show whether this is Lambda.

    Returns:
        The observers, and the queue of their deferred work.
    """
    observers: list[Observer] = []
    subscribers: list[Subscriber] = []
    shadow, exposition = None, None
    shadows = shadow_locations(settings)
    deferred = _deferred(environ) if shadows or settings.capture else None
    if settings.metrics != "off" and settings.version:
        from handler.emf import EmbeddedMetrics

        observers.append(EmbeddedMetrics(service.predictors, settings))
    elif settings.metrics != "off":
        from handler.prometheus import PrometheusMetrics

        metrics = PrometheusMetrics(service.predictors)
        observers.append(metrics)
        subscribers.append(metrics.compared)
        exposition = metrics.exposition
    if deferred is not None and settings.capture:
        from handler.capture_batches import Batches
        from handler.capture_stores import store_at
        from handler.capturing import Capture

        capture = Capture(service, settings, deferred, Batches(store_at(settings.capture, environ)))
        observers.append(capture)
        subscribers.append(capture.compared)
    if deferred is not None and shadows:
        from handler.shadow import ShadowObserver

        shadow = ShadowObserver(service.predictors, settings, deferred, subscribers)
        observers.append(shadow)
    return Observing(observers, deferred, shadow, exposition)


def _deferred(environ: Mapping[str, str]) -> "Deferred":
    from handler.deferred import started

    return started(environ)


def shadow_locations(settings: Settings) -> list[str]:
    """Return the locations of shadow bundles.

    Args:
        settings: The settings. `shadow_sample` of 0 turns all shadows off.

    Returns:
        The folder `shadow` in each local folder of bundles, if it contains bundles, and the locations in `shadows`.
    """
    if not settings.shadow_sample:
        return []
    beside = [os.path.join(location, SHADOW) for location in settings.bundles if "://" not in location]
    return [*filter(_contains_bundles, beside), *settings.shadows]


def _contains_bundles(folder: str) -> bool:
    """Return whether a folder contains bundles. One that cannot be read counts: its loading logs the reason."""
    if not os.path.isdir(folder):
        return False
    try:
        return any(os.path.exists(os.path.join(folder, name, MANIFEST)) for name in os.listdir(folder))
    except OSError:
        return True
