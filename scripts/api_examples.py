"""Ask the bundles in examples/ for the examples in the API's description. `make reference` runs this.

Every example is a request and what the service really answers to it, with numbers rounded to four digits.
"""

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from handler.auth import digest
from handler.hexabot import Service
from handler.logs import silence
from handler.messages import Answer, Request
from handler.predictor import load_predictors
from handler.routes import Routes
from handler.settings import DEFAULTS, Settings

ROOT = Path(__file__).resolve().parent.parent
BUNDLES = ROOT / "examples" / "bundles"
TOKEN = "example-token"
ID = "8f507cfc-1111-2222-3333-444455556666"
TEXT = "book me a flight to New York next friday morning"
ANSWERED: dict[str, Any] = {
    "GET /": None,
    "GET /models": None,
    "POST /understand": {"text": TEXT},
    "POST /predict": {"text": TEXT, "model": "language,slots"},
    "POST /batch_predict": {
        "dataset": {"columns": ["text"], "data": [["good morning!"], ["merci beaucoup !"]]},
        "model": "language",
    },
    "POST /parse": {"q": TEXT},
    "POST /evaluate": {
        "common_examples": [
            {"text": "good morning!", "intent": "greet"},
            {"text": "what can you do?", "intent": "greet"},
        ]
    },
    "POST /mcp": {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "understand", "arguments": {"text": TEXT}},
    },
}
"""The fields of the request for each operation that has an example."""
REFUSED: dict[str, tuple[tuple[Any, ...], dict[str, str]]] = {
    "RequestError": (("POST", "/understand", {"message": TEXT}), {}),
    "UnauthorizedError": (("POST", "/understand", {"text": TEXT}), {"x-api-key": ""}),
    "ForbiddenError": (("POST", "/mcp"), {"origin": "https://example.org"}),
    "NotFoundError": (("GET", "/nothing"), {}),
    "WrongMethodError": (("GET", "/understand"), {}),
    "PayloadTooLargeError": (("POST", "/understand", {"text": "a" * (DEFAULTS.max_text_characters + 1)}), {}),
    "UnsupportedContentError": (("POST", "/understand"), {"content-type": "text/plain"}),
}
"""A request for each error, and its headers."""
NUMBER = re.compile(rb"-?\d+\.\d+(?:e-?\d+)?")


def every_route(*folders: Path, **settings: Any) -> Routes:
    """Return routes with every optional one.

    Args:
        folders: Folders of bundles, or bundles.
        settings: Settings other than their defaults. Each optional route is on, and requests need `TOKEN`.
    """
    switches = [each.name for each in msgspec.structs.fields(Settings) if each.type is bool and each.name != "open"]
    chosen: Any = {"bundles": (), "token_digests": (digest(TOKEN),), **dict.fromkeys(switches, True), **settings}
    service = Service(load_predictors(folders), Settings(**chosen))
    return Routes(
        service, Settings(**chosen), exposition=lambda accept: Answer(200, {"content-type": "text/plain"}, b"")
    )


def ask(routes: Routes, method: str, path: str, fields: Any = None, **headers: str) -> Answer:
    """Send fields as JSON, with the token.

    Args:
        routes: The routes to ask.
        method: The method.
        path: The path.
        fields: The fields; None for a request without a body.
        headers: Other headers, or other values of them.
    """
    sent = {"content-type": "application/json", "x-api-key": TOKEN, **headers}
    body = b"" if fields is None else json.dumps(fields).encode()
    return routes.answer(Request(ID, method, path, (), sent, body))


def examples() -> dict[str, Any]:
    """Return the example of each operation, and of each error.

    Returns:
        By operation, such as `POST /predict`, the `fields` and the `answer`; by the error's class name, the answer.
    """
    silence("handler")  # it logs the refused requests
    routes = every_route(BUNDLES)
    found: dict[str, Any] = {}
    for operation, fields in ANSWERED.items():
        method, path = operation.split(" ")
        found[operation] = {"fields": fields, "answer": _rounded(ask(routes, method, path, fields))}
    return found | {error: _rounded(ask(routes, *request, **headers)) for error, (request, headers) in REFUSED.items()}


def page() -> str:
    """Return the examples as the file `handler.openapi.EXAMPLES`."""
    return json.dumps(examples(), ensure_ascii=False, indent=1) + "\n"


def _rounded(answer: Answer) -> Any:
    """Return an answer with rounded numbers, also in strings: a tool's answer is JSON in a string."""
    return json.loads(NUMBER.sub(lambda found: str(round(float(found[0]), 4)).encode(), answer.body))
