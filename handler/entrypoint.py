"""AWS Lambda's entry point: importing this module loads the models, before the first event."""

import os
from functools import cache
from typing import Any

from handler.events import answer_other
from handler.gateway import as_http_api_event, event_answer, read_event
from handler.golden import replay, seals
from handler.hexabot import load_service
from handler.logs import configure
from handler.messages import Answer, Request
from handler.routes import Routes
from handler.settings import Settings

GOLDEN_CHECK = {"check": "golden"}
"""The event that the pre-traffic hook sends. API Gateway cannot: its events always hold a request."""

settings = Settings.from_env(os.environ)
configure(settings.log_level, version=settings.version)
service = load_service(settings)
routes = Routes(service, settings)


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer an event of any kind.

    Args:
        event: A request in any of AWS's shapes, the check before traffic, a ping, or anything else.
        context: Lambda's context, or None.

    Returns:
        The answer in the shape that the event's sender reads.
    """
    request = read_event(event, context)
    if event == GOLDEN_CHECK:
        return {**replay(service.predictors), "models": seals(service.predictors)}
    if request is None:
        return answer_other(event, list(service.predictors))
    from_a_page = settings.cors_origins and "origin" in request.headers
    answer = framework_answer(request, context) if from_a_page else routes.answer(request)
    return event_answer(event, answer)


def framework_answer(request: Request, context: Any) -> Answer:
    """Answer a page of another origin: FastAPI knows what browsers ask first. No other request waits for its import."""
    response = framework()(as_http_api_event(request), context)
    return Answer(response["statusCode"], response["headers"], response["body"].encode())


@cache
def framework() -> Any:
    """Return the same routes as FastAPI and Mangum serve them."""
    from mangum import Mangum

    from handler.api import create_app

    return Mangum(create_app(routes, settings.cors_origins), lifespan="off")
