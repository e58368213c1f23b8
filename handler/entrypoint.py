"""What AWS Lambda runs: models are loaded when this module is imported, before the first event."""

import os
from functools import cache
from typing import Any

from handler.gateway import event_answer, read_event
from handler.golden import replay, seals
from handler.hexabot import load_service
from handler.logs import configure
from handler.routes import Routes
from handler.settings import Settings

GOLDEN_CHECK = {"check": "golden"}
"""The event that the pre-traffic hook sends. API Gateway cannot: its events always hold a request."""

settings = Settings.from_env(os.environ)
configure(settings.log_level, version=settings.version)
service = load_service(settings)
routes = Routes(service, settings)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway's, or the check before traffic."""
    request = read_event(event, context)
    if request is not None and not (settings.cors_origins and "origin" in request.headers):
        return event_answer(event, routes.answer(request))
    if event == GOLDEN_CHECK:
        return {**replay(service.predictors), "models": seals(service.predictors)}
    return dict(framework()(event, context))


@cache
def framework() -> Any:
    """Return the same routes as FastAPI and Mangum serve them: browsers of other origins need no early answer."""
    from mangum import Mangum

    from handler.api import create_app

    return Mangum(create_app(routes, settings.cors_origins), lifespan="off")
