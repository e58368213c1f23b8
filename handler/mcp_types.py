"""The types of JSON-RPC messages, from which the API's description is generated.

Nothing loads this module before a request asks for the description.
"""

from typing import Any, Literal, NotRequired, TypedDict


class McpMessage(TypedDict):
    """A JSON-RPC 2.0 message: a request, or without an id a notification.

    Attributes:
        jsonrpc: The version of JSON-RPC.
        id: The id that the answer repeats.
        method: The method: initialize, ping, tools/list or tools/call.
        params: The method's parameters.
    """

    jsonrpc: Literal["2.0"]
    id: NotRequired[str | int | None]
    method: NotRequired[str]
    params: NotRequired[dict[str, Any] | None]


class McpError(TypedDict):
    """A JSON-RPC error.

    Attributes:
        code: JSON-RPC's error code.
        message: What was wrong.
    """

    code: int
    message: str


class McpAnswer(TypedDict):
    """A JSON-RPC 2.0 response with a result or an error.

    Attributes:
        jsonrpc: The version of JSON-RPC.
        id: The id of the request; null if it has none.
        result: The result of the method.
        error: The error.
    """

    jsonrpc: Literal["2.0"]
    id: str | int | None
    result: NotRequired[dict[str, Any]]
    error: NotRequired[McpError]
