"""Plain FastAPI, for comparison: the same models in a simple application with FastAPI's form parser and Mangum.

Most people would start with this. `benchmarks.baseline_minimal` is the opposite, with as little code as possible. The
models, their loading and their answers are the handler's.
"""

import os
from typing import Any

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from mangum import Mangum

from handler.auth import authorize
from handler.errors import UnauthorizedError
from handler.hexabot import load_service
from handler.settings import Settings

settings = Settings.from_env(os.environ)
service = load_service(settings)
app = FastAPI(title="ludwig-serverless, as FastAPI comes")


@app.post("/predict")
async def predict(request: Request, token: str = "") -> Response:
    """Answer Hexabot."""
    if not settings.open:
        try:
            authorize([token], settings.token_digests)
        except UnauthorizedError as error:
            raise HTTPException(401, str(error)) from None
    async with request.form() as form:
        fields: dict[str, Any] = dict(form)
    return Response(msgspec.json.encode(service.predict(fields).answer), media_type="application/json")


lambda_handler = Mangum(app, lifespan="off")
