"""What AWS Lambda runs: models are loaded when this module is imported, before the first event."""

import os

from mangum import Mangum

from handler.api import create_app
from handler.hexabot import Service
from handler.logs import configure
from handler.predictor import load_predictors
from handler.settings import Settings

settings = Settings.from_env(os.environ)
configure(settings.log_level)
service = Service(load_predictors(settings.bundles, settings.threads), settings)
app = create_app(service, settings)
lambda_handler = Mangum(app, lifespan="off")
