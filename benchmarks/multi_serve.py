"""Serve several models with Ludwig, like the server that this package replaces for Hexabot.

It imitates that server's behavior for the measurements: `LudwigModel.predict` behind FastAPI's routes, all models in
one process, answers in Ludwig's columns.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from ludwig.api import LudwigModel
from ludwig.utils.data_utils import numpy_to_python


def main() -> int:
    """Serve the models of the runs on the command line, each under the name of its run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders with a model/")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    options = parser.parse_args()
    models = {run.name: LudwigModel.load(str(run / "model"), backend="local") for run in options.runs}
    uvicorn.run(create_app(models), host="127.0.0.1", port=options.port, log_level="warning")
    return 0


def create_app(models: dict[str, Any]) -> FastAPI:
    """Return the application."""
    app = FastAPI()

    @app.get("/")
    def health() -> JSONResponse:
        return JSONResponse({"message": "Ludwig server is up", "models": list(models)})

    @app.post("/predict")
    async def predict(request: Request) -> JSONResponse:
        async with request.form() as form:
            asked = str(form.get("model") or ",".join(models)).split(",")
            entry = {name: value for name, value in form.items() if name != "model"}
        return JSONResponse({name: answer(models[name], entry) for name in asked})

    return app


def answer(model: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Return one model's answer, or its error."""
    try:
        predictions, _ = model.predict(dataset=[entry], data_format=dict)
        columns = numpy_to_python(predictions.to_dict("records")[0])
        json.dumps(columns)
    except Exception as error:  # as the original server does
        return {"error": str(error), "status": "failed"}
    return {"predictions": columns, "status": "success"}


if __name__ == "__main__":
    raise SystemExit(main())
