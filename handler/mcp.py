"""The Model Context Protocol over streamable HTTP: two tools for agents, stateless and with JSON answers only.

Every POST carries one JSON-RPC message and gets a complete answer, so any Lambda instance can handle it: there are no
sessions and no streams. This module does not use the official SDK, which imports pydantic, starlette and httpx: that
takes longer than loading the models. Source: https://modelcontextprotocol.io/specification/2025-11-25.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from handler import __version__
from handler.decoding import BEGIN
from handler.errors import ForbiddenError, RequestError
from handler.hexabot import TEXT, Outcome, Service
from handler.messages import ACCEPTED, Request
from handler.outputs import BinaryOutput, SequenceOutput
from handler.text_labels import UNKNOWN_LABEL
from handler.understanding import Understander

if TYPE_CHECKING:
    from handler.mcp_types import McpAnswer

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The supported versions of the protocol, newest first. They do not differ in the features that this server uses."""
VERSION_HEADER = "mcp-protocol-version"
INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32600, -32601, -32602
"""JSON-RPC's error codes."""
INSTRUCTIONS = (
    "Call `understand` with a user's message, unchanged, to get its intent, language and entities. `list_models` "
    "returns the intents that exist."
)


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required or properties)}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


STRING, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
NAME_OR_NULL, NUMBER_OR_NULL = {"type": ["string", "null"]}, {"type": ["number", "null"]}
TRAIT_VALUE = {"type": ["string", "number", "array", "null"], "items": STRING}
RANKED = _object({"name": STRING, "confidence": NUMBER})
UNDERSTOOD = _object(
    {
        "text": STRING,
        "language": _object({"value": STRING, "confidence": NUMBER}),
        "intent": _object({"name": NAME_OR_NULL, "confidence": NUMBER, "ranking": _list(RANKED)}),
        "entities": _list(
            _object(
                {
                    "entity": STRING,
                    "value": STRING,
                    "canonicalValue": STRING,
                    "start": INTEGER,
                    "end": INTEGER,
                    "confidence": NUMBER,
                    "source": {"enum": ["model", "keyword", "pattern"]},
                }
            )
        ),
        "traits": {
            "type": "object",
            "additionalProperties": _object({"value": TRAIT_VALUE, "confidence": NUMBER_OR_NULL}),
        },
        "models": {"type": "object", "additionalProperties": _object({"status": STRING, "error": STRING}, "status")},
        "below_threshold": {
            "type": "object",
            "additionalProperties": _object({"name": STRING, "value": STRING, "confidence": NUMBER}, "confidence"),
        },
    }
)
"""The compact answer. It is written out, because a start would wait for its generation; a test compares it."""
READ_ONLY = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
UNDERSTAND = {
    "name": "understand",
    "title": "Understand a message",
    "description": "Return the intent, the language and the entities of a user's message, each with a confidence.",
    "inputSchema": {
        **_object(
            {
                "text": {**STRING, "description": "The user's message, unchanged."},
                "intents": {**_list(STRING), "description": "The only intents to choose from."},
                "model": {**_list(STRING), "description": "The only models to ask."},
            },
            "text",
        ),
        "additionalProperties": False,
    },
    "outputSchema": UNDERSTOOD,
    "annotations": READ_ONLY,
}
LIST_MODELS = {
    "name": "list_models",
    "title": "List the models",
    "description": "Return the models of this service, their outputs, and the labels that each output chooses from.",
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    "outputSchema": _object(
        {
            "models": _list(
                _object(
                    {
                        "name": STRING,
                        "outputs": _list(_object({"name": STRING, "type": STRING, "labels": _list(STRING)})),
                    }
                )
            )
        }
    ),
    "annotations": READ_ONLY,
}


