"""Prepare for Lambda's SnapStart: every model answers before the snapshot, and random numbers differ after it.

Only functions with SnapStart import this module. Request ids and tokens need no preparation, because they come from the
operating system, and no connection survives the start: bundles are downloaded before it ends.
"""

import random
from collections.abc import Callable

import msgspec

from handler.errors import RequestError
from handler.hexabot import TEXT, Service
from handler.logs import log, log_refusal


def register(service: Service, *loads: Callable[[], object]) -> None:
    """Register the runtime hooks, if the runtime has them. AWS's runtimes for Python do.

    Args:
        service: The loaded models.
        *loads: Functions to call before the snapshot, which load what requests may need.
    """
    try:
        from snapshot_restore_py import register_after_restore, register_before_snapshot
    except ModuleNotFoundError:
        log_refusal("SnapStart is not primed", reason="the runtime has no package snapshot_restore_py")
        return
    register_before_snapshot(prime, service, *loads)
    register_after_restore(random.seed)  # without arguments it reads the operating system's randomness


def prime(service: Service, *loads: Callable[[], object]) -> None:
    """Answer once with every model, so that the snapshot contains what a first answer allocates.

    The request has the columns of each model's first golden row; bundles without golden rows get a short text.

    Args:
        service: The loaded models.
        *loads: See `register`.
    """
    fields = {TEXT: "hello"}
    for predictor in service.predictors.values():
        for row in predictor.manifest.golden[:1]:
            fields |= row.values
    answered: list[str] = []
    try:
        outcome = service.predict(fields)
        msgspec.json.encode(outcome.answer)
        answered = [name for name in outcome.milliseconds if name not in {*outcome.failed, *outcome.refused}]
    except RequestError:  # without golden rows, no model may have a column for a text
        pass
    for load in loads:
        load()
    log("primed", models=answered)
