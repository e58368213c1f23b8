"""Create the observers of requests that the settings ask for, and the queue for the work that they defer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from handler.hexabot import Service
from handler.settings import Settings

if TYPE_CHECKING:
    from handler.deferred import Deferred
    from handler.observing import Observer


class Observing(msgspec.Struct, frozen=True):
    """The observers of a service.

    Attributes:
        observers: Called once for each request.
        deferred: The queue of their work; None if they defer none.
    """

    observers: "list[Observer]"
    deferred: "Deferred | None"


def observe(service: Service, settings: Settings, environ: Mapping[str, str]) -> Observing:
    """Create the observers that the settings ask for. Modules load only if a setting needs them.

    Args:
        service: The loaded models.
        settings: The settings.
        environ: The environment variables, which show whether this is Lambda.

    Returns:
        The observers, and the queue of their deferred work.
    """
    return Observing([], None)