class Tools:
    """Answers JSON-RPC messages."""

    def __init__(self, service: Service, understander: Understander, origins: tuple[str, ...]) -> None:
        """Keep what the tools need.

        Args:
            service: The loaded models.
            understander: Builds the compact answer.
            origins: Origins whose pages may call the server; "*" for all.
        """
        self._service = service
        self._understander = understander
        self._origins = origins

    def check(self, request: Request) -> None:
        """Check the headers of a request.

        Args:
            request: The request.

        Raises:
            ForbiddenError: A page of an origin that is not allowed sent the request.
            RequestError: The server does not support the protocol version of the request.
        """
        origin = request.headers.get("origin", "")
        if origin and not {origin, "*"} & set(self._origins):
            raise ForbiddenError(
                "Pages of this origin may not call the service. To allow them, add the origin to NLU_CORS_ORIGINS."
            )
        version = request.headers.get(VERSION_HEADER, VERSIONS[0])
        if version not in VERSIONS:
            raise RequestError(f"The header {VERSION_HEADER} is {version!r}: expected one of {', '.join(VERSIONS)}.")

    def answer(self, message: Mapping[str, Any]) -> Outcome:
        """Answer one JSON-RPC message.

        Args:
            message: A request, a notification or a response.

        Returns:
            The result or error of a request; for a notification or response, an empty answer with status 202.
        """
        method, identity = message.get("method"), message.get("id")
        if message.get("jsonrpc") != "2.0" or not isinstance(identity, str | int | None) or isinstance(identity, bool):
            return _error(None, INVALID_REQUEST, "This is not a JSON-RPC 2.0 message with a string or integer id.")
        if identity is None or method is None:
            return Outcome(status=ACCEPTED)
        params = message.get("params") or {}
        if not isinstance(method, str) or not isinstance(params, dict):
            return _error(identity, INVALID_REQUEST, "'method' must be a string, and 'params' must be an object.")
        match method:
            case "initialize":
                return _result(identity, _greeting(params))
            case "ping":
                return _result(identity, {})
            case "tools/list":
                return _result(identity, {"tools": [UNDERSTAND, LIST_MODELS]})
            case "tools/call":
                return self._call(identity, params)
        return _error(identity, NO_METHOD, f"Unknown method {method!r}: this server only offers tools.")

    def _call(self, identity: str | int, params: Mapping[str, Any]) -> Outcome:
        """Call a tool. An error in its arguments is part of the result, so the agent can correct them."""
        name, arguments = params.get("name"), params.get("arguments") or {}
        if name not in (UNDERSTAND["name"], LIST_MODELS["name"]) or not isinstance(arguments, dict):
            return _error(identity, INVALID_PARAMS, f"Unknown tool {name!r}: call 'understand' or 'list_models'.")
        try:
            if name == LIST_MODELS["name"]:
                outcome = Outcome(self._models())
            else:
                outcome = self._understander.understand(arguments)
        except RequestError as error:
            return _result(identity, {"content": [{"type": "text", "text": str(error)}], "isError": True})
        content = [{"type": TEXT, TEXT: msgspec.json.encode(outcome.answer).decode()}]
        result = {"content": content, "structuredContent": outcome.answer, "isError": False}
        outcome.answer = _result(identity, result).answer
        return outcome

    def _models(self) -> dict[str, Any]:
        return {
            "models": [
                {
                    "name": name,
                    "outputs": [
                        {"name": output.name, "type": output.__struct_config__.tag, "labels": _labels(output)}
                        for output in predictor.manifest.outputs
                    ],
                }
                for name, predictor in self._service.predictors.items()
            ]
        }


def _greeting(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to `initialize`, with the client's protocol version if it is supported, or else the newest."""
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "ludwig-serverless", "version": __version__},
        "instructions": INSTRUCTIONS,
    }


def _labels(output: Any) -> list[str]:
    """Return the labels that an output chooses from; for slots, the entities."""
    if isinstance(output, BinaryOutput):
        return list(output.labels or ("false", "true"))
    labels = [str(label) for label in getattr(output, "labels", ()) if label != UNKNOWN_LABEL]
    if not isinstance(output, SequenceOutput):
        return labels
    return list(dict.fromkeys(label.removeprefix(BEGIN) for label in labels if label.startswith(BEGIN)))


def _result(identity: str | int, result: Mapping[str, Any]) -> Outcome:
    answer: McpAnswer = {"jsonrpc": "2.0", "id": identity, "result": dict(result)}
    return Outcome(cast("dict[str, Any]", answer))


def _error(identity: str | int | None, code: int, message: str) -> Outcome:
    answer: McpAnswer = {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}
    return Outcome(cast("dict[str, Any]", answer))
