"""What AWS Lambda runs: models are loaded when this module is imported, before the first event."""

import os
from typing import Any

from mangum import Mangum

from handler.api import create_app
from handler.golden import replay
from handler.hexabot import load_service
from handler.logs import configure
from handler.settings import Settings

GOLDEN_CHECK = {"check": "golden"}
"""The event that the pre-traffic hook sends. API Gateway cannot: its events always hold a request."""

settings = Settings.from_env(os.environ)
configure(settings.log_level)
service = load_service(settings)
gateway = Mangum(create_app(service, settings), lifespan="off")


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway's, or the check before traffic."""
    if event == GOLDEN_CHECK:
        return replay(service.predictors)
    return gateway(event, context)
