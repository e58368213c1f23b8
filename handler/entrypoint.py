"""AWS Lambda's entry point: importing this module loads the models, before the first event."""

import os
from functools import cache
from typing import Any

from handler.light_imports import loaded  # isort: split

from handler.events import answer_other, is_batch
from handler.gateway import as_http_api_event, event_answer, read_event
from handler.golden import replay, seals
from handler.hexabot import load_service
from handler.logs import configure, silence
from handler.messages import Answer, Request
from handler.observers import observe
from handler.routes import Routes
from handler.settings import Settings

GOLDEN_CHECK = {"check": "golden"}
"""The event that the pre-traffic hook sends. It cannot come through API Gateway, whose events contain a request."""
SHADOW_CHECK = {"check": "shadows"}
"""The same for shadow bundles. It is a second event, so that a slow or failing shadow cannot fail the golden check."""

settings = Settings.from_env(os.environ)
configure(settings.log_level, version=settings.version)
service = load_service(settings)
observing = observe(service, settings, os.environ)
routes = Routes(service, settings, observing.observers)
loaded()


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer an event of any kind.

    Args:
        event: An HTTP request in one of AWS's formats, a check of the deployment, a batch of Step Functions, a warm-up
            ping, or anything else.
        context: Lambda's context, or None.

    Returns:
        The response in the format that the sender of the event expects.
    """
    try:
        return _answer(event, context)
    finally:
        if observing.deferred is not None:
            observing.deferred.answered()


def _answer(event: Any, context: Any) -> dict[str, Any]:
    request = read_event(event, context)
    if event == GOLDEN_CHECK:
        return {**replay(service.predictors), "models": seals(service.predictors)}
    if event == SHADOW_CHECK:
        return observing.shadow.shadows().described() if observing.shadow else {"models": {}, "problems": []}
    if isinstance(event, dict) and event.get("check") == "drift":
        from handler.drift import report

        return report(service.predictors, event.get("counts"), settings.version, event.get("before"))
    if request is None and is_batch(event):
        from handler.map_batches import answer_batch

        return answer_batch(event, service, settings.default_language, context)
    if request is None:
        return answer_other(event, list(service.predictors))
    from_a_page = settings.cors_origins and "origin" in request.headers
    answer = framework_answer(request, context) if from_a_page else routes.answer(request)
    return event_answer(event, answer)


def framework_answer(request: Request, context: Any) -> Answer:
    """Answer a cross-origin request with FastAPI, which handles CORS. Only the first such request pays for its import.

    Args:
        request: The request.
        context: Lambda's context, or None.

    Returns:
        The response, with CORS headers.
    """
    response = framework()(as_http_api_event(request), context)
    return Answer(response["statusCode"], response["headers"], response["body"].encode())


@cache
def framework() -> Any:
    """Return the same routes as a FastAPI application in Mangum's adapter for Lambda."""
    silence("mangum")
    from mangum import Mangum

    from handler.api import create_app

    return Mangum(create_app(routes, settings.cors_origins), lifespan="off")


if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    from handler import snapstart

    snapstart.register(service, *([framework] if settings.cors_origins else []))
